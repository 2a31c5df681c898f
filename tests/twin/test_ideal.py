"""The ideal twin against the equations written as a plain loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from codesign.rules import LAST_FRAME
from codesign.twin.ideal import ideal_twin
from tests.designs import SMALL, random_parameters


def _relu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(x > 0, x, 0.0)


@given(seed=st.integers(0, 500))
def test_twin_is_the_equations(seed: int) -> None:
    parameters = random_parameters(SMALL, seed)
    inputs = np.random.default_rng(seed).uniform(0, 2, (2, 6, SMALL.inputs))
    traces = ideal_twin(parameters, inputs, LAST_FRAME)
    for clip, trace in zip(inputs, traces, strict=True):
        state = np.zeros((SMALL.layers, SMALL.state_dim))
        for frame, u in enumerate(clip):
            x = _relu(parameters["projection.weight"] @ u + parameters["projection.bias"])
            for layer in range(SMALL.layers):
                p = {
                    key.removeprefix(f"layers.{layer}."): value
                    for key, value in parameters.items()
                    if key.startswith(f"layers.{layer}.")
                }
                c = _relu(p["candidate.weight"] @ x + p["candidate.bias"])
                hi, lo = p["cell.beta_hi"], p["cell.beta_hi"] - p["cell.width"]
                state[layer] = np.where(
                    c > hi, p["cell.alpha"], np.where(c > lo, state[layer], 0.0)
                )
                np.testing.assert_allclose(trace.candidates[layer, :, frame], c, atol=1e-12)
                np.testing.assert_allclose(trace.states[layer, :, frame], state[layer])
                x = x + _relu(p["output.weight"] @ state[layer] + p["output.bias"])
            y = parameters["readout.weight"] @ x + parameters["readout.bias"]
            np.testing.assert_allclose(trace.logits[frame], y, atol=1e-12)
        last = trace.logits[-1]
        assert trace.decision == last.argmax()
        assert np.isclose(trace.margin_units, np.sort(last)[-1] - np.sort(last)[-2])
