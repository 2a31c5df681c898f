"""The page put together: verdict, jitter, contributors, what noise does, provenance."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from codesign.report.noise import figures, tables
from codesign.report.noise.data import Noise, load_noise, noise_plans
from codesign.report.noise.verdict import noise_verdict
from codesign.report.page import Figure, Section
from codesign.report.rundata import RunData, Simulation
from codesign.report.sections.provenance import provenance_section
from codesign.report.sections.verdict import Verdict


def noise_pages(data: RunData) -> Iterator[tuple[str, str, Verdict, list[Section]]]:
    """File name, plan, verdict and sections of every plan with noise that was simulated.

    Raises InputError for tables that cannot be read.
    """
    for plan in noise_plans(data.run):
        found = load_noise(data.run, plan)
        sections = [_jitter(found), _contributors(found), _network(found), _provenance(data, found)]
        yield found.page, plan, noise_verdict(found), [one for one in sections if one is not None]


def _jitter(found: Noise) -> Section | None:
    if found.tables["jitter"].empty:
        return None
    return Section(
        "jitter",
        "Threshold jitter",
        "The candidate at which a cell switches differs from trial to trial. Predicted from the "
        "small-signal noise at the operating point, and counted in a transient in which every "
        "device of the cell, its bias mirrors and its candidate's mirrors is noisy.",
        figures=tuple(figures.switching(found)),
        tables=(tables.jitter_table(found),),
    )


def _contributors(found: Noise) -> Section | None:
    table = found.tables["contributors"]
    if table.empty:
        return None
    conditions = [name for name in table["condition"].unique() if name != "state low"]
    # Of several cells the one in the middle speaks for all; the table has every one.
    middle = [name for name in conditions if "smallest" not in name and "largest" not in name]
    if not any(name.startswith("beta") for name in middle):
        middle = [name for name in conditions if "largest" not in name]
    pictures = [
        figures.contributors(found, condition, str(k)) for k, condition in enumerate(middle)
    ]
    spectra = figures.spectra(found)
    low = figures.rows_rms(table, "state low") * 1e12
    return Section(
        "contributors",
        "Who makes the noise",
        "Devices in order of their part of the variance, in both states of a cell, at its "
        "thresholds, and along the path of a candidate.",
        figures=(*pictures, *([spectra] if spectra else [])),
        tables=(tables.contributors_table(found),),
        notes=(f"In its low state a cell's output carries nothing and makes {low:.1g} pA rms.",),
    )


def _network(found: Noise) -> Section:
    pictures = [figures.candidates(found), figures.margins(found)]
    return Section(
        "network",
        "What noise does to the network",
        "The same chips and clips with noise and without, in the same engine.",
        figures=tuple(one for one in pictures if isinstance(one, Figure)),
        tables=(tables.units_table(found), tables.clips_table(found)),
    )


def _provenance(data: RunData, found: Noise) -> Section:
    none = pd.DataFrame()
    own = Simulation(
        found.plan, found.folder, found.summary, found.settings, none, none, none, None, (), {}
    )
    return provenance_section(replace(data, simulation=own))
