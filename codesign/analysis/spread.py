"""How far mismatch moves the margin of a decision, and whether votes beyond that are kept.

The margin of a sample is the logit of the class the network decides for, minus the largest of the
others, as the chip has them: negative where the chip decides otherwise. Its spread over chips is
three standard deviations, for each clip (and corner) by itself. A pair of chip and clip lies beyond
the spread when the margin of the equations is larger; such a vote should be kept.
"""

from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.chips import with_corner
from codesign.analysis.intervals import wilson

# Standard deviations that make the spread of a margin.
SPREAD_SIGMAS = 3.0

_BY = ["corner", "clip"]
_LOST = (
    "sample", "corner", "chip", "clip_id", "status", "network_decision", "chip_decision",
    "network_margin_units", "spread_units", "logit_margin_units", "beyond_spread", "explanation",
)  # fmt: skip


def spread_table(samples: pd.DataFrame) -> pd.DataFrame:
    """One row per corner and clip of a table of samples of chips.

    ``pairs`` (all), ``pairs_failed``, ``votes_kept``; ``margin_mean_units``,
    ``margin_sigma_units``, ``margin_least_units`` over pairs that ended well; ``spread_units``
    (NaN with fewer than two) and ``beyond_spread``, whether the network's margin exceeds it.
    """
    table = with_corner(samples)
    kept = (table["chip_decision"] == table["network_decision"]).fillna(False)
    marked = table.assign(kept=kept.to_numpy(bool), failed=(table["status"] != "ok").to_numpy(bool))
    grouped = marked.groupby(_BY, sort=False)
    margin = grouped["logit_margin_units"]
    sigma = margin.std(ddof=1)
    found = pd.DataFrame(
        {
            **{
                name: grouped[name].first()
                for name in ("clip_id", "network_decision", "network_margin_units")
            },
            "pairs": grouped.size(),
            "pairs_failed": grouped["failed"].sum(),
            "votes_kept": grouped["kept"].sum(),
            "margin_mean_units": margin.mean(),
            "margin_sigma_units": sigma,
            "margin_least_units": margin.min(),
            "spread_units": SPREAD_SIGMAS * sigma,
        }
    ).reset_index()
    found["beyond_spread"] = found["network_margin_units"] > found["spread_units"]
    return found


def lost_votes(samples: pd.DataFrame, spread: pd.DataFrame) -> pd.DataFrame:
    """The pairs whose vote was not kept, failed ones included, those beyond the spread first."""
    table = with_corner(samples)
    kept = (table["chip_decision"] == table["network_decision"]).fillna(False).to_numpy(bool)
    by_clip = spread[[*_BY, "spread_units", "beyond_spread"]]
    lost = table[~kept].merge(by_clip, on=_BY, how="left")
    order = lost.sort_values(
        ["beyond_spread", "network_margin_units", "sample"], ascending=[False, False, True]
    )
    return order[list(_LOST)].reset_index(drop=True)


def spread_figures(spread: pd.DataFrame) -> dict[str, Any]:
    """Votes kept beyond the spread and within it, with their denominators.

    A pair that failed has no vote: it counts as lost, and how many did is said.
    """
    beyond = spread[spread["beyond_spread"]]
    within = spread[~spread["beyond_spread"]]
    pairs, kept = int(beyond["pairs"].sum()), int(beyond["votes_kept"].sum())
    rest, rest_kept = int(within["pairs"].sum()), int(within["votes_kept"].sum())
    sigma = spread["margin_sigma_units"].dropna()
    return {
        "votes_kept_beyond_spread": kept / pairs if pairs else None,
        "votes_kept_beyond_spread_count": kept,
        "votes_kept_beyond_spread_interval": wilson(kept, pairs),
        "pairs_beyond_spread": pairs,
        "pairs_beyond_spread_failed": int(beyond["pairs_failed"].sum()),
        "votes_kept_within_spread_count": rest_kept,
        "pairs_within_spread": rest,
        "margin_sigma_units_median": float(np.median(sigma)) if len(sigma) else None,
        "margin_spread_sigmas": SPREAD_SIGMAS,
    }
