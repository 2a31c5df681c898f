"""A section whose table is not there: one sentence that says how to get it."""

from typing import Any

from codesign.report.page import Section


def missing(key: str, title: str, how: str, reason: Any = None) -> Section:
    """``reason`` is what the simulation itself said, where it did."""
    said = f"Not computed: {reason}. " if reason and reason != "done" else ""
    return Section(key, title, f"{said}{how}")
