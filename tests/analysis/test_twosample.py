"""Two-sample tests see a twin that is wrong, and let pass one that is right."""

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.twosample import (
    ALPHA,
    Samples,
    corrected,
    detectable,
    holm,
    stands_in,
    two_sample_rows,
    verdict,
)

N = 400


def _table(seed: int, gain: float = 1.0, shift: float = 0.0, wild: float = 0.0) -> pd.DataFrame:
    """Four quantities of which the twin knows the first with an error."""
    draw = np.random.default_rng(seed)
    chips, others = (draw.normal(2.0, 0.2, (4, N)) for _ in range(2))
    quantities = {
        f"q{k}": Samples(
            chips[k],
            others[k] * gain + shift + wild * draw.normal(size=N) if k == 0 else others[k],
            chips[k] * gain + shift + wild * draw.normal(size=N) if k == 0 else chips[k],
        )
        for k in range(4)
    }
    return corrected(two_sample_rows("clip", quantities))


def test_the_right_twin_is_rarely_rejected() -> None:
    """One in twenty of either kind: of 40 at most 4 are expected, more than 10 in 1 of 1000."""
    assert sum(bool(_table(seed)["differs"].any()) for seed in range(40)) <= 10


def test_a_gain_off_by_five_per_cent_is_no_stand_in() -> None:
    """5 % of 2 units are half a sigma."""
    table = _table(0, gain=1.05)
    assert table["differs"].tolist() == [True, False, False, False]
    assert verdict(table) == "no"
    figures = stands_in(table)
    assert figures["twin_stands_in"] == "no"
    assert figures["twin_quantities_differing"] == 1
    assert figures["twin_differing"][0]["quantity"] == "q0"
    assert figures["twin_differing"][0]["paired_shift_sigma"] == pytest.approx(0.5, abs=0.1)


def test_what_is_significant_and_small_is_within_limits() -> None:
    table = _table(1, shift=0.2 * 0.2)
    assert table["differs"].tolist() == [True, False, False, False]
    assert verdict(table) == "within limits"
    assert table.loc[0, "paired_shift_sigma"] == pytest.approx(0.2, abs=0.02)


def test_a_twin_that_spreads_too_much_is_found() -> None:
    assert verdict(_table(1, wild=0.3)) == "no"


def test_holm_corrects_for_the_number_of_tests() -> None:
    p = np.array([0.01, np.nan, 0.04, 0.03])
    assert holm(p)[[0, 2, 3]] == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(holm(p)[1])


def test_what_never_moves_is_no_test_and_proportions_are_counted() -> None:
    still, some = np.zeros(100), np.r_[np.ones(5), np.zeros(95)]
    many = np.r_[np.ones(40), np.zeros(60)]
    rows = two_sample_rows(
        "clip",
        {
            "margin": Samples(some + 1.0, some + 1.0, some + 1.0),
            "still": Samples(still, still, still),
            "decision_differs": Samples(some, many, many, proportion=True),
        },
    ).set_index("quantity")
    assert rows.loc["still", ["p_value", "ad_p_value"]].isna().all()
    assert float(rows["p_value"]["decision_differs"]) < 1e-6
    assert int(rows["paired_differing"]["decision_differs"]) == 35
    figures = stands_in(corrected(rows.reset_index()))
    assert figures["twin_quantities_tested"] == 2
    assert figures["twin_decisions_unlike"] == 35


def test_what_can_be_detected_is_detected() -> None:
    """Samples that far apart are told apart in about POWER of all cases, not always."""
    found = detectable(N, N, 10)
    assert 0.2 < found["shift_sigma"] < 0.5
    assert detectable(N // 4, N // 4, 10)["shift_sigma"] == pytest.approx(
        found["shift_sigma"] * 2, rel=0.15
    )
    hits = []
    for seed in range(60):
        draw = np.random.default_rng(seed)
        a, b = draw.normal(size=N), draw.normal(found["shift_sigma"], 1.0, N)
        row = two_sample_rows("clip", {"q": Samples(a, b, b)}).iloc[0]
        hits.append(row["p_value"] < ALPHA / 10)
    assert 0.6 < np.mean(hits) < 0.95
