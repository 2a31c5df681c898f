"""Plans of a run that the batched engine simulated, and what ngspice said of them."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from codesign.report.reading import read_object, read_table
from codesign.runs import Run

_COMMAND = "codesign simulate"
_ROWS = "sample stratum clip_id chip status_ngspice status_batched log_ngspice"


@dataclass(frozen=True)
class Judged:
    """One batched plan: its summary, and one row per sample that was simulated in both engines.

    ``rows`` is None where the judge was switched off.
    """

    plan: str
    summary: dict[str, Any]
    rows: pd.DataFrame | None


def judged_plans(run: Run) -> tuple[Judged, ...]:
    """The batched plans of a run, by name; InputError for a file that cannot be read."""
    found = []
    for path in sorted((run.path / "sim").glob("*/summary.json")):
        summary = read_object(path, "simulation summary", _COMMAND)
        if summary.get("engine") != "batched":
            continue
        rows = None
        if summary.get("judge_samples"):
            table = path.with_name("judge.parquet")
            rows = read_table(table, _ROWS, "samples compared with ngspice", _COMMAND)
        found.append(Judged(path.parent.name, summary, rows))
    return tuple(found)
