"""May the twin stand in for the transistors on drawn chips? Two samples, one question.

The two samples are independent: transistors on some chips, the twin on other ones. Of each quantity
two statistics are tested: Kolmogorov-Smirnov's (any difference of distributions; scipy's
``ks_2samp``) and Anderson-Darling's (heavier on the tails; ``anderson_ksamp``, whose p-value scipy
knows between 0.001 and 0.25 only); proportions are tested by Fisher. The p-values of each kind are
corrected by Holm (1979) for the number of quantities: with no difference at all, one of a kind is
found in ``ALPHA`` of all cases at most.

Not to reject proves nothing by itself: ``detectable`` says what the samples could have shown. And
large samples show what does not matter. How large a difference is, the same chips in both tell
(``paired_*``): there the luck of the draw cancels. So the verdict is

    yes              no quantity differs significantly
    within limits    some do, and on the same chips each is off by at most ``SHIFT`` standard
                     deviations in the mean, and a factor 1 + ``SPREAD`` either way in the standard
                     deviation
    no               otherwise
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

ALPHA = 0.05
POWER = 0.8
# A shift of a quarter of a sigma moves a yield of 95 % by 2.5 points, one of 99 % by 0.9.
SHIFT = 0.25
SPREAD = 0.2
_DRAWS = 200


@dataclass(frozen=True)
class Samples:
    """One quantity: on ``transistors`` and on other chips in the ``twin``; and on the chips of
    ``transistors`` in the twin (``paired``). ``proportion``: values are 0 and 1."""

    transistors: Floats
    twin: Floats
    paired: Floats
    proportion: bool = False


def two_sample_rows(clip_id: str, quantities: Mapping[str, Samples]) -> pd.DataFrame:
    """One row per quantity of a clip, p-values not corrected yet.

    ``statistic``, ``p_value``: Kolmogorov-Smirnov's, of proportions their difference and Fisher's;
    ``ad_*``: Anderson-Darling's. NaN where all values are one and the same: nothing to test.
    ``shift_sigma``: difference of the means, twin less transistors, in standard deviations of the
    transistors; ``std_ratio``: twin by transistors; ``paired_shift_sigma`` and
    ``paired_std_ratio``: the same with the twin on the chips of the transistors.
    """
    return pd.DataFrame([_row(clip_id, name, samples) for name, samples in quantities.items()])


def _row(clip_id: str, name: str, samples: Samples) -> dict[str, Any]:
    a, b, paired = samples.transistors, samples.twin, samples.paired
    mean, std = ([float(f(values)) for values in (a, b)] for f in (np.mean, _std))
    statistic, p_value, ad, ad_p = _tests(samples)
    spread = std[0] > 0
    return {
        "quantity": name,
        "clip_id": clip_id,
        "n_transistors": len(a),
        "n_twin": len(b),
        "statistic": statistic,
        "p_value": p_value,
        "ad_statistic": ad,
        "ad_p_value": ad_p,
        "mean_transistors": mean[0],
        "mean_twin": mean[1],
        "std_transistors": std[0],
        "std_twin": std[1],
        "shift_sigma": (mean[1] - mean[0]) / std[0] if spread else np.nan,
        "std_ratio": std[1] / std[0] if spread else np.nan,
        "paired_error_rms": float(np.sqrt(np.mean((paired - a) ** 2))),
        "paired_error_mean": float(np.mean(paired - a)),
        "paired_shift_sigma": float(np.mean(paired - a)) / std[0] if spread else np.nan,
        "paired_std_ratio": _std(paired) / std[0] if spread else np.nan,
        "paired_correlation": float(np.corrcoef(a, paired)[0, 1])
        if spread and _std(paired) > 0
        else np.nan,
        "paired_differing": int((paired != a).sum()) if samples.proportion else -1,
        "proportion": samples.proportion,
    }


def _std(values: Floats) -> float:
    return float(np.std(values, ddof=1))


def _tests(samples: Samples) -> tuple[float, float, float, float]:
    """Statistic and p-value, twice."""
    a, b = samples.transistors, samples.twin
    if np.ptp(np.concatenate([a, b])) == 0:
        return (np.nan,) * 4
    if samples.proportion:
        hits = np.array([[values.sum(), len(values) - values.sum()] for values in (a, b)], int)
        return float(b.mean() - a.mean()), float(stats.fisher_exact(hits).pvalue), np.nan, np.nan
    found: Any = stats.ks_2samp(a, b)
    with warnings.catch_warnings():
        # That the p-value is at an end of what scipy knows is said in the docs.
        warnings.simplefilter("ignore", UserWarning)
        anderson: Any = stats.anderson_ksamp([a, b])
    return (
        float(found.statistic), float(found.pvalue), float(anderson.statistic),
        float(anderson.pvalue),
    )  # fmt: skip


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` of all clips with ``p_holm``, ``ad_p_holm``, and ``differs``: either is below
    ``ALPHA``."""
    p, ad = holm(table["p_value"].to_numpy()), holm(table["ad_p_value"].to_numpy())
    return table.assign(p_holm=p, ad_p_holm=ad, differs=(p < ALPHA) | (ad < ALPHA))


def holm(p_values: Floats) -> Floats:
    """Holm's step-down correction; NaN are no tests and stay."""
    out = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = len(order) - np.arange(len(order))
    out[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * factors))
    return out


def verdict(table: pd.DataFrame) -> str:
    """yes, within limits, or no; of a ``corrected`` table."""
    wrong = table[table["differs"]]
    if wrong.empty:
        return "yes"
    ratio = wrong["paired_std_ratio"]
    near = (wrong["paired_shift_sigma"].abs() <= SHIFT) & ratio.between(
        1 / (1 + SPREAD), 1 + SPREAD
    )
    return "within limits" if bool(near.all()) else "no"


def detectable(n_transistors: int, n_twin: int, tests: int) -> dict[str, float]:
    """The least differences of a normal quantity that Kolmogorov-Smirnov finds in ``POWER`` of all
    cases at ALPHA / tests: ``shift_sigma`` of the mean, ``std_ratio`` of the standard deviation.

    By ``_DRAWS`` simulated pairs of samples, the same in every call.
    """
    level = ALPHA / max(1, tests)
    effective = n_transistors * n_twin / (n_transistors + n_twin)
    critical = float(stats.kstwobign.isf(level)) / np.sqrt(effective)
    draw = np.random.default_rng(1933)
    a, b = (np.sort(draw.normal(size=(_DRAWS, n)), axis=1) for n in (n_transistors, n_twin))

    def missed(shift: float, ratio: float) -> bool:
        found = [_distance(x, ratio * y + shift) >= critical for x, y in zip(a, b, strict=True)]
        return float(np.mean(found)) < POWER

    shift = _least(lambda size: missed(size, 1.0))
    ratio = _least(lambda size: missed(0.0, 1.0 + size))
    return {"shift_sigma": shift, "std_ratio": 1.0 + ratio}


def _least(missed: Any) -> float:
    """The smallest size that is not missed, within two per cent of itself."""
    low, high = 0.0, 0.1
    while missed(high) and high < 10:
        low, high = high, 2 * high
    while high - low > 0.02 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if missed(middle) else (low, middle)
    return float(high)


def _distance(a: Floats, b: Floats) -> float:
    """The largest distance of two distributions, of sorted samples."""
    every = np.concatenate([a, b])
    parts = [np.searchsorted(x, every, side="right") / len(x) for x in (a, b)]
    return float(np.abs(parts[0] - parts[1]).max())


def stands_in(table: pd.DataFrame) -> dict[str, Any]:
    """Figures of a corrected table, under stable names; none of an empty one."""
    if table.empty:
        return {}
    wrong = table[table["differs"]]
    tests = int(table["p_value"].notna().sum())
    counts = (int(table["n_transistors"].min()), int(table["n_twin"].min()))
    found = detectable(*counts, tests)
    margins = table[table["quantity"] == "margin"]
    decisions = table[table["quantity"] == "decision_differs"]
    return {
        "twin_stands_in": verdict(table),
        "twin_quantities_tested": tests,
        "twin_quantities_differing": len(wrong),
        "twin_differing": [
            {key: row[key] for key in _SHOWN} for row in records(wrong.sort_values("p_holm"))
        ],
        "twin_chips": counts[0],
        "twin_detectable_shift_sigma": found["shift_sigma"],
        "twin_detectable_std_ratio": found["std_ratio"],
        "twin_margin_error_rms_units": float((margins["paired_error_rms"] ** 2).mean() ** 0.5),
        "twin_margin_correlation": _least_of(margins["paired_correlation"]),
        "twin_decisions_compared": int(decisions["n_transistors"].sum()),
        "twin_decisions_unlike": int(decisions["paired_differing"].sum()),
    }


_SHOWN = (
    "quantity", "clip_id", "p_holm", "ad_p_holm", "shift_sigma", "std_ratio", "paired_shift_sigma",
    "paired_std_ratio",
)  # fmt: skip


def _least_of(values: "pd.Series[float]") -> float | None:
    known = values.dropna()
    return None if known.empty else float(known.min())


def records(table: pd.DataFrame) -> Sequence[dict[str, Any]]:
    """Rows as dictionaries, with None for what is not known."""
    return [
        {str(k): None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()}
        for row in table.to_dict("records")
    ]
