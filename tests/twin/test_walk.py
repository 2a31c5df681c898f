"""The circuit walked with perfect copies is the equations; with deviations it moves as they say."""

from typing import Any

import numpy as np
import pytest
import torch

from codesign.rules import LAST_FRAME
from codesign.simulation.draws import Draws
from codesign.twin.cellcurve import cell_shapes
from codesign.twin.ideal import ideal_twin
from codesign.twin.twins import TwinModel
from tests.designs import SMALL, random_parameters
from tests.twin.paper import ideal_transfer


def _model(name: Any = "calibrated") -> TwinModel:
    transfer = ideal_transfer("async")
    return TwinModel(name, SMALL, transfer, cell_shapes(transfer))


def _inputs(frames: int = 5) -> np.ndarray:
    return np.random.default_rng(3).uniform(0, 2, (4, frames, SMALL.inputs))


# A line that is off still carries this by the law of tests.engine.law, in units.
OFF = 2.5e-4


@pytest.mark.parametrize("seed", range(6))
def test_settled_with_perfect_copies_is_the_equations(seed: int) -> None:
    parameters = random_parameters(SMALL, seed)
    found = _model().run(parameters, _inputs())
    ideal = ideal_twin(parameters, _inputs(), LAST_FRAME)
    for k, trace in enumerate(ideal):
        np.testing.assert_allclose(found.candidates[k], trace.candidates, atol=8 * OFF)
        np.testing.assert_allclose(found.states[k], trace.states, atol=2 * OFF)
        np.testing.assert_allclose(found.logits[k], trace.logits, atol=20 * OFF)
    assert [t.decision for t in found.traces(LAST_FRAME)] == [t.decision for t in ideal]


def test_constant_inputs_in_time_reach_the_equations() -> None:
    """Without anything that changes, the sub-stepped twin ends where the settled one is."""
    parameters = random_parameters(SMALL, 1)
    inputs = np.repeat(_inputs(1), 3, axis=1)
    settled, in_time = (
        _model(name).run(parameters, inputs) for name in ("calibrated", "substepped")
    )
    same = np.abs(settled.states - in_time.states) < 0.05
    assert same[..., -1].all()
    np.testing.assert_allclose(settled.candidates[..., -1], in_time.candidates[..., -1], atol=0.02)


def test_a_device_that_carries_more_raises_its_copy_alone() -> None:
    parameters = random_parameters(SMALL, 0)
    weight = parameters["projection.weight"]
    row, column = np.argwhere(weight > 0)[0]
    names = (f"xprojection.mweight_{row}_{column}", "xinput_0.mline")
    gain = np.array([[1.0, 1.0], [1.02, 1.0]])
    draws = Draws(names, np.zeros((2, 2)), gain)
    model = _model()
    inputs = _inputs()
    chips = model.run(parameters, inputs, draws)
    nominal = model.run(parameters, inputs)
    np.testing.assert_allclose(chips.candidates[0], nominal.candidates, atol=1e-9)
    changed = {**parameters, "projection.weight": weight.copy()}
    changed["projection.weight"][row, column] *= 1.02**model.transfer.p.mobility
    expected = model.run(changed, inputs)
    np.testing.assert_allclose(chips.candidates[1], expected.candidates, atol=1e-9)
    np.testing.assert_allclose(chips.logits[1], expected.logits, atol=1e-9)
    assert np.abs(chips.candidates[1] - chips.candidates[0]).max() > 1e-3


@pytest.mark.parametrize("name", ["calibrated", "substepped"])
def test_gradient_of_a_candidate_is_its_slope(name: str) -> None:
    """Before the first cell everything is smooth: autograd against a finite difference."""
    values = random_parameters(SMALL, 1)
    inputs = torch.from_numpy(_inputs(2)[:2])
    row, column = np.argwhere(values["projection.weight"] > 0)[0]

    def total(change: float) -> tuple[torch.Tensor, torch.Tensor]:
        tensors = {key: torch.tensor(value) for key, value in values.items()}
        tensors["projection.weight"][row, column] += change
        tensors["projection.weight"].requires_grad_()
        walked = _model(name).evaluate(tensors, inputs)
        return walked.candidates[0].sum(), tensors["projection.weight"]

    found, weight = total(0.0)
    (gradient,) = torch.autograd.grad(found, weight)
    step = 1e-4
    slope = (total(step)[0] - total(-step)[0]) / (2 * step)
    assert float(slope.detach()) != 0
    torch.testing.assert_close(gradient[row, column], slope.detach(), rtol=0.03, atol=1e-3)
