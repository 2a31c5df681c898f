"""From a plan of runs to a sweep folder: runs, tables, and what was asked.

<folder>/
  sweep.json             flow, axes, seeds, where and when
  <combination>_seed-N/  an ordinary run folder each
  runs.parquet           one row per run
  leaderboard.parquet    one row per combination, ranked by validation
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from codesign.files import atomic_path, unwritable, write_json
from codesign.provenance import made_with
from codesign.search.execute import OnProgress, Outcome, Say, execute
from codesign.search.leaderboard import NOTE, leaderboard, run_table
from codesign.search.plan import Planned, check_folder
from codesign.simulation.lock import only_writer
from codesign.tasks import load_task, needs_data


@dataclass(frozen=True)
class SweepOptions:
    """data_dirs: folders of recordings. jobs: runs at a time. scheduler: Dask instead of them.
    force: train finished runs again."""

    data_dirs: tuple[Path, ...] = ()
    jobs: int = 1
    scheduler: str | None = None
    force: bool = False


@dataclass(frozen=True)
class Sweep:
    """A finished call: its folder, the tables of runs and of combinations."""

    folder: Path
    runs: pd.DataFrame
    board: pd.DataFrame

    @property
    def failed(self) -> pd.DataFrame:
        """The rows of runs that failed."""
        return self.runs[self.runs["status"] == "failed"]


def sweep_file(folder: Path) -> Path:
    """What marks a folder as a sweep."""
    return folder / "sweep.json"


def run_sweep(
    planned: Sequence[Planned],
    folder: Path,
    asked: dict[str, Any],
    options: SweepOptions,
    progress: OnProgress,
    say: Say,
) -> Sweep:
    """Train every planned run and write the tables; a run that fails is a row of them.

    asked: what the sweep was called with, for sweep.json. Raises InputError when the folder is not
    a sweep's, holds finished runs of other flows, is written by another command, or when the
    recordings are not there.
    """
    check_folder(folder, sweep_file(folder), [] if options.force else planned)
    for item in planned[:1]:
        given = options.data_dirs
        if needs_data(item.flow.task) and not (given and all(d.is_dir() for d in given)):
            # It says what is missing; every single run would say the same.
            load_task(item.flow.task, given, item.flow.seed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    with only_writer(folder):
        write_json(sweep_file(folder), {**asked, "note": NOTE, "provenance": made_with()})
        outcomes = execute(
            planned, folder, options.data_dirs, jobs=options.jobs, scheduler=options.scheduler,
            force=options.force, progress=progress, say=say,
        )  # fmt: skip
        return _write(planned, outcomes, folder)


def _write(planned: Sequence[Planned], outcomes: Sequence[Outcome], folder: Path) -> Sweep:
    runs = run_table(planned, outcomes, folder)
    board = leaderboard(runs)
    for name, table in (("runs", runs), ("leaderboard", board)):
        with atomic_path(folder / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)
    return Sweep(folder, runs, board)
