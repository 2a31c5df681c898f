"""Raised states: the same function, exactly, as far as the weights allow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.mapping.rescale import raise_states
from codesign.rules import LAST_FRAME
from codesign.twin.ideal import ideal_twin
from tests.designs import SMALL, random_parameters

INPUTS = np.random.default_rng(1).uniform(0, 4, (4, 5, SMALL.inputs))
FLOOR = 0.056


@given(
    seed=st.integers(0, 200),
    grid=st.sampled_from([8, None]),
    needed=st.dictionaries(
        st.sampled_from(["h0_0", "h0_1", "h1_0", "h1_1"]), st.floats(0.1, 4.0), min_size=1
    ),
)
def test_the_function_stays_the_same(seed: int, grid: int | None, needed: dict[str, float]) -> None:
    parameters = random_parameters(SMALL, seed)
    changed, raised = raise_states(parameters, needed, grid, FLOOR, 5.0)
    before, after = (ideal_twin(p, INPUTS, LAST_FRAME) for p in (parameters, changed))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other.logits, one.logits, atol=1e-12)
        np.testing.assert_allclose(other.candidates, one.candidates, atol=1e-12)
    for item in raised:
        layer, unit = (int(part) for part in item.node[1:].split("_"))
        alpha = changed[f"layers.{layer}.cell.alpha"][unit]
        assert item.factor > 1
        assert alpha == pytest.approx(item.alpha_units)
        assert alpha <= 5.0 + 1e-9
        assert item.enough == (alpha >= needed[item.node] * (1 - 1e-6))
        column = np.abs(changed[f"layers.{layer}.output.weight"][:, unit])
        if grid:
            assert column * grid == pytest.approx(np.round(column * grid))
        else:
            assert column[column > 0].min() >= FLOOR * (1 - 1e-9)


def test_on_the_grid_a_factor_divides_every_weight() -> None:
    parameters = random_parameters(SMALL, 0)
    parameters["layers.1.cell.alpha"][0] = 0.05
    parameters["layers.1.output.weight"][:, 0] = [0.75, -1.5]
    _, (item,) = raise_states(parameters, {"h1_0": 0.08}, 8, FLOOR, 5.0)
    assert (item.factor, item.enough) == (2.0, True)
    _, (item,) = raise_states(parameters, {"h1_0": 2.0}, 8, FLOOR, 5.0)
    assert (item.factor, item.enough) == (6.0, False)
    parameters["layers.1.output.weight"][:, 0] = [0.375, 0.5]
    assert raise_states(parameters, {"h1_0": 0.08}, 8, FLOOR, 5.0)[1] == []


def test_continuous_weights_take_any_factor_down_to_the_floor() -> None:
    parameters = random_parameters(SMALL, 0)
    parameters["layers.0.cell.alpha"][1] = 0.05
    parameters["layers.0.output.weight"][:, 1] = [0.125, 0.625]
    _, (item,) = raise_states(parameters, {"h0_1": 0.09}, None, FLOOR, 5.0)
    assert item.factor == pytest.approx(1.8)
    assert item.enough
    _, (item,) = raise_states(parameters, {"h0_1": 0.5}, None, FLOOR, 5.0)
    assert item.factor == pytest.approx(0.125 / FLOOR)
    assert not item.enough


def test_what_is_large_enough_or_read_by_nothing_stays() -> None:
    parameters = random_parameters(SMALL, 0)
    parameters["layers.0.output.weight"][:, 0] = 0.0
    changed, raised = raise_states(parameters, {"h0_0": 4.0, "h1_1": 0.1}, None, FLOOR, 5.0)
    assert raised == []
    for name, value in parameters.items():
        np.testing.assert_array_equal(changed[name], value)
