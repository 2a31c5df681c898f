"""``train --refine``: continue a trained network on the sub-stepped twin of its circuit."""

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from codesign.checkpoint import Model, load_chip_model, save_model
from codesign.device.bench import find_point
from codesign.device.calibrate import calibrate
from codesign.engine.grid import Resolution
from codesign.errors import InputError
from codesign.files import atomic_path, read_json, write_json
from codesign.flows import Flow
from codesign.mapping.design import Shape
from codesign.network import FirstQuadrantNetwork
from codesign.refine.objective import Score, objective, offsets_of, score
from codesign.runs import Run, add_provenance, create_run
from codesign.tasks import DataDirs, TaskData, load_task
from codesign.testset import save_test_split
from codesign.training.hardware_limits import Limits, confine, on_grid, toward_grid
from codesign.training.packing import Packing, packing_of
from codesign.training.scores import confusion, margins, predictions_of, split_scores
from codesign.training.selection import standard_error
from codesign.twin.transfer import KINDS
from codesign.twin.twins import TwinModel, process_twin

OnProgress = Callable[[int, int, str], None]
_STREAM = 2  # of the flow's seed; training's starts and controls have 0 and 1
# Every step of the twin is exact for a constant drive: half of its steps show training the same
# tails. Scores are taken on its own grid.
_COARSE = Resolution(
    edge_steps=1, first_us=60.0, growth=2.2, longest=0.15, calm_us=100.0, calm_growth=3.0
)


def refine(
    source: Run,
    target: Path,
    flow: Flow,
    data_dir: DataDirs = None,
    pdk_root: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Run:
    """Continue the network of ``source`` under ``flow`` into the run folder ``target``.

    The candidates are those of the sub-stepped twin at the flow's process point, evaluated again
    every some steps; weights stay on the grid and every parameter in its range. Of the checkpoints
    (the network as it came among them) the one is kept whose twins disagree in the fewest states of
    the validation split, among those whose circuit is at most one standard error less accurate
    there than the circuit was to begin with.

    Returns the new run, with ``metrics.json`` saying what it was before and is after. Raises
    InputError (no model, an existing target, data that do not fit) and EnvironmentMissing.
    """
    began = time.monotonic()
    model = load_chip_model(source)
    if target.exists() and any(target.iterdir()):
        raise InputError(f"{target} is not empty; name a new folder with --run.")
    data = load_task(flow.task, data_dir, flow.seed)
    _check_fits(model, data, source)
    twin, used = _twin(flow, model, pdk_root)
    packing = packing_of(FirstQuadrantNetwork(*model.network.shape))
    start = packing.pack(dict(model.network.named_parameters()))
    rows, history, kept = _descend(start, packing, twin, flow, data, on_progress)
    run = create_run(target, flow)
    try:
        _write(run, source, model, flow, data, packing, twin, (start, rows), history, kept, began)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    add_provenance(run, **used)
    return run


def _check_fits(model: Model, data: TaskData, source: Run) -> None:
    if (model.inputs, model.class_names) != (data.n_inputs, data.class_names):
        raise InputError(
            f"The model of {source.path} has {model.inputs} inputs and the classes "
            f"{', '.join(model.class_names)}; the data have {data.n_inputs} and "
            f"{', '.join(data.class_names)}. Refine with the data it was trained on."
        )


def _twin(flow: Flow, model: Model, pdk_root: Path | None) -> tuple[TwinModel, dict[str, Any]]:
    point = find_point(flow.hardware, pdk_root)
    mirrors = calibrate(point).mirrors
    trims = {kind: getattr(mirrors, kind).l_m for kind in KINDS}
    shape = Shape(model.inputs, model.state_dim, model.layers, model.classes)
    twin = process_twin("substepped", shape, point, trims, like=torch.zeros(0))
    return twin, {"ngspice": point.ngspice_version, "pdk": point.pdk.describe()}


def _descend(
    start: Tensor,
    packing: Packing,
    twin: TwinModel,
    flow: Flow,
    data: TaskData,
    on_progress: OnProgress | None,
) -> tuple[Tensor, list[dict[str, Any]], int]:
    """(parameters kept [P], one row per validation, the step kept)."""
    settings, limits = flow.refine, Limits.of(flow)
    coarse = replace(twin, resolution=_COARSE)
    seed = int(np.random.SeedSequence([flow.seed, _STREAM]).generate_state(1)[0])
    generator = torch.Generator().manual_seed(seed)
    rows = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([rows], lr=settings.learning_rate)
    deployed = [on_grid(start, packing, limits.grid)]
    classes = len(data.class_names)
    first = score(twin, packing.unpack(deployed[0]), data.validation, classes, flow)
    margin = settings.margin_spreads * first.candidate_spread_units
    row = {"step": 0, "train_objective": math.nan, "margin_units": margin}
    history: list[dict[str, Any]] = [row | asdict(first)]
    least = first.accuracy - standard_error(first.accuracy, data.validation.labels)
    for step in range(1, settings.steps + 1):
        if (step - 1) % settings.refresh_every == 0:
            drawn = torch.randperm(len(data.train), generator=generator)[: settings.clips]
            inputs, labels = data.train.batch(drawn)
            offsets = offsets_of(coarse, packing.unpack(deployed[-1]), inputs)
        part = (step - 1) / settings.steps
        for group in optimiser.param_groups:  # along half a cosine: what flips must settle
            group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * part)) / 2
        batch = torch.randperm(len(inputs), generator=generator)[: settings.batch_size]
        parameters = packing.unpack(toward_grid(rows, packing, limits.grid, 1.0))
        loss = objective(
            parameters, inputs[batch], [o[batch] for o in offsets], labels[batch], flow, margin
        )
        if not bool(torch.isfinite(loss)):
            raise InputError(
                f"Refinement diverged at step {step} (the objective is not a number); lower "
                "refine.learning_rate."
            )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            rows.copy_(confine(rows, packing, limits))
        if step % settings.refresh_every == 0 or step == settings.steps:
            found = on_grid(rows.detach(), packing, limits.grid)
            deployed.append(found)
            now = score(twin, packing.unpack(found), data.validation, classes, flow, margin)
            row = {"step": step, "train_objective": float(loss.detach()), "margin_units": margin}
            history.append(row | asdict(now))
        if on_progress is not None:
            wrong = history[-1]["states_differing"]
            on_progress(step, settings.steps, f"{wrong} states differ on validation")
    able = [k for k, row in enumerate(history) if row["accuracy"] >= least]
    best = min(able, key=lambda k: (history[k]["states_differing"], history[k]["objective"]))
    return deployed[best], history, int(history[best]["step"])


def _write(
    run: Run,
    source: Run,
    model: Model,
    flow: Flow,
    data: TaskData,
    packing: Packing,
    twin: TwinModel,
    rows: tuple[Tensor, Tensor],
    history: list[dict[str, Any]],
    kept: int,
    began: float,
) -> None:
    before, after = (packing.unpack(row) for row in rows)
    network = FirstQuadrantNetwork(*model.network.shape)
    network.load_state_dict(after)
    save_model(run, Model(network, model.class_names, flow.training.decision, model.weight_grid))
    save_test_split(run, data.test)
    shutil.copyfile(source.history_file, run.history_file)
    if source.control_file.is_file():
        shutil.copyfile(source.control_file, run.control_file)
    with atomic_path(run.path / "refine.parquet") as path:
        pd.DataFrame(history).to_parquet(path, index=False)
    classes, rule = len(data.class_names), flow.training.decision
    predictions = predictions_of(after, data.test, rule)
    scores: dict[str, Score] = {
        name: score(twin, parameters, data.test, classes, flow)
        for name, parameters in (("before", before), ("after", after))
    }
    metrics = read_json(source.metrics_file, "the metrics of a run")
    metrics |= {
        "splits": {
            name: split_scores(after, split, classes, flow.training)
            for name, split in data.splits().items()
        },
        "confusion": confusion(predictions, data.test.labels, classes),
        "margin": margins(after, data.test, rule),
        "refined": {
            "source": source.path.name,
            "step": kept,
            "steps": flow.refine.steps,
            "test": {name: asdict(value) for name, value in scores.items()},
        },
        "wall_s": time.monotonic() - began,
    }
    write_json(run.metrics_file, metrics)
