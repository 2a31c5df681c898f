"""Intervals of means of proportions and of paired differences, against simulation."""

import numpy as np
import pytest

from codesign.analysis.intervals import mean_proportion, paired_difference, wilson


def test_one_class_is_wilson() -> None:
    assert mean_proportion([37], [40]) == pytest.approx(wilson(37, 40))
    assert mean_proportion([37, 0], [40, 0]) == pytest.approx(wilson(37, 40))
    assert mean_proportion([], []) is None
    assert mean_proportion([0], [0]) is None


def test_the_interval_of_a_mean_covers_it() -> None:
    # Unequal classes, one of them small and good: what a keyword test split looks like.
    draw = np.random.default_rng(1)
    trials, truth = [400, 40], [0.9, 0.95]
    hits = draw.binomial(trials, truth, size=(1500, 2))
    found = np.array([mean_proportion(row.tolist(), trials) for row in hits])
    covered = ((found[:, 0] <= np.mean(truth)) & (np.mean(truth) <= found[:, 1])).mean()
    assert 0.93 < covered < 0.98
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_a_perfect_score_still_has_a_width() -> None:
    low, high = mean_proportion([20, 20], [20, 20]) or (0, 0)
    assert high == 1
    assert 0.8 < low < 0.97


def test_the_paired_interval_covers_the_difference() -> None:
    # Both right, the first alone, the second alone, neither: per class.
    outcomes = {200: [0.7, 0.2, 0.05, 0.05], 60: [0.6, 0.1, 0.1, 0.2]}
    truth = np.mean([share[1] - share[2] for share in outcomes.values()])
    draw = np.random.default_rng(2)
    drawn = [draw.multinomial(n, share, size=1500) for n, share in outcomes.items()]
    covered: int = 0
    for rows in zip(*drawn, strict=True):
        gained, lost = [int(row[1]) for row in rows], [int(row[2]) for row in rows]
        low, high = paired_difference(gained, lost, list(outcomes)) or (0, 0)
        covered += int(low <= truth <= high)
    assert 0.93 < covered / 1500 < 0.98


def test_equal_decisions_differ_by_nothing_within_a_width() -> None:
    low, high = paired_difference([0, 0], [0, 0], [50, 50]) or (1, 1)
    assert low < 0 < high
    assert high == pytest.approx(-low)
    assert paired_difference([0], [0], [0]) is None
