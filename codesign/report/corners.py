"""What ``codesign simulate --corners`` left of a run, for the page."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from codesign.report.reading import read_object, read_table
from codesign.runs import Run

CORNERS_PLAN = "corners"
_COMMAND = "codesign simulate --corners"
_POINTS = (
    "condition bias point corner supply_v supply_part temperature_c reference_current_a clips "
    "clips_ok votes_kept states states_differing states_changed states_changed_agreeing "
    "logit_margin_min_units mean_power_w mean_power_cells_w mean_power_feedforward_w "
    "mean_power_bias_w"
)


@dataclass(frozen=True)
class Corners:
    """Headline figures, the plan, and one row per condition and point."""

    summary: dict[str, Any]
    settings: dict[str, Any]
    points: pd.DataFrame


def read_corners(run: Run) -> Corners | None:
    """The points of a run; None where none were simulated. InputError for a damaged file."""
    folder = run.sim_dir(CORNERS_PLAN)
    if not (folder / "summary.json").is_file():
        return None
    return Corners(
        read_object(folder / "summary.json", "summary of the points of the process", _COMMAND),
        read_object(folder / "plan.json", "plan of the points of the process", _COMMAND),
        read_table(folder / "points.parquet", _POINTS, "points of the process", _COMMAND),
    )
