"""How the runs of a sweep compare: a row per run, and a row per combination over its seeds.

Combinations are ranked by the mean balanced accuracy on validation. The test split is shown beside
it and ranks nothing: the best of many on test would be partly the luckiest.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codesign.files import read_json
from codesign.search.execute import Outcome
from codesign.search.plan import Planned

RUN_COLUMNS = (
    "combination", "run", "seed", "status", "reason", "validation_balanced_accuracy",
    "test_balanced_accuracy", "test_count", "memoryless_test_balanced_accuracy", "parameters",
    "steps", "starts", "wall_s",
)  # fmt: skip
RANKED_BY = "validation_mean"
NOTE = (
    "Ranked by the mean over seeds of the balanced accuracy on validation, never by test; each run "
    "chose its own checkpoint on validation too."
)


def run_table(
    planned: Sequence[Planned], outcomes: Sequence[Outcome], folder: Path
) -> pd.DataFrame:
    """A row per run: ``RUN_COLUMNS``, then the swept keys. What a failed run has not is NaN.

    Accuracies are fractions, times seconds of wall clock. Raises InputError for metrics of a
    finished run that cannot be read.
    """
    rows = []
    for item, outcome in zip(planned, outcomes, strict=True):
        row: dict[str, Any] = dict.fromkeys(RUN_COLUMNS)
        row |= {
            "combination": item.index, "run": item.name, "seed": item.flow.seed,
            "status": outcome.status, "reason": outcome.reason,
            "steps": item.flow.training.steps, "starts": item.flow.training.starts,
        }  # fmt: skip
        if outcome.status != "failed":
            row |= _figures(read_json(item.run(folder).metrics_file, "the metrics of a run"))
        row |= {key: item.value(key) for key, _ in item.settings}
        rows.append(row)
    table = pd.DataFrame(rows)
    numbers = [name for name in RUN_COLUMNS if name.endswith("accuracy")]
    numbers += ["test_count", "parameters", "wall_s"]
    return table.astype(dict.fromkeys(numbers, "float64"))


def _figures(metrics: dict[str, Any]) -> dict[str, Any]:
    splits = metrics["splits"]
    control = (metrics.get("memoryless") or {}).get("test") or {}
    return {
        "validation_balanced_accuracy": splits["validation"]["balanced_accuracy"],
        "test_balanced_accuracy": splits["test"]["balanced_accuracy"],
        "test_count": splits["test"]["count"],
        "memoryless_test_balanced_accuracy": control.get("balanced_accuracy"),
        "parameters": metrics["parameters"]["total"],
        "wall_s": metrics["wall_s"],
    }


def leaderboard(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per combination, the best by validation first; combinations without a finished run
    come last and have no rank (0).

    runs: of ``run_table``. Columns: rank, combination, the swept keys, finished and failed runs,
    mean, worst and best over seeds on validation and test (``test_sd``: standard deviation of one
    seed), test_count (clips of a run's test split, the fewest of its seeds), memoryless_mean and
    _best, parameters, steps, starts, wall_s (mean of a run).
    """
    keys = [name for name in runs.columns if name not in RUN_COLUMNS]
    rows = []
    for number, group in runs.groupby("combination", sort=True):
        done = group[group["status"] != "failed"]
        validation, test = done["validation_balanced_accuracy"], done["test_balanced_accuracy"]
        control = done["memoryless_test_balanced_accuracy"]
        first = group.iloc[0]
        rows.append(
            {
                "rank": 0,
                "combination": number,
                **{key: first[key] for key in keys},
                "finished": len(done),
                "failed": len(group) - len(done),
                "validation_mean": validation.mean(),
                "validation_worst": validation.min(),
                "validation_best": validation.max(),
                "test_mean": test.mean(),
                "test_worst": test.min(),
                "test_best": test.max(),
                "test_sd": test.std(ddof=1),
                "test_count": done["test_count"].min(),
                "memoryless_mean": control.mean(),
                "memoryless_best": control.max(),
                "parameters": done["parameters"].max(),
                "steps": first["steps"],
                "starts": first["starts"],
                "wall_s": done["wall_s"].mean(),
            }
        )
    table = pd.DataFrame(rows).sort_values(
        [RANKED_BY, "validation_worst", "parameters", "combination"],
        ascending=[False, False, True, True], na_position="last", ignore_index=True,
    )  # fmt: skip
    table["rank"] = np.where(table["finished"] > 0, np.arange(1, len(table) + 1), 0)
    return table
