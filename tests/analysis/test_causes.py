"""Every disagreement has one root, and every root the cause that its samples show."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from codesign.analysis.causes import (
    AGREES,
    CANDIDATE_SPREAD_UNITS,
    CAUSES,
    Causes,
    Limits,
    find_causes,
    latch,
)

HI, LO, ALPHA = 1.0, 0.5, 0.8
Floats = NDArray[np.float64]
Rows = list[list[float]]


def limits(layers: int = 1, units: int = 1) -> Limits:
    shape = (layers, units)
    return Limits.of(np.full(shape, HI), np.full(shape, LO), np.full(shape, ALPHA))


def found(twin: Rows, chip: Rows, on: Rows, got: Rows) -> Causes:
    """One unit per layer; rows are layers, columns frames; states in parts of alpha."""
    shape = (1, len(twin), 1, len(twin[0]))
    return find_causes(
        limits(len(twin)), np.reshape(twin, shape), np.reshape(chip, shape),
        ALPHA * np.reshape(on, shape), ALPHA * np.reshape(got, shape),
    )  # fmt: skip


def names(causes: Causes) -> list[list[str | None]]:
    table = np.array([*CAUSES, None], dtype=object)[causes.code[0, :, 0]]
    return [list(row) for row in table]


def test_the_latch_sets_keeps_and_clears() -> None:
    candidate, was = np.array([1.1, 0.7, 0.7, 0.4]), np.array([False, True, False, True])
    on = latch(candidate, was, np.array(HI), np.array(LO))
    assert on.tolist() == [True, True, False, False]


def test_agreement_has_no_cause_and_no_root() -> None:
    causes = found([[1.2, 0.7]], [[1.2, 0.7]], [[1, 1]], [[1, 1]])
    assert names(causes) == [[None, None]]
    assert (causes.root == -1).all()


def test_a_candidate_within_the_spread_of_the_threshold_that_decided() -> None:
    assert names(found([[0.99]], [[1.01]], [[0]], [[1]])) == [["threshold"]]
    # An off cell looks at beta_hi: being near beta_lo explains nothing.
    assert names(found([[0.51]], [[0.51]], [[0]], [[1]])) == [["glitch"]]
    # The same candidate decides for a cell that is on.
    causes = found([[1.2, 0.51]], [[1.2, 0.49]], [[1, 1]], [[1, 0]])
    assert names(causes) == [[None, "threshold"]]


def test_a_state_that_its_candidate_does_not_explain_is_a_glitch() -> None:
    assert names(found([[0.7]], [[0.7]], [[0]], [[1]])) == [["glitch"]]


def test_a_candidate_that_is_wrong_itself_is_settling() -> None:
    assert names(found([[1.3]], [[0.8]], [[1]], [[0]])) == [["settling"]]


def test_a_line_that_is_on_its_way_is_settling() -> None:
    """The cell has decided as the twin; its output has not arrived."""
    assert names(found([[1.3]], [[1.3]], [[1]], [[0.4]])) == [["settling"]]
    assert names(found([[1.3, 0.1]], [[1.3, 0.1]], [[1, 0]], [[1, 0.7]])) == [[None, "settling"]]
    # One that has not moved at all is another matter.
    assert names(found([[1.3]], [[1.3]], [[1]], [[0.001]])) == [["glitch"]]


def test_a_cell_whose_numbers_are_not_the_networks_is_out_of_range() -> None:
    unsound = replace(limits(), unsound=np.array([[True]]))
    one = np.ones((1, 1, 1, 1))
    causes = find_causes(unsound, 1.3 * one, 1.3 * one, ALPHA * one, 0 * one)
    assert names(causes) == [["range"]]


def test_what_follows_in_time_and_upwards_points_to_its_root() -> None:
    causes = found(
        twin=[[0.7, 0.7], [1.4, 0.8]],
        chip=[[0.7, 0.7], [0.2, 0.8]],
        on=[[0, 0], [1, 1]],
        got=[[1, 1], [0, 0]],
    )
    assert names(causes) == [["glitch", "inherited"], ["inherited", "inherited"]]
    assert (causes.root == 0).all()
    frame, layer, unit = causes.root_at()
    assert not np.stack([frame, layer, unit]).any()


def test_a_higher_layer_does_not_excuse_a_lower_one() -> None:
    causes = found(
        twin=[[0.7, 0.7], [0.7, 0.7]],
        chip=[[0.7, 0.7], [0.7, 0.7]],
        on=[[0, 0], [0, 0]],
        got=[[0, 1], [1, 1]],
    )
    assert names(causes) == [[None, "glitch"], ["glitch", "inherited"]]
    # (frame * layers + layer) * units + unit
    assert causes.root[0, :, 0].tolist() == [[-1, 2], [1, 1]]


def test_a_state_below_that_did_not_move_the_candidate_is_no_excuse() -> None:
    less = 0.9 * CANDIDATE_SPREAD_UNITS
    causes = found([[0.7], [1.3]], [[0.7], [1.3 - less]], [[0], [1]], [[1], [0.3]])
    assert names(causes) == [["glitch"], ["settling"]]
    assert causes.root[0, :, 0].tolist() == [[0], [1]]


def test_a_wrong_past_that_no_longer_matters_is_no_excuse() -> None:
    """The twin sets anew; the chip's candidate is too low to set: a root of its own."""
    causes = found([[0.7, 1.4]], [[0.7, 0.2]], [[0, 1]], [[1, 0]])
    assert names(causes) == [["glitch", "settling"]]
    assert causes.root[0, 0, 0].tolist() == [0, 1]


def test_of_several_below_the_most_wrong_current_is_the_root() -> None:
    shape = (1, 2, 2, 1)
    two = Limits.of(np.full((2, 2), HI), np.full((2, 2), LO), np.array([[0.2, 0.9], [1.0, 1.0]]))
    twin = np.reshape([0.7, 0.7, 1.4, 0.1], shape)
    chip = np.reshape([0.7, 0.7, 0.2, 0.1], shape)
    causes = find_causes(
        two, twin, chip, np.reshape([0, 0, 1.0, 0], shape), np.reshape([0.2, 0.9, 0, 0], shape)
    )
    assert causes.root[0, :, :, 0].tolist() == [[0, 1], [1, -1]]


def test_the_spread_is_the_cells_own_where_it_was_measured() -> None:
    high, low, alpha = (np.full((1, 3), x) for x in (HI, LO, ALPHA))
    measured = (np.array([[1.02, 1.0, np.nan]]), np.array([[0.5, 0.47, np.nan]]))
    of = Limits.of(high, low, alpha, measured)
    base = CANDIDATE_SPREAD_UNITS
    assert of.spread_hi[0] == pytest.approx([base + 0.02, base, base + 0.01])
    assert of.spread_lo[0] == pytest.approx([base, base + 0.03, base + 0.005])
    assert of.unsound.tolist() == [[False, False, True]]
    drawn = Limits.of(high, low, alpha, sigma_relative=0.04)
    assert drawn.spread_hi[0, 0] == pytest.approx(base + 0.01 + 0.12)


def test_samples_at_once_are_samples_one_by_one() -> None:
    draw = np.random.default_rng(0)
    shape = (6, 2, 3, 20)
    twin, chip = draw.uniform(0, 1.5, shape), draw.uniform(0, 1.5, shape)
    on, got = (np.where(draw.random(shape) < 0.5, ALPHA, 0.0) for _ in range(2))
    of = limits(2, 3)
    together = find_causes(of, twin, chip, on, got)
    for k in range(len(twin)):
        one = slice(k, k + 1)
        alone = find_causes(of, twin[one], chip[one], on[one], got[one])
        np.testing.assert_array_equal(together.code[one], alone.code)
        np.testing.assert_array_equal(together.root[one], alone.root)
    seen = {CAUSES[code] for code in np.unique(together.code) if code != AGREES}
    assert seen == {"threshold", "settling", "glitch", "inherited"}
    assert ((together.root == -1) == (together.code == AGREES)).all()
    # A root is its own root.
    rooted = (together.code != AGREES) & (together.code != CAUSES.index("inherited"))
    place = np.arange(20)[None, None, :] * 6 + np.arange(6).reshape(2, 3, 1)
    np.testing.assert_array_equal(
        together.root[rooted], np.broadcast_to(place, shape)[rooted]
    )  # fmt: skip
    assert set(np.unique(together.root[~rooted & (together.code != AGREES)])) <= set(
        place.ravel()
    )  # fmt: skip
