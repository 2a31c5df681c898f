"""Groups of starts on several processes; the result does not depend on how many.

A group is computed by one torch thread wherever it runs, from files: the data and its own
state. Workers are started afresh (spawn), so a script that trains with several jobs needs the
usual ``if __name__ == "__main__"`` guard.
"""

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from codesign.files import atomic_path, read_json, write_json
from codesign.flows import Flow
from codesign.tasks.base import Split, TaskData
from codesign.training.group import GroupSpec, GroupState, new_state, train_group
from codesign.training.group_file import load_group, save_group

Report = Callable[[str, int, float], None]
"""(group name, step, best validation balanced accuracy so far, -1 before the first)."""

_POLL_S = 0.2


class StopRequested(Exception):  # noqa: N818 - nothing went wrong
    """A worker was asked to stop; its state is on disk."""


@dataclass(frozen=True)
class Work:
    """What a worker needs: the recipe, the folder of states, the fingerprint."""

    flow: Flow
    folder: Path
    mark: str

    def state_file(self, spec: GroupSpec) -> Path:
        """Where the state of a group is kept."""
        return self.folder / f"{spec.name}.safetensors"


def train_groups(
    work: Work, specs: list[GroupSpec], data: TaskData, jobs: int, report: Report
) -> dict[str, GroupState]:
    """Train every group to its end, each continued from its file; states by group name."""
    if jobs == 1 or len(specs) == 1:
        return {spec.name: _train_one(work, spec, data, report) for spec in specs}
    _save_data(work.folder, data)
    context = multiprocessing.get_context("spawn")
    progress: Queue[tuple[str, int, float]] = context.Queue()
    stop = context.Event()
    workers = min(jobs, len(specs))
    with ProcessPoolExecutor(workers, context, _begin_worker, (progress, stop)) as pool:
        pending: set[Future[None]] = {pool.submit(_work, work, spec) for spec in specs}
        try:
            while pending:
                done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                _drain(progress, report)
                for future in done:
                    future.result()
        except BaseException:
            # Workers save and end at their next validation, so nothing outlives this call.
            stop.set()
            for future in pending:
                future.cancel()
            raise
    _drain(progress, report)
    device = work.flow.training.device
    states = {}
    for spec in specs:
        state = load_group(work.state_file(spec), work.mark, device)
        if state is None:
            raise RuntimeError(f"the state of group {spec.name} vanished from {work.folder}")
        states[spec.name] = state
    return states


def _train_one(work: Work, spec: GroupSpec, data: TaskData, report: Report) -> GroupState:
    path = work.state_file(spec)
    state = load_group(path, work.mark, work.flow.training.device)
    if state is None:
        state = new_state(spec, work.flow, data)

    def keep(now: GroupState) -> None:
        save_group(path, now, work.mark)
        report(spec.name, now.step, float(now.best_accuracy.max()))

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the order of sums, and so the last bits, depend on it
    try:
        report(spec.name, state.step, float(state.best_accuracy.max()))
        return train_group(spec, work.flow, data, state, keep)
    finally:
        torch.set_num_threads(threads)


_channel: "tuple[Queue[tuple[str, int, float]], Event] | None" = None


def _begin_worker(progress: "Queue[tuple[str, int, float]]", stop: Event) -> None:
    """Set up a worker process: an interrupt is the parent's business, and it sets ``stop``."""
    global _channel
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _channel = (progress, stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent cannot say goodbye, and its workers would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(work: Work, spec: GroupSpec) -> None:
    assert _channel is not None
    progress, stop = _channel

    def report(name: str, step: int, accuracy: float) -> None:
        progress.put((name, step, accuracy))
        if stop.is_set():
            raise StopRequested

    _train_one(work, spec, _load_data(work.folder), report)


def _drain(progress: "Queue[tuple[str, int, float]]", report: Report) -> None:
    while True:
        try:
            report(*progress.get_nowait())
        except queue.Empty:
            return


def _save_data(folder: Path, data: TaskData) -> None:
    """Training needs train and validation; files, because shared memory may be small."""
    tensors = data.train.tensors("train.") | data.validation.tensors("validation.")
    with atomic_path(folder / "data.safetensors") as temporary:
        temporary.write_bytes(save(tensors))
    write_json(folder / "data.json", {"class_names": list(data.class_names)})


def _load_data(folder: Path) -> TaskData:
    tensors = load_file(folder / "data.safetensors")
    names = read_json(folder / "data.json", "the classes of the training data")["class_names"]

    def split(name: str) -> Split:
        ids = tuple(str(index) for index in range(len(tensors[f"{name}.labels"])))
        return Split.from_tensors(tensors, ids, f"{name}.")

    validation = split("validation")
    return TaskData(split("train"), validation, validation, tuple(names), "")
