"""One group of starts, advanced together as rows of one matrix.

A group is the unit of parallel work and of resumption: its result depends on the flow, the
data and its own index only, never on how many workers run beside it, and everything it needs
to continue is in one safetensors file.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from codesign.cells import Cell
from codesign.flows import Flow, TrainingSection
from codesign.tasks.base import Split, TaskData
from codesign.training.choice import Kind, cell_of, network_of, network_shape, settings_of
from codesign.training.disturbance import Disturbance, disturbance_of, selection_parameters
from codesign.training.hardware_limits import Limits, confine, on_grid, toward_grid
from codesign.training.initial import initial_row
from codesign.training.objective import objective
from codesign.training.packing import Packing, packing_of
from codesign.training.reading import read_network
from codesign.training.schedule import Moment, moment
from codesign.training.scores import balanced_accuracy, plain_accuracy, validate

_STREAM: dict[Kind, int] = {"network": 0, "memoryless": 1}
_BETA_1, _BETA_2, _ADAM_EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class GroupSpec:
    """Which starts: their kind and their numbers within the flow."""

    kind: Kind
    starts: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.starts[0]:03d}"


@dataclass
class GroupState:
    """All that changes while a group trains; see group_file for how it is kept.

    rows, moments: parameters and Adam's two moments, [S, P]. best_*: per start, the checkpoint
    chosen so far (rows [S, P], balanced accuracy and objective on validation [S], step [S], -1
    before the first). idle: validations since progress [S].
    """

    step: int
    rows: Tensor
    first_moment: Tensor
    second_moment: Tensor
    best_rows: Tensor
    best_accuracy: Tensor
    best_objective: Tensor
    best_step: Tensor
    idle: Tensor
    generator: Tensor
    history: list[dict[str, Any]] = field(default_factory=list)
    wall_s: float = 0.0


@dataclass(frozen=True)
class _Setting:
    """What stays the same while a group trains."""

    flow: Flow
    training: TrainingSection
    packing: Packing
    limits: Limits
    disturbance: Disturbance
    cell: Cell
    train: Split
    validation: Split
    classes: int


def start_seed(flow: Flow, kind: Kind, start: int) -> int:
    """The seed of one start, from the flow's seed, the kind and the start's number."""
    sequence = np.random.SeedSequence([flow.seed, _STREAM[kind], start])
    return int(sequence.generate_state(1)[0])


def new_state(spec: GroupSpec, flow: Flow, data: TaskData) -> GroupState:
    """A group before its first step."""
    shape, cell = network_shape(flow, data), cell_of(flow, spec.kind)
    sample = data.train.sample()
    rows = torch.stack(
        [
            initial_row(
                shape,
                sample,
                flow.training,
                torch.Generator().manual_seed(start_seed(flow, spec.kind, start)),
                cell,
            )
            for start in spec.starts
        ]
    )
    # Mixed with a number no start has: the group's own draws differ from every start's.
    shared = np.random.SeedSequence([flow.seed, _STREAM[spec.kind], spec.starts[0], 1 << 20])
    generator = torch.Generator().manual_seed(int(shared.generate_state(1)[0]))
    packing = packing_of(network_of(flow, data))
    rows = confine(rows, packing, Limits.of(flow)).to(flow.training.device)
    starts = len(spec.starts)
    return GroupState(
        step=0,
        rows=rows,
        first_moment=torch.zeros_like(rows),
        second_moment=torch.zeros_like(rows),
        best_rows=torch.zeros_like(rows),
        best_accuracy=torch.full((starts,), -1.0, dtype=torch.float64),
        best_objective=torch.full((starts,), float("inf"), dtype=torch.float64),
        best_step=torch.full((starts,), -1, dtype=torch.int64),
        idle=torch.zeros(starts, dtype=torch.int64),
        generator=generator.get_state(),
    )


def train_group(
    spec: GroupSpec,
    flow: Flow,
    data: TaskData,
    state: GroupState,
    on_validation: Callable[[GroupState], None],
) -> GroupState:
    """Advance a group from its state to the end, calling back after every validation.

    A validation happens every ``evaluate_every`` steps and after the last one. The checkpoint
    of a start is its best validation among those at eps = 0 and on the grid: balanced accuracy
    by the deployed decision first, then the objective.
    """
    device = torch.device(flow.training.device)
    setting = _Setting(
        flow=flow,
        training=settings_of(flow, spec.kind),
        packing=packing_of(network_of(flow, data)),
        limits=Limits.of(flow),
        disturbance=disturbance_of(flow),
        cell=cell_of(flow, spec.kind),
        train=data.train.to(device),
        validation=data.validation.to(device),
        classes=len(data.class_names),
    )
    generator = torch.Generator()
    generator.set_state(state.generator)
    began = time.monotonic() - state.wall_s
    training = setting.training
    while state.step < training.steps and not _finished(state, training):
        now = moment(state.step, training)
        loss = _advance(state, setting, now, generator)
        state.step += 1
        if state.step % training.evaluate_every == 0 or state.step == training.steps:
            _validate(spec, state, setting, now, loss)
            state.generator = generator.get_state()
            state.wall_s = time.monotonic() - began
            on_validation(state)
    return state


def _advance(
    state: GroupState, setting: _Setting, now: Moment, generator: torch.Generator
) -> Tensor:
    """One optimiser step; the cross-entropy [S] before it. All draws are made on the CPU, so
    that they do not depend on the device."""
    training, packing = setting.training, setting.packing
    device = state.rows.device
    rows = state.rows.clone().requires_grad_()
    size = min(training.batch_size, len(setting.train))
    batch = torch.randperm(len(setting.train), generator=generator)[:size].to(device)
    programmed = toward_grid(rows, packing, setting.limits.grid, now.grid_strength)
    parameters = setting.disturbance.parameters(programmed, packing, generator)
    shape = (len(rows), setting.flow.network.layers, setting.flow.network.state_dim)
    stray = torch.rand(shape, generator=generator).to(device) * training.leak_current_units
    inputs, labels = setting.train.batch(batch)
    reading = read_network(
        parameters,
        inputs,
        setting.cell,
        training,
        now.leak,
        stray if setting.cell.first_quadrant else None,
    )
    total, entropy = objective(reading, parameters, labels, training, now.margin_strength)
    (gradient,) = torch.autograd.grad(total.sum(), rows)
    _adam(state, gradient, now.learning_rate)
    state.rows = confine(state.rows, packing, setting.limits)
    return entropy.detach()


def _adam(state: GroupState, gradient: Tensor, rate: float) -> None:
    """Adam (Kingma and Ba, arXiv:1412.6980), algorithm 1, for all rows at once."""
    count = state.step + 1
    state.first_moment = torch.lerp(gradient, state.first_moment, _BETA_1)
    state.second_moment = torch.lerp(gradient.square(), state.second_moment, _BETA_2)
    mean = state.first_moment / (1 - _BETA_1**count)
    spread = (state.second_moment / (1 - _BETA_2**count)).sqrt()
    state.rows = state.rows - rate * mean / (spread + _ADAM_EPSILON)


def _validate(
    spec: GroupSpec, state: GroupState, setting: _Setting, now: Moment, loss: Tensor
) -> None:
    rows = state.rows
    if now.deployed:
        rows = on_grid(rows, setting.packing, setting.limits.grid)
    parameters = setting.packing.unpack(rows)
    predictions, total, entropy = validate(
        parameters, setting.validation, setting.cell, setting.training
    )
    labels = setting.validation.labels
    accuracy = balanced_accuracy(predictions, labels, setting.classes).cpu()
    plain = plain_accuracy(predictions, labels)
    for index, start in enumerate(spec.starts):
        state.history.append(
            {
                "start": start,
                "seed": start_seed(setting.flow, spec.kind, start),
                "step": state.step,
                "eps": now.leak,
                "train_loss": float(loss[index]),
                "validation_loss": float(entropy[index]),
                "validation_accuracy": float(plain[index]),
                "validation_balanced_accuracy": float(accuracy[index]),
                "on_grid": now.deployed,
                "model": spec.kind,
            }
        )
    if now.deployed:
        if setting.training.selection_draws:
            accuracy, total = _on_drawn_chips(rows, setting)
        _keep_best(state, rows, accuracy, total.double().cpu(), setting.training.patience)


def _on_drawn_chips(rows: Tensor, setting: _Setting) -> tuple[Tensor, Tensor]:
    """Balanced accuracy and objective [S] on validation, means over drawn chips."""
    drawn = selection_parameters(rows, setting.packing, setting.flow, setting.disturbance)
    accuracies, totals = [], []
    for draw in range(setting.training.selection_draws):  # one by one, for the memory
        parameters = {name: value[draw] for name, value in drawn.items()}
        predictions, total, _ = validate(
            parameters, setting.validation, setting.cell, setting.training
        )
        labels = setting.validation.labels
        accuracies.append(balanced_accuracy(predictions, labels, setting.classes))
        totals.append(total)
    return torch.stack(accuracies).mean(0).cpu(), torch.stack(totals).mean(0)


def _keep_best(
    state: GroupState, rows: Tensor, accuracy: Tensor, total: Tensor, patience: int
) -> None:
    better = (accuracy > state.best_accuracy) | (
        (accuracy == state.best_accuracy) & (total < state.best_objective)
    )
    better &= torch.isfinite(total)
    if patience:  # a start that has stopped keeps the checkpoint it had
        better &= state.idle < patience
    state.best_accuracy = torch.where(better, accuracy, state.best_accuracy)
    state.best_objective = torch.where(better, total, state.best_objective)
    state.best_step = torch.where(better, torch.tensor(state.step), state.best_step)
    state.best_rows = torch.where(better.to(rows.device)[:, None], rows, state.best_rows)
    state.idle = torch.where(better, 0, state.idle + 1)


def _finished(state: GroupState, training: TrainingSection) -> bool:
    return training.patience > 0 and bool((state.idle >= training.patience).all())
