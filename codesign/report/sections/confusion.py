"""Who confuses what: twin and transistors against the labels, and against each other."""

import pandas as pd

from codesign.report.page import Matrix, Section
from codesign.report.rundata import RunData
from codesign.report.style import count, percent


def confusion_section(data: RunData) -> Section | None:
    """From the simulated clips where there are any, else from the software test split."""
    names = data.class_names
    matrices: list[Matrix] = []
    if data.simulation is not None and not data.simulation.ok.empty:
        ok = data.simulation.ok
        for title, rows, column in (
            ("Twin against label", "label", "twin_decision"),
            ("Transistors against label", "label", "chip_decision"),
            ("Transistors against twin", "twin_decision", "chip_decision"),
        ):
            counts = _counts(ok, rows, column, len(names))
            matrices.append(Matrix(title, names, counts))
        twin, chip, _ = matrices
        lead = (
            f"Right on {count(chip.correct)} of {count(chip.total)} clips as transistors, "
            f"on {count(twin.correct)} as software."
        )
    else:
        lead = ""
    software = _software(data)
    if software is not None:
        matrices.append(software)
        lead = lead or (
            f"Right on {count(software.correct)} of {count(software.total)} test clips "
            f"({percent(software.correct / max(1, software.total))})."
        )
    if not matrices:
        return None
    return Section(
        key="confusion",
        title="Decisions and labels",
        lead=lead,
        matrices=tuple(matrices),
        notes=(
            "Rows: the label, or the twin's decision where the twin is what is compared with. "
            "Columns: what was decided. Shading: share of the row; blue on the diagonal, red off.",
        ),
    )


def _software(data: RunData) -> Matrix | None:
    counts = data.metrics.get("confusion")
    names = data.class_names
    if not counts or len(counts) != len(names):
        return None
    table = tuple(tuple(int(value) for value in row) for row in counts)
    return Matrix("Software, whole test split", names, table)


def _counts(table: pd.DataFrame, rows: str, column: str, k: int) -> tuple[tuple[int, ...], ...]:
    """Counts over classes 0..k-1; decisions outside of them are not counted."""
    pairs = table[[rows, column]].dropna().astype(int)
    return tuple(
        tuple(int(((pairs[rows] == a) & (pairs[column] == b)).sum()) for b in range(k))
        for a in range(k)
    )
