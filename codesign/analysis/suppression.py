"""How much of an error of the candidates a cell lets through to its state.

The same clips run twice on the same transistors, once with noise of known sigma on the inputs. Of
every unit and clip,

    ratio = rms over frames of the candidate's change / rms over frames of the state's change

both in units, at the sampling instants. While no state flips, the state hardly moves and the ratio
is large; one that flips makes it about one. So a ratio means nothing without its sigma, nor without
the margin: how far the candidates stayed from the thresholds that decide.

A state's change below ``RESOLVED_UNITS`` counts as that much, so that ratios are lower bounds:
neither simulator resolves less. Pairs whose candidate moves by less than a tenth of sigma are left
out (its ReLU is off, nothing arrives at the cell) and counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.causes import Limits, before

Floats = NDArray[np.float64]

TARGET = 20.0
RESOLVED_UNITS = 1e-4
REACHED = 0.1
# Edges of the margins by which pairs are grouped, units.
MARGINS_UNITS = (0.0, 0.05, 0.1, 0.2, 0.4, np.inf)


@dataclass(frozen=True)
class Currents:
    """Candidates and states of some clips, units, (clips, layers, units, frames)."""

    candidates: Floats
    states: Floats


def suppression_pairs(
    limits: Limits, still: Currents, noisy: Currents, sigma_units: float
) -> pd.DataFrame:
    """One row per clip and unit: rms in and out (units), ratio, flipped frames, least margin.

    ``clip`` is the place along the first axis. The margin is the least distance, over frames, of
    the undisturbed candidate from the threshold its state looks at.
    """
    half = limits.alpha[..., None] / 2
    active = still.states > half
    flipped = active != (noisy.states > half)
    into = _rms(noisy.candidates - still.candidates)
    out = _rms(noisy.states - still.states)
    looked_at = np.where(before(active), limits.beta_lo[..., None], limits.beta_hi[..., None])
    margin = np.abs(still.candidates - looked_at).min(axis=-1)
    clip, layer, unit = (index.ravel() for index in np.indices(into.shape))
    return pd.DataFrame(
        {
            "sigma_units": sigma_units,
            "clip": clip,
            "layer": layer,
            "unit": unit,
            "candidate_rms_units": into.ravel(),
            "state_rms_units": out.ravel(),
            "ratio": (into / np.maximum(out, RESOLVED_UNITS)).ravel(),
            "frames": still.states.shape[-1],
            "frames_flipped": flipped.sum(axis=-1).ravel(),
            "margin_units": margin.ravel(),
            "reached": (into >= REACHED * sigma_units).ravel(),
        }
    )


def by_sigma(pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """One entry per sigma, ascending: what the ratios of all pairs that were reached amount to."""
    rows = []
    for sigma, every in pairs.groupby("sigma_units", sort=True):
        part = every[every["reached"]]
        if part.empty:
            continue
        quantiles = part["ratio"].quantile([0.1, 0.25, 0.5, 0.75, 0.9])
        rows.append(
            {
                "sigma_units": float(str(sigma)),
                "pairs": len(part),
                "pairs_not_reached": len(every) - len(part),
                "candidate_rms_units_median": float(part["candidate_rms_units"].median()),
                "ratio_median": float(quantiles[0.5]),
                "ratio_pooled": _pooled(part),
                "ratio_p10": float(quantiles[0.1]),
                "ratio_p25": float(quantiles[0.25]),
                "ratio_p75": float(quantiles[0.75]),
                "ratio_p90": float(quantiles[0.9]),
                "pairs_flipped": float((part["frames_flipped"] > 0).mean()),
                "states_flipped": float(part["frames_flipped"].sum() / part["frames"].sum()),
            }
        )
    return rows


def by_margin(pairs: pd.DataFrame, edges: Sequence[float] = MARGINS_UNITS) -> pd.DataFrame:
    """Per sigma and margin group: ``margin_from_units``, ``margin_to_units``, ``pairs``, median
    ratio and the part of pairs with a flipped state; groups without pairs are left out."""
    part = pairs[pairs["reached"]]
    group = np.searchsorted(np.array(edges), part["margin_units"].to_numpy(), side="right") - 1
    keyed = part.assign(group=group, flipped=part["frames_flipped"] > 0)
    table = keyed.groupby(["sigma_units", "group"], sort=True).agg(
        pairs=("ratio", "size"), ratio_median=("ratio", "median"), pairs_flipped=("flipped", "mean")
    )
    table = table.reset_index()
    table["margin_from_units"] = [edges[k] for k in table["group"]]
    table["margin_to_units"] = [edges[k + 1] for k in table["group"]]
    return table.drop(columns="group")


def suppression_figures(pairs: pd.DataFrame) -> dict[str, Any]:
    """The figures of the summary: at the largest sigma whose median reaches ``TARGET``, or, where
    none does, at the smallest; and all sigmas."""
    rows = by_sigma(pairs)
    if not rows:
        return {}
    held = [row for row in rows if row["ratio_median"] >= TARGET]
    shown = held[-1] if held else rows[0]
    return {
        "suppression_ratio_median": shown["ratio_median"],
        "suppression_ratio_pooled": shown["ratio_pooled"],
        "suppression_ratio_p10": shown["ratio_p10"],
        "suppression_ratio_p25": shown["ratio_p25"],
        "suppression_ratio_p75": shown["ratio_p75"],
        "suppression_sigma_units": shown["sigma_units"],
        "suppression_candidate_rms_units_median": shown["candidate_rms_units_median"],
        "suppression_pairs": shown["pairs"],
        "suppression_clips": int(pairs["clip"].nunique()),
        "suppression_by_sigma": rows,
    }


def _pooled(pairs: pd.DataFrame) -> float:
    """Rms over all pairs together: what is left when flipped states count with their size."""
    into, out = (float((pairs[f"{name}_rms_units"] ** 2).mean()) for name in ("candidate", "state"))
    return float((into / max(out, RESOLVED_UNITS**2)) ** 0.5)


def _rms(values: Floats) -> Floats:
    return np.asarray(np.sqrt(np.mean(values**2, axis=-1)))
