"""The page put together: verdict, margins, yield, chips, causes, twin, samples, provenance."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pandas as pd

from codesign.report.mismatch.area import area_section
from codesign.report.mismatch.cells import cells_section
from codesign.report.mismatch.chips import chips_section
from codesign.report.mismatch.data import Population, load_population, population_plans
from codesign.report.mismatch.devices import devices_section
from codesign.report.mismatch.margins import margins_section
from codesign.report.mismatch.samples import samples_section
from codesign.report.mismatch.suppression import suppression_section
from codesign.report.mismatch.twin import twin_section
from codesign.report.mismatch.verdict import mismatch_verdict
from codesign.report.mismatch.worst import worst_section
from codesign.report.mismatch.yields import yield_section
from codesign.report.page import Section
from codesign.report.rundata import RunData, Simulation
from codesign.report.sections.engine import engine_section
from codesign.report.sections.provenance import provenance_section
from codesign.report.sections.verdict import Verdict


def mismatch_pages(data: RunData) -> Iterator[tuple[str, str, Verdict, list[Section]]]:
    """File name, plan, verdict and sections of every plan of chips that was simulated.

    Raises InputError for tables that cannot be read.
    """
    for plan in population_plans(data.run):
        found = load_population(data.run, plan)
        yield found.page, plan, mismatch_verdict(found), _sections(data, found)


def _sections(data: RunData, found: Population) -> list[Section]:
    own = replace(
        data,
        simulation=_simulation(found),
        judged=tuple(plan for plan in data.judged if plan.plan == found.plan),
    )
    made: Sequence[Callable[[], Section | None]] = (
        lambda: margins_section(own, found),
        lambda: yield_section(found),
        lambda: chips_section(found),
        lambda: area_section(found),
        lambda: cells_section(found),
        lambda: devices_section(found),
        lambda: worst_section(found),
        lambda: twin_section(found),
        lambda: suppression_section(found),
        lambda: samples_section(found),
        lambda: engine_section(own),
        lambda: provenance_section(own),
    )
    return [section for make in made if (section := make()) is not None]


def _simulation(found: Population) -> Simulation:
    """The plan as sections shared with the report's first page take it, without its states."""
    none = pd.DataFrame()
    return Simulation(
        found.plan, found.folder, found.summary, found.settings, found.samples, none, none, None,
        (), {},
    )  # fmt: skip
