"""One row per chip: counts by hand, and failures that stay visible."""

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.chips import chip_table, worst_chip
from tests.analysis.populations import samples

TABLE = samples([[1.0, 2.0], [-0.5, 2.0], [1.0, None], [None, None]], [1.5, 2.5])


@pytest.fixture(scope="module")
def chips() -> pd.DataFrame:
    return chip_table(TABLE, states_per_sample=100, wanted=2)


def test_every_chip_has_its_row_and_every_sample_is_counted(chips: pd.DataFrame) -> None:
    assert chips["chip"].tolist() == [0, 1, 2, 3]
    assert chips["samples"].sum() == len(TABLE)
    assert chips["samples_ok"].tolist() == [2, 2, 1, 0]
    assert chips["samples_failed"].tolist() == [0, 0, 1, 2]


def test_shares_are_over_samples_that_ended_well(chips: pd.DataFrame) -> None:
    assert chips["vote_agreement"].tolist()[:3] == [1.0, 0.5, 1.0]
    assert chips["accuracy"].tolist()[:3] == [1.0, 0.5, 1.0]
    assert chips["accuracy_loss"].tolist()[:3] == [0.0, 0.5, 0.0]
    assert chips["states_agreeing"].tolist() == [200, 196, 100, 0]
    assert chips["state_agreement"].tolist()[:3] == [1.0, 0.98, 1.0]
    assert chips["mean_power_w"].tolist()[:3] == pytest.approx([1e-7] * 3)
    assert chips.loc[1, "candidate_error_rms_units"] == pytest.approx(
        np.sqrt((0.04**2 + 0.03**2) / 2)
    )


def test_a_chip_without_a_good_sample_has_no_shares(chips: pd.DataFrame) -> None:
    last = chips.iloc[3]
    for name in ("accuracy", "vote_agreement", "state_agreement", "mean_power_w"):
        assert np.isnan(last[name])
    assert pd.isna(last["margin_least_units"])


def test_the_least_margin_names_its_clip(chips: pd.DataFrame) -> None:
    assert chips.loc[1, "margin_least_units"] == -0.5
    assert chips.loc[1, "margin_least_clip"] == "clip-0"


def test_part_of_a_chip_is_not_a_chip() -> None:
    part = chip_table(TABLE.iloc[1:], states_per_sample=100, wanted=2)
    assert part["whole"].tolist() == [False, True, True, True]


def test_corners_are_chips_of_their_own() -> None:
    both = pd.concat(
        [samples([[1.0], [2.0]], [1.5], corner=c) for c in ("typical", "ss")], ignore_index=True
    )
    chips = chip_table(both, 100, 1)
    assert list(zip(chips["corner"], chips["chip"], strict=True)) == [
        ("typical", 0), ("typical", 1), ("ss", 0), ("ss", 1),
    ]  # fmt: skip


def test_the_worst_chip_is_the_one_with_most_lost_votes(chips: pd.DataFrame) -> None:
    worst = worst_chip(chips)
    assert worst is not None
    assert (worst["chip"], worst["decisions_agreeing"], worst["samples"]) == (1, 1, 2)
    assert worst["margin_least_clip"] == "clip-0"
    assert worst_chip(chips[chips["samples_failed"] > 0]) is None
