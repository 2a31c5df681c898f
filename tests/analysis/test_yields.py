"""Yield against specifications: counts by hand, failures against it, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from codesign.analysis.chips import chip_table
from codesign.analysis.yields import (
    DEFAULT_SPECS,
    EVERY_CORNER,
    QUANTITIES,
    Spec,
    all_met,
    parse_spec,
    yield_curves,
    yield_figures,
    yield_table,
)
from codesign.errors import InputError
from tests.analysis.populations import samples

# Ten clips: chip 0 keeps all, chip 1 loses one, chip 2 two; chip 3 would keep all, but one failed.
MARGINS: list[tuple[float | None, ...]] = [
    (1.0,) * 10, (-1.0, *[1.0] * 9), (-1.0, -1.0, *[1.0] * 8), (None, *[1.0] * 9),
]  # fmt: skip
CHIPS = chip_table(samples(MARGINS, [1.0] * 10), 100, 10)


def row(table: pd.DataFrame, spec: str, corner: str = "") -> "pd.Series[float]":
    (found,) = [r for _, r in table.iterrows() if (r["spec"], r["corner"]) == (spec, corner)]
    return found


def test_yield_counts_whole_chips_and_failures_against_it() -> None:
    table = yield_table(CHIPS, [Spec("accuracy", ">=", 0.9), Spec("vote_agreement", ">=", 1.0)])
    accuracy, votes, both = (row(table, k) for k in ("accuracy>=0.9", "vote_agreement>=1", "all"))
    assert (accuracy["passed"], accuracy["chips"], accuracy["chips_failed"]) == (2, 4, 1)
    assert votes["passed"] == both["passed"] == 1
    assert accuracy["yield"] == 0.5
    low, high = binomtest(2, 4).proportion_ci(method="wilson")
    assert (accuracy["yield_low"], accuracy["yield_high"]) == pytest.approx((low, high))


def test_a_quotient_meets_the_limit_it_equals() -> None:
    thirds = CHIPS.assign(accuracy=[0.1 * 3, 0.7 + 0.1, 0.3, 1.0])
    assert Spec("accuracy", ">=", 0.8).met(thirds).tolist() == [False, True, False, False]
    assert Spec("accuracy", "<=", 0.3).met(thirds).tolist() == [True, False, True, False]
    assert Spec("mean_power_w", "<=", 1e-7).met(CHIPS).tolist() == [True] * 3 + [False]
    assert not Spec("mean_power_w", "<", 1e-7).met(CHIPS).any()


def test_partial_chips_are_left_out_and_counted() -> None:
    part = chip_table(samples(MARGINS, [1.0] * 10).iloc[5:], 100, 10)
    table = yield_table(part, DEFAULT_SPECS)
    assert (table["chips"] == 3).all()
    assert yield_figures(part, table)["chips_partial"] == 1


def test_a_chip_is_good_when_it_is_in_every_corner() -> None:
    corners = [
        samples([[1.0], [1.0], [-1.0]], [1.0], corner="typical"),
        samples([[1.0], [-1.0], [-1.0]], [1.0], corner="ss"),
    ]
    chips = chip_table(pd.concat(corners, ignore_index=True), 100, 1)
    table = yield_table(chips, [Spec("accuracy", ">=", 1.0)])
    assert row(table, "all", "typical")["passed"] == 2
    assert row(table, "all", "ss")["passed"] == 1
    assert (row(table, "all", EVERY_CORNER)[["passed", "chips"]] == [1, 3]).all()
    figures = yield_figures(chips, table)
    assert (figures["yield_count"], figures["yield_chips"]) == (1, 3)
    curve = yield_curves(chips, [Spec("accuracy", ">=", 1.0)])
    assert curve.loc[curve["limit"] == 1.0, "passed"].tolist() == [1]


def test_the_curve_passes_through_the_yield_and_never_turns() -> None:
    specs = [Spec("accuracy", ">=", 0.9), Spec("mean_power_w", "<=", 1e-7)]
    curve = yield_curves(CHIPS, specs)
    accuracy = curve[curve["name"] == "accuracy"]
    assert accuracy.loc[accuracy["limit"] == 0.9, "passed"].tolist() == [2]
    assert (np.diff(accuracy["yield"]) <= 0).all()
    power = curve[curve["name"] == "mean_power_w"]
    assert (np.diff(power["yield"]) >= 0).all()
    # A failed sample keeps a chip from ever passing.
    assert curve["passed"].max() == 3
    assert (curve["chips"] == 4).all()


def test_no_growth_with_chips() -> None:
    many = CHIPS.loc[CHIPS.index.repeat(500)].assign(
        accuracy=np.random.default_rng(0).random(2000), chip=np.arange(2000)
    )
    assert len(yield_curves(many, [Spec("accuracy", ">=", 0.5)])) <= 201


def test_no_chip_at_all() -> None:
    table = yield_table(CHIPS.iloc[:0], DEFAULT_SPECS)
    assert table.empty
    figures = yield_figures(CHIPS.iloc[:0], table)
    assert figures["yield"] is None
    assert figures["yield_chips"] == 0


def test_specifications_are_read_as_written() -> None:
    assert parse_spec("accuracy>=0.9") == Spec("accuracy", ">=", 0.9)
    assert parse_spec(" mean_power_w <= 600e-9 ") == Spec("mean_power_w", "<=", 6e-7)
    assert str(Spec("mean_power_w", "<=", 6e-7)) == "mean_power_w<=6e-07"
    for name in QUANTITIES:
        assert parse_spec(f"{name}>0").name in CHIPS


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("accuracy=0.9", "not NAME OP VALUE"),
        ("accuracy>=", "not NAME OP VALUE"),
        ("accuracy>=1e999", "not NAME OP VALUE"),
        ("accuracy>=0.9.1", "not NAME OP VALUE"),
        ("acuracy>=0.9", "did you mean 'accuracy'"),
        ("zzz>=0.9", "no quantity 'zzz'"),
    ],
)
def test_what_cannot_be_read_is_refused(given: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_spec(given)


def test_default_specifications_are_the_targets_of_the_demonstration() -> None:
    assert [str(spec) for spec in DEFAULT_SPECS] == [
        "vote_agreement>=1", "accuracy_loss<=0.02", "state_agreement>=0.99",
    ]  # fmt: skip
    assert all_met(CHIPS, DEFAULT_SPECS).tolist() == [True, False, False, False]
