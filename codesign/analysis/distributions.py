"""How a quantity lies over chips: mean, spread, skew, and whether it may be called normal."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

# The test of normality (D'Agostino and Pearson's) needs so many values, and so many different ones.
_LEAST, _DIFFERENT = 20, 20
_LEVEL = 0.01


@dataclass(frozen=True)
class Distribution:
    """Figures of ``count`` finite values; ``sigma`` with n - 1, ``skew`` and ``kurtosis`` (excess)
    of the moments. ``p_normal`` is the p-value of D'Agostino and Pearson's test, NaN where there
    are too few values; ``shape`` says it in words."""

    count: int
    mean: float
    sigma: float
    skew: float
    kurtosis: float
    p_normal: float
    least: float
    p5: float
    median: float
    p95: float
    most: float
    shape: str

    def row(self) -> dict[str, Any]:
        """By name, for a table."""
        return asdict(self)


def describe(values: NDArray[np.float64]) -> Distribution | None:
    """The distribution of ``values`` (n,), NaN left out; None where nothing is left."""
    kept = values[np.isfinite(values)]
    if not len(kept):
        return None
    few = len(kept) < _LEAST or len(np.unique(kept)) < _DIFFERENT
    flat = float(np.ptp(kept)) <= 1e-12 * float(np.abs(kept).max())
    skew, kurtosis, p = np.nan, np.nan, np.nan
    if not flat and len(kept) > 2:
        skew, kurtosis = float(stats.skew(kept)), float(stats.kurtosis(kept))
    if not flat and not few:
        p = float(stats.normaltest(kept).pvalue)
    least, p5, median, p95, most = (float(q) for q in np.quantile(kept, (0, 0.05, 0.5, 0.95, 1)))
    return Distribution(
        len(kept), float(kept.mean()), _sigma(kept, flat),
        skew, kurtosis, p, least, p5, median, p95, most, _shape(flat, few, skew, kurtosis, p),
    )  # fmt: skip


def _sigma(values: NDArray[np.float64], flat: bool) -> float:
    if len(values) < 2:
        return float("nan")
    return 0.0 if flat else float(values.std(ddof=1))


def _shape(flat: bool, few: bool, skew: float, kurtosis: float, p: float) -> str:
    if flat:
        return "one value"
    if few:
        return "few values"
    if p >= _LEVEL:
        return "normal"
    if abs(skew) > 0.5:
        return "skewed to low values" if skew < 0 else "skewed to high values"
    return "heavy tails" if kurtosis > 0 else "light tails or several humps"


def distribution_table(table: pd.DataFrame, by: list[str], quantities: list[str]) -> pd.DataFrame:
    """One row per group of ``by`` and quantity (a column of ``table``) that has any value."""
    rows = []
    for key, part in table.groupby(by, sort=False):
        place = dict(zip(by, key, strict=True))
        for name in quantities:
            found = describe(part[name].to_numpy(np.float64, na_value=np.nan))
            if found is not None:
                rows.append(place | {"quantity": name} | found.row())
    return pd.DataFrame(rows, columns=[*by, "quantity", *(f.name for f in fields(Distribution))])
