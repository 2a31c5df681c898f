"""Votes beyond the spread of the margin: counts by hand, the interval against Wilson's formula."""

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.spread import lost_votes, spread_figures, spread_table
from tests.analysis.populations import samples

# Clip 0: 20 chips around 5 units, one of which is lost, one failed; clip 1: margins as wide as
# they are large.
STEADY = [5.0, 5.2] * 9 + [-0.1, None]
WIDE = [3.0, -3.0] * 10
TABLE = samples(list(zip(STEADY, WIDE, strict=True)), [5.1, 2.0])


@pytest.fixture(scope="module")
def spread() -> pd.DataFrame:
    return spread_table(TABLE)


def test_the_spread_is_three_sigma_over_chips(spread: pd.DataFrame) -> None:
    good = np.array([m for m in STEADY if m is not None])
    assert spread.loc[0, "margin_mean_units"] == pytest.approx(good.mean())
    assert spread.loc[0, "margin_sigma_units"] == pytest.approx(good.std(ddof=1))
    assert spread.loc[0, "spread_units"] == pytest.approx(3 * good.std(ddof=1))
    assert spread["beyond_spread"].tolist() == [3 * good.std(ddof=1) < 5.1, False]
    assert spread["beyond_spread"].tolist() == [True, False]


def test_failed_pairs_count_as_lost_and_are_said(spread: pd.DataFrame) -> None:
    figures = spread_figures(spread)
    assert figures["pairs_beyond_spread"] == 20
    assert figures["votes_kept_beyond_spread_count"] == 18
    assert figures["pairs_beyond_spread_failed"] == 1
    assert figures["votes_kept_beyond_spread"] == 0.9
    assert figures["pairs_within_spread"] == 20
    assert figures["votes_kept_within_spread_count"] == 10


def test_the_interval_is_wilsons(spread: pd.DataFrame) -> None:
    n, p, z = 20, 0.9, 1.959963984540054
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = spread_figures(spread)["votes_kept_beyond_spread_interval"]
    assert found == pytest.approx([middle - half, middle + half])


def test_every_lost_vote_is_listed_those_beyond_the_spread_first(spread: pd.DataFrame) -> None:
    lost = lost_votes(TABLE, spread)
    assert len(lost) == 2 + 10
    assert lost["beyond_spread"].tolist() == [True] * 2 + [False] * 10
    assert set(lost.loc[lost["beyond_spread"], "status"]) == {"ok", "timeout"}
    assert (lost.loc[lost["status"] == "ok", "logit_margin_units"] < 0).all()


def test_one_chip_has_no_spread() -> None:
    one = spread_table(samples([[1.0, -1.0]], [2.0, 2.0]))
    assert one["spread_units"].isna().all()
    assert not one["beyond_spread"].any()
    figures = spread_figures(one)
    assert figures["votes_kept_beyond_spread"] is None
    assert figures["votes_kept_beyond_spread_interval"] is None
    assert figures["pairs_within_spread"] == 2


def test_each_corner_has_its_own_spread() -> None:
    calm = samples([[5.0], [5.1], [4.9]], [5.0], corner="typical")
    rough = samples([[1.0], [9.0], [-2.0]], [5.0], corner="ss")
    found = spread_table(pd.concat([calm, rough], ignore_index=True))
    assert found["corner"].tolist() == ["typical", "ss"]
    assert found["beyond_spread"].tolist() == [True, False]
