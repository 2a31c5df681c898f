"""Training the runs of a sweep: here one after the other, by workers, or on a Dask cluster.

A run is trained by one process on one core, so that many of them are the parallelism. What one of
them raises is its result and stops no other. An interrupted sweep is continued by the same call:
finished runs are taken as they are, begun ones go on from their last validation.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from codesign.errors import CodesignError
from codesign.flows import Flow
from codesign.search.plan import Planned
from codesign.simulation.cluster import cluster_workers
from codesign.simulation.dispatch import Died, Task, run_tasks
from codesign.simulation.workers import Workers, worker_pool
from codesign.training import is_finished, train

Say = Callable[[str], None]
OnProgress = Callable[[float, int, int, str], None]
"""(runs done, runs in all, runs that failed, what goes on)."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``kept`` was finished before; ``reason`` says why one failed."""

    status: Literal["trained", "kept", "failed"]
    reason: str = ""


def execute(
    planned: Sequence[Planned],
    folder: Path,
    data_dirs: tuple[Path, ...],
    *,
    jobs: int,
    scheduler: str | None = None,
    force: bool = False,
    progress: OnProgress,
    say: Say,
) -> list[Outcome]:
    """Train what is not finished; the outcomes in the order of ``planned``.

    data_dirs: folders of recordings, for tasks that need one. jobs: runs at a time on this machine;
    1 trains in this process. scheduler: a Dask scheduler instead (simulation.cluster). force trains
    finished runs again. Raises EnvironmentMissing when a scheduler does not answer.
    """
    outcomes: dict[int, Outcome] = {}
    for index, item in enumerate(planned):
        if not force and is_finished(item.run(folder)):
            outcomes[index] = Outcome("kept")
    missing = [index for index in range(len(planned)) if index not in outcomes]

    def tell(part: float = 0.0, note: str = "") -> None:
        failed = sum(outcome.status == "failed" for outcome in outcomes.values())
        progress(len(outcomes) + part, len(planned), failed, note)

    tell()
    if not missing:
        return [outcomes[index] for index in range(len(planned))]
    if jobs == 1 and scheduler is None:
        for index in missing:
            item = planned[index]

            def show(done: int, total: int, note: str, name: str = item.name) -> None:
                tell(0.999 * done / total, f"{name} {note}")

            outcomes[index] = train_one(item.flow, item.run(folder).path, data_dirs, force, show)
            tell(note=f"{item.name} {outcomes[index].status}")
    else:
        work = folder.resolve()
        # Workers of a cluster have a current folder of their own.
        seen = data_dirs if scheduler is None else tuple(d.resolve() for d in data_dirs)
        with _workers(jobs, scheduler, work, say) as workers:
            tasks = (
                Task(
                    index,
                    partial(
                        _in_worker, planned[index].flow, work / planned[index].name,
                        seen, force,
                    ),
                )
                for index in missing
            )  # fmt: skip
            for index, result in run_tasks(workers, tasks):
                if isinstance(result, Died):
                    result = Outcome("failed", result.message)
                outcomes[index] = result
                tell(note=f"{planned[index].name} {outcomes[index].status}")
    return [outcomes[index] for index in range(len(planned))]


def train_one(
    flow: Flow,
    run_dir: Path,
    data_dirs: tuple[Path, ...],
    force: bool,
    show: Callable[[int, int, str], None] | None = None,
) -> Outcome:
    """Train one run in this process; whatever it raises, but an interrupt, is its outcome."""
    try:
        train(flow, run_dir, data_dirs, jobs=1, force=force, on_progress=show)
    except CodesignError as error:
        return Outcome("failed", str(error))
    except Exception as error:  # a defect in one run must not cost the others
        return Outcome("failed", f"{type(error).__name__}: {error}")
    return Outcome("trained")


def _in_worker(flow: Flow, run_dir: Path, data_dirs: tuple[Path, ...], force: bool) -> Outcome:
    torch.set_num_threads(1)
    return train_one(flow, run_dir, data_dirs, force)


@contextmanager
def _workers(jobs: int, scheduler: str | None, folder: Path, say: Say) -> Iterator[Workers]:
    if scheduler is None:
        with worker_pool(jobs) as local:
            yield local
    else:
        try:
            with cluster_workers(scheduler, jobs, folder, say) as cluster:
                yield cluster
        finally:
            with suppress(OSError):  # where workers were asked whether they see the folder
                (folder / "work").rmdir()


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
