"""Distributions in figures and in words, against scipy and known shapes."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from codesign.analysis.distributions import describe, distribution_table

Floats = NDArray[np.float64]
RNG = np.random.default_rng(1)


def test_figures_are_those_of_scipy() -> None:
    values = RNG.gamma(2.0, 1.0, 400)
    found = describe(np.append(values, np.nan))
    assert found is not None
    assert found.count == 400
    assert found.mean == pytest.approx(values.mean())
    assert found.sigma == pytest.approx(values.std(ddof=1))
    assert found.skew == pytest.approx(stats.skew(values))
    assert found.p_normal == pytest.approx(stats.normaltest(values).pvalue)
    assert found.p95 == pytest.approx(np.quantile(values, 0.95))


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        (RNG.normal(5, 0.1, 500), "normal"),
        (RNG.gamma(1.0, 1.0, 500), "skewed to high values"),
        (-RNG.gamma(1.0, 1.0, 500), "skewed to low values"),
        (np.concatenate([x := RNG.standard_t(3, 500), -x]), "heavy tails"),
        (RNG.uniform(0, 1, 500), "light tails or several humps"),
        (RNG.choice([0.8, 0.9, 1.0], 500), "few values"),
        (np.full(500, 0.9), "one value"),
        (np.array([1.0, 2.0]), "few values"),
    ],
)
def test_a_shape_has_a_word(values: Floats, shape: str) -> None:
    found = describe(values)
    assert found is not None
    assert found.shape == shape


def test_nothing_to_describe() -> None:
    assert describe(np.array([np.nan])) is None
    empty = pd.DataFrame({"corner": ["a"], "power": [np.nan]})
    table = distribution_table(empty, ["corner"], ["power"])
    assert table.empty
    assert {"corner", "quantity", "mean", "shape"} <= set(table)


def test_groups_are_described_apart() -> None:
    both = pd.DataFrame({"corner": ["a"] * 3 + ["b"] * 3, "power": [1.0, 2, 3, 4, 5, 6]})
    table = distribution_table(both, ["corner"], ["power"])
    assert table["mean"].tolist() == [2.0, 5.0]
