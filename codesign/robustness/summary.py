"""From draws to figures: mean, 5th percentile, worst and what was lost, per run and per group."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

# Targets for networks of this cell and size.
TARGET_CELL, TARGET_STATE_DIM = "fq_bmru", 16
TARGET_PERCENT, TARGET_MEAN_POINTS, TARGET_P5_POINTS = 15.0, 1.5, 4.0
TARGET_LEAK_UNITS, TARGET_LEAK_POINTS = 0.02, 1.0


def run_figures(draws: pd.DataFrame) -> pd.DataFrame:
    """A row per run, kind and level: balanced accuracy over draws, and what it lost.

    draws: ``study``'s rows with ``run`` and ``group``. Columns: draws, mean, p5, p95, worst
    (fractions); lost_mean_points, lost_p5_points, lost_worst_points against the same network
    undisturbed.
    """
    rows = []
    for (group, run), own in draws.groupby(["group", "run"], sort=False):
        clean = float(own.loc[own["kind"] == "none", "balanced_accuracy"].iloc[0])
        for (kind, level), part in own.groupby(["kind", "level"], sort=False):
            values = part["balanced_accuracy"].to_numpy()
            figures = {
                "mean": float(values.mean()),
                "p5": float(np.quantile(values, 0.05)),
                "worst": float(values.min()),
                "p95": float(np.quantile(values, 0.95)),
            }
            lost = {k: 100 * (clean - figures[k]) for k in ("mean", "p5", "worst")}
            rows.append(
                {
                    "group": group, "run": run, "kind": kind, "level": level, "draws": len(values),
                    "clean": clean, **figures,
                    **{f"lost_{k}_points": value for k, value in lost.items()},
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def group_figures(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per group, kind and level: means of the runs' figures, and the worst run's loss.

    mean_low, mean_high: 95 % interval of the mean over runs (Student's t), NaN for one run.
    """
    rows = []
    for (group, kind, level), part in runs.groupby(["group", "kind", "level"], sort=False):
        low, high = _interval(part["mean"].to_numpy())
        names = ("clean", "mean", "p5", "p95", "lost_mean_points", "lost_p5_points")
        rows.append(
            {
                "group": group, "kind": kind, "level": level, "runs": len(part),
                "draws": int(part["draws"].min()),
                **{name: float(part[name].mean()) for name in names},
                "mean_low": low, "mean_high": high,
                "worst": float(part["worst"].min()),
                "worst_run_lost_mean_points": float(part["lost_mean_points"].max()),
                "worst_run_lost_p5_points": float(part["lost_p5_points"].max()),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _interval(values: "np.ndarray[Any, np.dtype[np.float64]]") -> tuple[float, float]:
    if len(values) < 2:
        return float("nan"), float("nan")
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def judged(groups: pd.DataFrame, cells: dict[str, tuple[str, int]]) -> list[dict[str, Any]]:
    """Targets that the study can speak of: name, group, value and limit in points, whether met.

    cells: (cell, state_dim) of each group.
    """
    limits = (
        ("mean lost to parameter noise", "percent", TARGET_PERCENT, "lost_mean_points",
         TARGET_MEAN_POINTS),
        ("5th percentile lost to parameter noise", "percent", TARGET_PERCENT, "lost_p5_points",
         TARGET_P5_POINTS),
        ("mean lost to a constant leak", "leak", TARGET_LEAK_UNITS, "lost_mean_points",
         TARGET_LEAK_POINTS),
        ("mean lost to a uniform leak", "leak_uniform", TARGET_LEAK_UNITS, "lost_mean_points",
         TARGET_LEAK_POINTS),
    )  # fmt: skip
    found = []
    for group, shape in cells.items():
        if shape != (TARGET_CELL, TARGET_STATE_DIM):
            continue
        for name, kind, level, column, limit in limits:
            at = groups[
                (groups["group"] == group) & (groups["kind"] == kind) & (groups["level"] == level)
            ]
            if len(at):
                value = float(at[column].iloc[0])
                found.append(
                    {
                        "name": name, "group": group, "kind": kind, "level": level,
                        "lost_points": value, "limit_points": limit, "met": value < limit,
                        "runs": int(at["runs"].iloc[0]), "draws": int(at["draws"].iloc[0]),
                    }
                )  # fmt: skip
    return found
