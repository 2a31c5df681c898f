"""Gain, offset and residual from sums are those of a least-squares fit."""

import numpy as np
import pytest

from codesign.analysis.logits import fit, moments, residual_of_full_scale

DRAW = np.random.default_rng(4)
TWIN = DRAW.uniform(0, 10, (30, 8, 3))
CHIP = TWIN * np.array([0.98, 1.0, 1.02]) + np.array([0.1, 0.0, -0.2])
CHIP = CHIP + DRAW.normal(0, 0.05, TWIN.shape)
KEPT = DRAW.random((30, 8)) < 0.8
FULL = float(TWIN.max())


def test_the_fit_of_sums_is_least_squares() -> None:
    rows = fit(moments(TWIN, CHIP, KEPT), FULL)
    for k, row in enumerate(rows):
        x, y = TWIN[KEPT][:, k], CHIP[KEPT][:, k]
        gain, offset = np.polyfit(x, y, 1)
        left = float(np.sqrt(np.mean((y - gain * x - offset) ** 2)))
        assert row["count"] == KEPT.sum()
        assert row["gain"] == pytest.approx(gain, abs=1e-5)
        assert row["offset_units"] == pytest.approx(offset, abs=1e-5)
        assert row["residual_rms_units"] == pytest.approx(left, abs=1e-5)
        assert row["error_rms_units"] == pytest.approx(np.sqrt(np.mean((y - x) ** 2)), abs=1e-5)
    assert residual_of_full_scale(rows, FULL) == pytest.approx(0.05 / FULL, rel=0.1)


def test_sums_of_parts_are_sums() -> None:
    parts = moments(TWIN[:11], CHIP[:11], KEPT[:11]) + moments(TWIN[11:], CHIP[11:], KEPT[11:])
    assert fit(parts, FULL) == fit(moments(TWIN, CHIP, KEPT), FULL)


def test_gain_and_offset_alone_leave_no_residual() -> None:
    rows = fit(moments(TWIN, 0.9 * TWIN + 0.3, KEPT), FULL)
    assert residual_of_full_scale(rows, FULL) == pytest.approx(0, abs=1e-5)
    assert [row["gain"] for row in rows] == pytest.approx([0.9] * 3)


def test_a_class_that_never_moves() -> None:
    rows = fit(moments(np.ones((4, 8, 1)), np.full((4, 8, 1), 1.5), KEPT[:4]), 1.0)
    assert (rows[0]["gain"], rows[0]["offset_units"]) == (1.0, 0.5)
    assert rows[0]["residual_rms_units"] == 0.0


def test_nothing_to_fit() -> None:
    rows = fit(moments(TWIN, CHIP, np.zeros_like(KEPT)), FULL)
    assert rows == []
    assert residual_of_full_scale(rows, FULL) is None
