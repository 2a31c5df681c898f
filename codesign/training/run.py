"""From a flow to a trained run folder: starts, selection, control, metrics.

Files are written in the order model, history, metrics, so that metrics.json marks a finished
run; what is needed only to continue lies in ``<run>/training`` and is removed at the end.
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from codesign.checkpoint import Model, load_model, save_model
from codesign.errors import InputError
from codesign.files import atomic_path, write_json
from codesign.flows import Flow
from codesign.runs import Run, create_run
from codesign.tasks import DataDirs, TaskData, load_task
from codesign.testset import save_test_split
from codesign.training.choice import Kind, cell_of, kinds_of, network_of
from codesign.training.evidence import Networks, record_evidence
from codesign.training.group import GroupSpec, GroupState
from codesign.training.group_file import fingerprint
from codesign.training.metrics import Chosen, choose, metrics_of
from codesign.training.packing import packing_of
from codesign.training.pool import Work, train_groups
from codesign.training.selection import select

GROUP_SIZE = 8  # fixed, so that results do not depend on the number of workers
_CONTROL_SHARE = 4  # one start of the control for every so many of the network

OnProgress = Callable[[int, int, str], None]
"""(steps done, steps in all, what is best so far)."""


def train(
    flow: Flow,
    run_dir: Path,
    data_dir: DataDirs = None,
    *,
    jobs: int = 0,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> Run:
    """Train a flow into a run folder and return the run; a finished one is returned as it is.

    data_dir: folder or folders of recordings, for tasks that need them. jobs: processes (0: one
    per core); the result does not depend on it. An interrupted call is continued by the same
    call. With ``force`` a finished or foreign run folder is trained again, and everything that
    was made from its model (design, simulations, report) is removed with it.

    Raises InputError when the data, the flow or the folder is not as it should be, when the
    folder holds a finished model of another flow, or when every start diverged.
    """
    run = Run(run_dir)
    if not force and is_finished(run):
        _check_same_flow(run, flow)
        load_model(run)
        return run
    began = time.monotonic()
    _check_device(flow)
    cell_of(flow)  # a start it cannot have is refused before anything is read or written
    data = load_task(flow.task, data_dir, flow.seed)
    _check_decision(flow, data)
    create_run(run_dir, flow)
    _discard_results(run)
    folder = run.path / "training"
    work = Work(flow, folder, fingerprint(flow, data))
    specs = groups_of(flow)
    report = _Progress(flow, specs, on_progress)
    states = train_groups(work, specs, data, jobs or _cores(), report)
    packing = packing_of(network_of(flow, data))
    chosen = {
        kind: select(
            choose([(s, states[s.name]) for s in specs if s.kind == kind]), flow, data, packing
        )
        for kind in kinds_of(flow)
    }
    _write_results(run, flow, data, chosen, states, began)
    shutil.rmtree(folder, ignore_errors=True)
    return run


def is_finished(run: Run) -> bool:
    """Whether training into this run folder has come to its end."""
    return run.metrics_file.is_file() and run.weights_file.is_file() and run.model_file.is_file()


def groups_of(flow: Flow) -> list[GroupSpec]:
    """The groups of a flow: its starts, and a quarter as many of the control where there is one."""
    starts = flow.training.starts
    counts: dict[Kind, int] = {
        "network": starts,
        "memoryless": (starts + _CONTROL_SHARE - 1) // _CONTROL_SHARE,
    }
    return [
        GroupSpec(kind, tuple(range(first, min(first + GROUP_SIZE, counts[kind]))))
        for kind in kinds_of(flow)
        for first in range(0, counts[kind], GROUP_SIZE)
    ]


class _Progress:
    """Sums the steps of groups that report in any order."""

    def __init__(self, flow: Flow, specs: list[GroupSpec], show: OnProgress | None) -> None:
        self._size = {spec.name: len(spec.starts) for spec in specs}
        self._steps = dict.fromkeys(self._size, 0)
        self._best = dict.fromkeys(self._size, -1.0)
        self._total = flow.training.steps * sum(self._size.values())
        self._show = show

    def __call__(self, name: str, step: int, accuracy: float) -> None:
        self._steps[name], self._best[name] = step, accuracy
        if self._show is None:
            return
        done = sum(step * self._size[name] for name, step in self._steps.items())
        best = max(value for name, value in self._best.items() if name.startswith("network"))
        note = f"best validation {100 * best:.1f} %" if best >= 0 else ""
        self._show(done, self._total, note)


def _check_same_flow(run: Run, flow: Flow) -> None:
    if run.flow() == flow:
        return
    raise InputError(
        f"{run.path} holds a finished model of a different flow; choose another folder with "
        "--run, or replace it and all that was made from it with --force."
    )


def _check_device(flow: Flow) -> None:
    device = flow.training.device
    if device.startswith("cuda"):
        count = torch.cuda.device_count()
        index = int(device.partition(":")[2] or 0)
        if index >= count:
            raise InputError(
                f"training.device = {device}, but torch sees {count} CUDA devices here; use cpu."
            )


def _check_decision(flow: Flow, data: TaskData) -> None:
    if data.per_frame != (flow.training.decision.name == "every_frame"):
        has = "every frame" if data.per_frame else "every clip, not every frame"
        wanted = "every_frame" if data.per_frame else "a rule for the whole clip, as last_frame"
        raise InputError(
            f"training.decision = {flow.training.decision}, but the task has a label for {has}; "
            f"take {wanted}."
        )
    if flow.training.decision.frames > data.train.frames:
        raise InputError(
            f"training.decision = {flow.training.decision}, but a clip has {data.train.frames} "
            "frames; average at most that many, or take mean_logit."
        )


def _discard_results(run: Run) -> None:
    """Nothing made from an earlier model may stay beside a new one."""
    try:
        for path in (
            run.metrics_file, run.weights_file, run.model_file, run.history_file, run.control_file,
        ):  # fmt: skip
            path.unlink(missing_ok=True)
        for folder in (run.design_dir, run.path / "sim", run.report_dir, run.evidence_dir):
            if folder.is_dir():
                shutil.rmtree(folder)
    except OSError as error:
        raise InputError(f"Cannot replace {error.filename}: {error.strerror}.") from error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _write_results(
    run: Run,
    flow: Flow,
    data: TaskData,
    chosen: dict[Kind, Chosen],
    states: dict[str, GroupState],
    began: float,
) -> None:
    network = network_of(flow, data)
    packing = packing_of(network)
    network.load_state_dict(packing.unpack(chosen["network"].row.cpu()))
    model = Model(network, data.class_names, flow.training.decision, flow.hardware.weight_grid)
    save_model(run, model)
    save_test_split(run, data.test)
    rows = {kind: packing.unpack(found.row.cpu()) for kind, found in chosen.items()}
    record_evidence(run, Networks(model, rows.get("memoryless")), data.test)
    history = pd.DataFrame([row for state in states.values() for row in state.history])
    with atomic_path(run.history_file) as temporary:
        history.to_parquet(temporary, index=False)
    metrics: dict[str, Any] = metrics_of(flow, data, packing, chosen)
    metrics["wall_s"] = time.monotonic() - began
    write_json(run.metrics_file, metrics)
