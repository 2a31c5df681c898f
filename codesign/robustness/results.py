"""The study of several runs as files: robustness.parquet, robustness.json.

robustness.parquet has a row per run, case and draw; robustness.json the figures per run and per
group, the targets that could be judged, and what was asked.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from codesign.errors import InputError
from codesign.files import atomic_path, write_json
from codesign.provenance import made_with
from codesign.robustness.study import Conditions, Subject, study
from codesign.robustness.summary import group_figures, judged, run_figures

OnRun = Callable[[str, int, int], None]
"""(run, draws done, draws in all of this run)."""


def study_runs(
    subjects: Sequence[Subject], conditions: Conditions, progress: OnRun
) -> pd.DataFrame:
    """The draws of every run, one under the other, with ``run`` and ``group``.

    Groups are cells and sizes, and tasks as well where there are several. Raises InputError when a
    run is named twice, or as ``study`` does.
    """
    paths = [str(subject.run.path.resolve()) for subject in subjects]
    for path in paths:
        if paths.count(path) > 1:
            raise InputError(f"{path} is named twice; name each run once.")
    tables = []
    for subject in subjects:
        name = str(subject.run.path)
        table = study(subject, conditions, lambda d, n, name=name: progress(name, d, n))  # type: ignore[misc]
        table.insert(0, "run", name)
        table.insert(0, "group", group_of(subject, subjects))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def group_of(subject: Subject, subjects: Sequence[Subject]) -> str:
    """The group's name, with the task where the runs are of several."""
    several = len({other.task for other in subjects}) > 1
    return f"{subject.group}: {subject.task}" if several else subject.group


def write_results(
    folder: Path, subjects: Sequence[Subject], conditions: Conditions, draws: pd.DataFrame
) -> dict[str, Any]:
    """Write both files into ``folder`` and return the content of robustness.json."""
    runs = run_figures(draws)
    groups = group_figures(runs)
    cells = {group_of(s, subjects): (s.cell, s.model.state_dim) for s in subjects}
    result = {
        "targets": judged(groups, cells),
        "groups": _records(groups),
        "runs": _records(runs),
        "subjects": [
            {
                "run": str(s.run.path), "group": group_of(s, subjects), "cell": s.cell,
                "state_dim": s.model.state_dim, "layers": s.model.layers, "seed": s.seed,
                "task": s.task, "test_clips": len(s.split),
                "parameters": sum(p.numel() for p in s.model.network.parameters()),
            }
            for s in subjects
        ],
        "asked": {
            "percent": list(conditions.percent), "leak_units": list(conditions.leak_units),
            "draws": conditions.draws, "seed": conditions.seed,
        },
        "provenance": made_with(),
    }  # fmt: skip
    with atomic_path(folder / "robustness.parquet") as temporary:
        draws.to_parquet(temporary, index=False)
    write_json(folder / "robustness.json", result)
    return result


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    # JSON has no NaN.
    return [
        {str(key): None if value != value else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]
