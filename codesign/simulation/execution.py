"""Executing the samples of a plan in ngspice: what is not there yet, by workers, in any order."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.simulation.cluster import check_scheduler, cluster_workers
from codesign.simulation.dispatch import Died, Task, run_tasks
from codesign.simulation.engines import EngineName
from codesign.simulation.sample import shard_path
from codesign.simulation.setting import Setting
from codesign.simulation.shared import SampleEnd, SharedBench, run_shared, share_bench
from codesign.simulation.traces import failed, read_ends, write_traces
from codesign.simulation.workers import Workers, peak_memory_bytes, worker_pool

# Waveforms of more samples than this are not worth their disk space.
WAVES_KEPT = 64


class Progress(Protocol):
    """Told of every sample that ended: how many are ``done`` of ``total`` and how many of these
    ``failed``, were run more than once, and were there already."""

    def __call__(
        self, done: int, total: int, failed: int, retried: int = 0, kept: int = 0
    ) -> None: ...


@contextmanager
def workers_of(setting: Setting, say: Callable[[str], None]) -> Iterator[Workers]:
    """The workers that are asked for: of this machine, or of a Dask scheduler."""
    scheduler = setting.options.execution.scheduler
    if scheduler is None:
        with worker_pool(setting.workers) as local:
            yield local
    else:
        with cluster_workers(scheduler, setting.workers, setting.folder, say) as cluster:
            yield cluster


def refuse_batched(setting: Setting) -> None:
    """Raise InputError for what means nothing in the batched engine."""
    execution = setting.options.execution
    given = {
        "--scheduler": execution.scheduler,
        "--only-failed": execution.only_failed,
        "--keep": execution.keep,
        "--memory-limit": execution.memory_limit_mb,
    }
    for option, value in given.items():
        if value:
            raise InputError(
                f"{option} is for ngspice, whose samples are processes; the batched engine runs "
                f"inside this command. Give --engine ngspice with it, or leave it out."
            )


def engine_asked(setting: Setting) -> EngineName:
    """The engine that options and flow ask for; with a scheduler ``auto`` is ngspice.

    Raises InputError for a scheduler that cannot be one, or for the batched engine with it.
    """
    asked = setting.options.engine or setting.run.flow().simulation.engine
    scheduler = setting.options.execution.scheduler
    if scheduler is None:
        return asked
    check_scheduler(scheduler)
    if asked == "batched":
        refuse_batched(setting)
    return "ngspice"


@contextmanager
def continued_later(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Say what an interrupt leaves, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        for kind in ("shards", "groups"):
            if (folder / kind).is_dir() and (count := len(list((folder / kind).glob("*.parquet")))):
                say(f"{count} finished {kind} are kept in {folder}; the same command continues.")
        raise


def memory_figures(figures: dict[str, Any], worker_bytes: int, workers: int) -> dict[str, Any]:
    """Largest memory of the command's own process, of a worker, and of all together at most.

    The bound adds up the peaks of all processes of this machine, as if they fell together and
    shared nothing: the command, and ``workers`` workers, each with its simulator.
    """
    own = peak_memory_bytes()
    sample = figures["peak_memory_sample_bytes"] or 0
    return {
        "peak_memory_command_bytes": own,
        "peak_memory_worker_bytes": worker_bytes or None,
        "peak_memory_bytes": own + (workers * (worker_bytes + sample) if worker_bytes else 0),
    }


def run_ngspice(executor: Executor, setting: Setting, progress: Progress) -> int:
    """Run what is not there yet, one process per sample.

    Returns the largest memory of a worker, bytes, 0 where none had anything to do.
    """
    assert isinstance(executor, Workers)
    folder = setting.folder.resolve()
    shared = share_bench(setting.bench, folder / "work")
    try:
        return _run(executor, setting, progress, partial(_task, setting, folder, shared))
    finally:
        shared.path.unlink(missing_ok=True)


def _run(
    workers: Workers, setting: Setting, progress: Progress,
    task: Callable[[NDArray[np.float64], int], Task[SampleEnd]],
) -> int:  # fmt: skip
    plan, folder, inputs = setting.plan, setting.folder, setting.inputs_units()
    done = broken = again = kept = peak = 0

    def count(status: str, attempts: int) -> None:
        nonlocal done, broken, again
        done, broken, again = done + 1, broken + (status != "ok"), again + (attempts > 1)
        progress(done, len(plan.samples), broken, again, kept)

    missing = []
    for index in plan.samples:
        end = _kept_end(setting, index)
        if end is None:
            missing.append(index)
            continue
        kept += 1
        count(*end)
    for index, result in run_tasks(workers, (task(inputs, index) for index in missing)):
        if isinstance(result, Died):
            shape, frames = setting.bench.shape, inputs.shape[1]
            lost = failed(index, shape, frames, "crashed", result.message, "", 0.0)
            write_traces(shard_path(folder, index), lost)
            count("crashed", 1)
        else:
            peak = max(peak, result.worker_peak_bytes)
            count(result.status, result.attempts)
    return peak


def unfinished(setting: Setting) -> list[int]:
    """The samples that ``run_ngspice`` would run."""
    return [index for index in setting.plan.samples if _kept_end(setting, index) is None]


def _kept_end(setting: Setting, index: int) -> tuple[str, int] | None:
    """How a sample that is not to be run again ended: status and attempts."""
    end = read_ends(shard_path(setting.folder, index))
    if end is not None and setting.options.execution.only_failed and end[0] != "ok":
        return None
    return end


def _task(
    setting: Setting, folder: Path, shared: SharedBench, inputs: NDArray[np.float64], index: int
) -> Task[SampleEnd]:
    planned = setting.plan.sample(index)
    keep_waves = setting.plan.total <= WAVES_KEPT
    keep_files = setting.options.execution.keep
    call = partial(
        run_shared, shared, planned, inputs[planned.clip], folder, keep_waves, keep_files
    )
    return Task(index, call)
