"""Every disagreement gets the cause that started it."""

import numpy as np
from numpy.typing import NDArray

from codesign.analysis.causes import AGREES, CAUSES, find_causes, latch

HI, LO = 1.0, 0.5


def _causes(
    twin: list[list[float]], chip: list[list[float]], on: list[list[bool]], got: list[list[bool]]
) -> NDArray[np.object_]:
    """One unit per layer; rows are layers, columns frames."""
    shape = (len(twin), 1, len(twin[0]))
    thresholds = np.full(shape[:2], HI), np.full(shape[:2], LO)
    codes = find_causes(
        np.reshape(twin, shape), np.reshape(chip, shape),
        np.reshape(on, shape), np.reshape(got, shape), *thresholds,
    )[:, 0, :]  # fmt: skip
    assert AGREES == -1
    return np.array([*CAUSES, None], dtype=object)[codes]


def test_the_latch_sets_keeps_and_clears() -> None:
    candidate, was = np.array([1.1, 0.7, 0.7, 0.4]), np.array([False, True, False, True])
    on = latch(candidate, was, np.array(HI), np.array(LO))
    assert on.tolist() == [True, True, False, False]


def test_agreement_has_no_cause() -> None:
    assert _causes([[1.2, 0.7]], [[1.2, 0.7]], [[True, True]], [[True, True]]).tolist() == [
        [None, None]
    ]


def test_a_candidate_near_a_threshold() -> None:
    causes = _causes([[0.99]], [[1.01]], [[False]], [[True]])
    assert causes.tolist() == [["threshold"]]


def test_a_state_that_its_candidate_does_not_explain_is_a_glitch() -> None:
    assert _causes([[0.7]], [[0.7]], [[False]], [[True]]).tolist() == [["glitch"]]


def test_a_candidate_that_is_wrong_itself_is_settling() -> None:
    assert _causes([[1.3]], [[0.8]], [[True]], [[False]]).tolist() == [["settling"]]


def test_what_follows_is_inherited_in_time_and_upwards() -> None:
    causes = _causes(
        twin=[[0.7, 0.7], [1.4, 1.4]],
        chip=[[0.7, 0.7], [0.2, 0.2]],
        on=[[False, False], [True, True]],
        got=[[True, True], [False, False]],
    )
    assert causes.tolist() == [["glitch", "inherited"], ["inherited", "inherited"]]


def test_a_higher_layer_does_not_excuse_a_lower_one() -> None:
    causes = _causes(
        twin=[[0.7, 0.7], [0.7, 0.7]],
        chip=[[0.7, 0.7], [0.7, 0.7]],
        on=[[False, False], [False, False]],
        got=[[False, True], [True, True]],
    )
    assert causes.tolist() == [[None, "glitch"], ["glitch", "inherited"]]


def test_samples_at_once_are_samples_one_by_one() -> None:
    draw = np.random.default_rng(0)
    shape = (6, 2, 3, 20)
    twin, chip = draw.uniform(0, 1.5, shape), draw.uniform(0, 1.5, shape)
    on, got = draw.random(shape) < 0.5, draw.random(shape) < 0.5
    thresholds = draw.uniform(0.9, 1.1, shape[1:3]), draw.uniform(0.4, 0.6, shape[1:3])
    together = find_causes(twin, chip, on, got, *thresholds)
    for k in range(len(twin)):
        alone = find_causes(twin[k], chip[k], on[k], got[k], *thresholds)
        np.testing.assert_array_equal(together[k], alone)
    assert set(np.unique(together)) == {AGREES, *range(len(CAUSES))}
