"""The page put together: verdict, pictures, tables, each part where the run has it."""

from collections.abc import Callable

from codesign.report.page import Section
from codesign.report.rundata import RunData
from codesign.report.sections.verdict import Verdict
from codesign.report.training import (
    clips,
    curves,
    decisions,
    measured,
    memory,
    parameters,
    room,
    starts,
    viewer,
)
from codesign.report.training.data import Learned, load_learned
from codesign.report.training.verdict import training_verdict

_PARTS: tuple[Callable[[Learned], Section | None], ...] = (
    curves.section,
    decisions.section,
    starts.section,
    clips.gallery_section,
    viewer.section,
    memory.section,
    room.section,
    parameters.section,
    measured.section,
)


def training_page(data: RunData) -> tuple[Verdict, list[Section]] | None:
    """Verdict and sections; None for a model that was not trained here."""
    learned = load_learned(data)
    if learned is None:
        return None
    sections = [made for make in _PARTS if (made := make(learned)) is not None]
    return training_verdict(learned), sections
