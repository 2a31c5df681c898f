"""Ratios of made-up currents: what the definition says, floors, flips and margins."""

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.causes import Limits
from codesign.analysis.suppression import (
    RESOLVED_UNITS,
    Currents,
    by_margin,
    by_sigma,
    suppression_figures,
    suppression_pairs,
)

CLIPS, LAYERS, UNITS, FRAMES = 5, 2, 3, 40
_ONES = np.ones((LAYERS, UNITS))
LIMITS = Limits.of(_ONES, 0.5 * _ONES, 0.8 * _ONES)


def currents() -> Currents:
    """Cells far above their threshold, on from the first frame."""
    shape = (CLIPS, LAYERS, UNITS, FRAMES)
    return Currents(np.full(shape, 1.5), np.full(shape, 0.8))


def disturbed(sigma: float, let_through: float, seed: int = 0) -> Currents:
    still = currents()
    noise = np.random.default_rng(seed).normal(0, sigma, still.candidates.shape)
    return Currents(still.candidates + noise, still.states + let_through * noise)


def test_the_ratio_is_rms_in_over_rms_out() -> None:
    pairs = suppression_pairs(LIMITS, currents(), disturbed(0.05, 0.02), 0.05)
    assert len(pairs) == CLIPS * LAYERS * UNITS
    assert pairs["ratio"].to_numpy() == pytest.approx(50)
    assert pairs["candidate_rms_units"].mean() == pytest.approx(0.05, rel=0.05)
    assert not pairs["frames_flipped"].any()
    # The first frame sets the cell, the others keep it: the margin is the nearer of both.
    assert pairs["margin_units"].to_numpy() == pytest.approx(0.5)


def test_what_no_simulator_resolves_is_a_bound() -> None:
    pairs = suppression_pairs(LIMITS, currents(), disturbed(0.05, 0.0), 0.05)
    assert pairs["ratio"].to_numpy() == pytest.approx(pairs["candidate_rms_units"] / RESOLVED_UNITS)


def test_a_flip_makes_the_ratio_small() -> None:
    noisy = disturbed(0.05, 0.001)
    noisy.states[2, 1, 0, 7:9] = 0.0
    pairs = suppression_pairs(LIMITS, currents(), noisy, 0.05)
    row = pairs[(pairs["clip"] == 2) & (pairs["layer"] == 1) & (pairs["unit"] == 0)].iloc[0]
    assert row["frames_flipped"] == 2
    assert row["ratio"] == pytest.approx(0.05 / (0.8 * np.sqrt(2 / FRAMES)), rel=0.3)
    summed = by_sigma(pairs)[0]
    assert summed["pairs_flipped"] == pytest.approx(1 / len(pairs))
    assert summed["states_flipped"] == pytest.approx(2 / (len(pairs) * FRAMES))
    assert summed["ratio_median"] == pytest.approx(0.05 / RESOLVED_UNITS, rel=0.1)
    # Together, the one flip is nearly all there is.
    assert summed["ratio_pooled"] == pytest.approx(
        0.05 / (0.8 * np.sqrt(2 / FRAMES / len(pairs))), rel=0.2
    )


def test_cells_that_nothing_reaches_are_counted_apart() -> None:
    noisy = disturbed(0.05, 0.01)
    noisy.candidates[:, 0, 1] = currents().candidates[:, 0, 1]
    (row,) = by_sigma(suppression_pairs(LIMITS, currents(), noisy, 0.05))
    assert (row["pairs"], row["pairs_not_reached"]) == (CLIPS * 5, CLIPS)


def test_figures_are_of_the_largest_sigma_that_holds() -> None:
    def of(*ratios: tuple[float, float]) -> dict[str, object]:
        parts = [
            suppression_pairs(LIMITS, currents(), disturbed(sigma, 1 / ratio), sigma)
            for sigma, ratio in ratios
        ]
        return suppression_figures(pd.concat(parts))

    figures = of((0.02, 60.0), (0.1, 25.0), (0.3, 4.0))
    assert figures["suppression_sigma_units"] == 0.1
    assert figures["suppression_ratio_median"] == pytest.approx(25)
    assert figures["suppression_clips"] == CLIPS
    none = of((0.02, 9.0), (0.1, 5.0))
    assert none["suppression_sigma_units"] == 0.02
    assert none["suppression_ratio_median"] == pytest.approx(9)


def test_ratios_by_margin() -> None:
    still, noisy = currents(), disturbed(0.05, 0.001)
    still.candidates[:, :, 0] = noisy.candidates[:, :, 0] = 1.02
    noisy.candidates[:, :, 0] += 0.05
    noisy.states[:, :, 0, ::2] = 0.0
    table = by_margin(suppression_pairs(LIMITS, still, noisy, 0.05))
    near, far = table.iloc[0], table.iloc[-1]
    assert (near["margin_from_units"], near["margin_to_units"]) == (0.0, 0.05)
    assert near["pairs_flipped"] == 1.0
    assert near["ratio_median"] < 0.1
    assert far["margin_from_units"] == 0.4
    assert far["pairs_flipped"] == 0.0
    assert far["ratio_median"] == pytest.approx(0.05 / RESOLVED_UNITS, rel=0.1)
