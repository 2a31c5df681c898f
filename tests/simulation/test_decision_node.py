"""Weights of the decision node against cases that can be solved by hand."""

import numpy as np
import pytest

from codesign.simulation.decision_node import (
    DecisionNode,
    bandwidth_hz,
    hann,
    weighed_variance,
)
from codesign.simulation.jitter_trials import fit_normal

WINDOW_S = 3e-3
CHARGE_F = 1e-13
VOLTS = np.linspace(0, 1, 401)


def _node(looking_a: np.ndarray, candidate_a: float = 1e-9) -> DecisionNode:
    # Held: falls below 0.6 V, rises above it.
    holding = np.where(
        VOLTS < 0.05, 0.05 - VOLTS, np.where(VOLTS < 0.95, VOLTS - 0.6, 0.95 - VOLTS)
    )
    return DecisionNode(
        VOLTS, looking_a, holding * 1e-9, np.full(VOLTS.shape, CHARGE_F), candidate_a
    )


def test_a_node_that_only_integrates_weighs_all_of_its_window_alike() -> None:
    times, weight, marginal_a = _node(np.full(VOLTS.shape, -1e-12)).weight(WINDOW_S, False)
    np.testing.assert_allclose(weight, 1 / WINDOW_S, rtol=1e-6)
    assert bandwidth_hz(times, weight) == pytest.approx(0.5 / WINDOW_S, rel=1e-6)
    # From 0.05 V to 0.6 V in the window.
    needed_a = CHARGE_F * 0.55 / WINDOW_S
    assert marginal_a - 1e-9 == pytest.approx(1e-12 + needed_a, rel=0.01)


def test_a_fold_weighs_as_a_hann_window() -> None:
    """C dV/dt = a (V - V*)^2 + I, entered far below V* and left far above."""
    curve = 1e-8 * (VOLTS - 0.35) ** 2 - 1e-12
    times, weight, _ = _node(curve).weight(WINDOW_S, False)
    assert bandwidth_hz(times, weight) == pytest.approx(0.75 / WINDOW_S, rel=0.15)
    assert np.trapezoid(weight, times) == pytest.approx(1)
    middle = times[np.argmax(weight)] / WINDOW_S
    assert 0.3 < middle < 0.7


def test_white_noise_has_the_bandwidth_of_its_weight() -> None:
    times, weight = hann(WINDOW_S)
    f, flat = np.geomspace(0.1, 1e5, 30), np.full(30, 2e-27)
    variance = weighed_variance(f, flat, times, weight, 0.1)
    assert variance == pytest.approx(2e-27 * 0.75 / WINDOW_S, rel=0.02)
    flicker = weighed_variance(f, 1e-26 / f, times, weight, 1.0)
    more = weighed_variance(f, 1e-26 / f, times, weight, 0.01)
    # Two decades of 1/f below the band's lower end.
    assert more - flicker == pytest.approx(1e-26 * np.log(100), rel=0.05)


def test_the_spread_of_trials_is_found_with_its_interval() -> None:
    draw = np.random.default_rng(4)
    x = np.linspace(-2.5, 2.5, 400)
    up = x > 0.3 + 0.8 * draw.standard_normal(400)
    mean, sigma, low, high = fit_normal(x, up)
    assert mean == pytest.approx(0.3, abs=0.2)
    assert low < 0.8 < high
    assert low < sigma < high
    assert high / low < 2


def test_no_marginal_candidate_is_an_error() -> None:
    with pytest.raises(ValueError, match="marginal"):
        _node(np.full(VOLTS.shape, -1e-9)).weight(WINDOW_S, False)
