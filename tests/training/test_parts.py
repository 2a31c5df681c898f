"""Packing, schedule, objective, start and scores, each against a plain calculation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from torch import Tensor

from codesign.cells import FqBmru, fq_bmru
from codesign.flows import TrainingSection
from codesign.network import FirstQuadrantNetwork, Trace, evaluate
from codesign.rules import LAST_FRAME
from codesign.tasks.base import Split
from codesign.training.hardware_limits import on_grid, toward_grid
from codesign.training.initial import initial_row
from codesign.training.objective import objective
from codesign.training.packing import packing_of
from codesign.training.reading import (
    MeanCurrents,
    Reading,
    mirrored_current,
    read_network,
    threshold_penalty,
)
from codesign.training.schedule import moment
from codesign.training.scores import balanced_accuracy, confusion, margins

SHAPE = (3, 4, 2, 3)
NETWORK = FirstQuadrantNetwork(*SHAPE)
PACKING = packing_of(NETWORK)
PLAIN = {"margin_weight": 0.0, "logit_margin_weight": 0.0, "current_weight": 0.0}


def settings(**changes: object) -> TrainingSection:
    return TrainingSection.model_validate({**PLAIN, **changes})


def random_rows(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, sum(PACKING.sizes), generator=generator) * 2 - 0.5


def inputs(clips: int, seed: int, frames: int = 5) -> Tensor:
    return torch.rand(clips, frames, SHAPE[0], generator=torch.Generator().manual_seed(seed))


def test_packing_is_reversible_and_marks_the_grid() -> None:
    named = {name: value.detach() for name, value in NETWORK.named_parameters()}
    row = PACKING.pack(named)
    for name, value in PACKING.unpack(row).items():
        assert torch.equal(value, named[name])
    several = PACKING.unpack(torch.stack([row, 2 * row]))
    assert torch.equal(several["readout.weight"][1], 2 * named["readout.weight"])
    cells = sum(value.numel() for name, value in named.items() if ".cell." in name)
    assert int((~PACKING.gridded).sum()) == cells == 3 * 2 * 4
    at = PACKING.positions("cell.width")
    row[at] = -7.0
    assert all(
        bool((value == -7).all()) == name.endswith("cell.width")
        for name, value in PACKING.unpack(row).items()
    )


@given(st.integers(0, 2**31 - 1), st.sampled_from([8, 16]))
def test_the_grid_moves_weights_and_biases_alone(seed: int, grid: int) -> None:
    rows = random_rows(2, seed)
    deployed = on_grid(rows, PACKING, grid)
    steps = deployed[:, PACKING.gridded] * grid
    assert torch.equal(steps, steps.round())
    assert float((deployed - rows).abs().max()) <= 0.5 / grid + 1e-6
    assert torch.equal(deployed[:, ~PACKING.gridded], rows[:, ~PACKING.gridded])


def test_the_way_to_the_grid_passes_gradients_straight_through() -> None:
    rows = random_rows(1, 0).requires_grad_()
    half = toward_grid(rows, PACKING, 8, 0.5)
    torch.testing.assert_close(half, (rows + on_grid(rows, PACKING, 8)) / 2)
    torch.testing.assert_close(toward_grid(rows, PACKING, 8, 1.0), on_grid(rows, PACKING, 8))
    (gradient,) = torch.autograd.grad((half * 3).sum(), rows)
    assert torch.equal(gradient, torch.full_like(rows, 3.0))


@given(
    steps=st.integers(1, 300),
    leak_fraction=st.floats(0, 0.99),
    grid_fraction=st.floats(0, 0.99),
    grid_ramp=st.floats(0, 0.99),
)
def test_every_schedule_ends_deployed(
    steps: int, leak_fraction: float, grid_fraction: float, grid_ramp: float
) -> None:
    knobs = settings(
        steps=steps,
        leak_fraction=leak_fraction,
        grid_fraction=grid_fraction,
        grid_ramp_fraction=grid_ramp,
    )
    moments = [moment(step, knobs) for step in range(steps)]
    assert moments[-1].deployed
    leaks = [now.leak for now in moments]
    assert leaks == sorted(leaks, reverse=True)
    assert all(0 <= leak <= knobs.leak_start for leak in leaks)
    strengths = [now.grid_strength for now in moments]
    assert strengths == sorted(strengths)
    assert all(0 < now.learning_rate <= knobs.learning_rate for now in moments)


def test_the_schedule_at_named_steps() -> None:
    knobs = settings(
        steps=101, leak_start=0.8, leak_fraction=0.4, grid_fraction=0.5, grid_ramp_fraction=0.2
    )
    assert moment(0, knobs).leak == 0.8
    assert moment(20, knobs).leak == pytest.approx(0.4)
    assert moment(40, knobs).leak == 0
    assert moment(40, knobs).learning_rate == knobs.learning_rate
    assert moment(100, knobs).learning_rate == pytest.approx(0.05 * knobs.learning_rate)
    assert moment(49, knobs).grid_strength == 0
    assert moment(60, knobs).grid_strength == pytest.approx(0.5)
    assert [moment(step, knobs).deployed for step in (69, 71)] == [False, True]


@pytest.mark.parametrize("decision", ["last_frame", "mean_logit"])
def test_the_loss_is_on_the_deployed_decision(decision: str) -> None:
    rows, clips = random_rows(2, 1), inputs(7, 2)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    parameters = PACKING.unpack(rows)
    trace = evaluate(parameters, clips)
    knobs = settings(decision=decision)
    reading = read_network(parameters, clips, FqBmru(), knobs)
    total, entropy = objective(reading, parameters, labels, knobs)
    assert torch.equal(total, entropy)
    for index in range(2):
        logits = trace.logits[index]
        decided = logits[:, -1] if decision == "last_frame" else logits.mean(1)
        expected = torch.nn.functional.cross_entropy(decided, labels)
        torch.testing.assert_close(entropy[index], expected)


def test_the_lead_that_is_missing_is_paid_for() -> None:
    logits = torch.tensor([[[2.0, 0.5, 1.5]], [[0.0, 1.0, 3.0]]])  # leads +0.5 and -2
    knobs = settings(logit_margin_units=1.0, logit_margin_weight=2.0)
    total, entropy = objective(Reading(logits), {}, torch.tensor([0, 1]), knobs)
    torch.testing.assert_close(total - entropy, torch.tensor(2.0 * (0.5 + 3.0) / 2))


def test_the_threshold_penalty_counts_the_threshold_that_decides() -> None:
    parameters = {
        "layers.0.cell.beta_hi": torch.tensor([2.0]),
        "layers.0.cell.width": torch.tensor([1.5]),
        "layers.0.cell.alpha": torch.tensor([0.8]),
    }
    candidates = torch.tensor([0.45, 1.95, 2.1, 1.9, 0.6, 0.45, 0.55]).view(1, 7, 1)
    states = torch.tensor([0.0, 0.0, 0.8, 0.8, 0.8, 0.0, 0.0]).view(1, 7, 1)
    trace = Trace(candidates, [candidates], [states], [candidates], candidates)
    # Off before, so only 2.0 decides: 1.95 and 2.1. On before, so only 0.5 does: 0.6 and 0.45.
    expected = (0.15 + 0.1 + 0.1 + 0.15) / 7
    assert float(threshold_penalty(trace, parameters, 0.2)) == pytest.approx(expected, abs=1e-6)


def test_the_mirrored_current_by_a_plain_loop() -> None:
    rows, clips = random_rows(1, 3), inputs(4, 4)
    parameters = PACKING.unpack(rows[0])
    trace = evaluate(parameters, clips)
    lines = {"layers.0.candidate": trace.projection, "layers.0.output": trace.states[0]}
    lines |= {"layers.1.candidate": trace.outputs[0], "layers.1.output": trace.states[1]}
    lines |= {"readout": trace.outputs[1]}
    expected = sum(
        float(weight) * float(x[..., i].mean())
        for name, x in lines.items()
        for row in parameters[f"{name}.weight"].abs()
        for i, weight in enumerate(row)
    )
    for name, value in parameters.items():
        if name.endswith("bias"):
            expected += float(value.abs().sum())
        elif name.endswith(("cell.beta_hi", "cell.width")):
            expected += float(value.sum())
    assert float(mirrored_current(MeanCurrents.of(trace), parameters)) == pytest.approx(
        expected, rel=1e-5
    )


def test_a_start_meets_its_thresholds_and_depends_on_its_generator_alone() -> None:
    clips = inputs(200, 5)
    knobs = settings(initial_beta_lo_units=0.5, initial_width_units=1.0, initial_spread_units=0.25)
    rows = [
        initial_row(SHAPE, clips, knobs, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])
    parameters = PACKING.unpack(rows[0])
    x = evaluate(parameters, clips).projection
    drive = x @ parameters["layers.0.candidate.weight"].T + parameters["layers.0.candidate.bias"]
    torch.testing.assert_close(drive.mean((0, 1)), torch.ones(4), atol=1e-4, rtol=0)
    spread = drive.flatten(0, 1).std(0)
    # Never above; below only where the limit on weights holds it back.
    assert bool((spread <= 0.25 + 1e-4).all())
    assert float(spread.max()) == pytest.approx(0.25, abs=1e-4)


@given(st.integers(2, 5), st.integers(0, 2**31 - 1))
def test_scores_agree_with_scikit_learn(classes: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, classes, 40)
    predictions = np.where(draw.random(40) < 0.5, labels, draw.integers(0, classes, 40))
    present = set(labels)
    mine = balanced_accuracy(torch.from_numpy(predictions), torch.from_numpy(labels), classes)
    recalls = [np.mean(predictions[labels == k] == k) for k in sorted(present)]
    assert float(mine) == pytest.approx(np.mean(recalls))
    if set(predictions) <= present:
        assert float(mine) == pytest.approx(balanced_accuracy_score(labels, predictions))
    table = confusion(torch.from_numpy(predictions), torch.from_numpy(labels), classes)
    assert table == confusion_matrix(labels, predictions, labels=range(classes)).tolist()


def test_margins_by_hand() -> None:
    """One unit that copies its input; thresholds at 1.0 and 2.0."""
    network = FirstQuadrantNetwork(1, 1, 1, 2)
    packing = packing_of(network)
    parameters = {name: torch.zeros_like(value) for name, value in network.named_parameters()}
    parameters["projection.weight"] += 1
    parameters["layers.0.candidate.weight"] += 1
    parameters["layers.0.cell.beta_hi"] += 2
    parameters["layers.0.cell.width"] += 1
    parameters["layers.0.cell.alpha"] += 1
    parameters["readout.weight"] += torch.tensor([[1.0], [0.0]])
    frames = torch.tensor([[0.0, 1.04, 1.5, 2.02], [2.5, 1.5, 1.06, 0.05]])
    split = Split(frames[..., None], torch.tensor([0, 0]), ("up", "down"))
    found = margins(packing.unpack(packing.pack(parameters)), split, LAST_FRAME)
    assert found["fraction_within_0.05_units"] == 2 / 8  # 1.04 and 2.02
    assert found["near_tie_fraction"] == 1 / 2  # the lead of "down" is 0.05
    assert found["changed_fraction"] == 3 / 8  # set at 2.02; set at 2.5, cleared at 0.05
    assert found["max_node_current_units"] == 2.5
    assert found["max_logit_units"] == 2.5
    assert found["logit_lead_median_units"] == pytest.approx((2.02 + 0.05) / 2)


def test_the_initial_cell_holds() -> None:
    """Most frames lie inside the window, so a new network remembers."""
    clips = inputs(100, 6, frames=8)
    knobs = TrainingSection()
    row = initial_row(SHAPE, clips, knobs, torch.Generator().manual_seed(0))
    parameters = PACKING.unpack(row)
    trace = evaluate(parameters, clips)
    upper = parameters["layers.0.cell.beta_hi"]
    lower = upper - parameters["layers.0.cell.width"]
    inside = (trace.candidates[0] > lower) & (trace.candidates[0] < upper)
    assert float(inside.float().mean()) > 0.6
    again = fq_bmru(trace.candidates[0], upper, upper - lower, torch.ones(4))
    assert math.isclose(float((again - trace.states[0]).abs().max()), 0.0, abs_tol=1e-6)
