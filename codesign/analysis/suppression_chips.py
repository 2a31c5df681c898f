"""Error suppression at the cells over drawn chips: one row per chip and sigma, and its spread.

The pairs are those of ``codesign.analysis.suppression``, still and noisy runs on the same drawn
chip, with the same noise on every chip: what differs is the mismatch alone.
"""

from typing import Any

import pandas as pd

from codesign.analysis.suppression import TARGET, by_sigma


def by_chip(pairs: pd.DataFrame) -> pd.DataFrame:
    """chip and the columns of ``by_sigma``: sigma_units; pairs (unit, clip) and those not reached;
    ratio_median, ratio_pooled, ratio_p10 ... ratio_p90 over the chip's pairs; pairs_flipped and
    states_flipped, parts of pairs and of states.

    ``pairs`` has a column chip.
    """
    rows = [
        {"chip": chip} | row
        for chip, mine in pairs.groupby("chip", sort=True)
        for row in by_sigma(mine)
    ]
    return pd.DataFrame(rows)


def suppression_chips_figures(table: pd.DataFrame) -> dict[str, Any]:
    """Per sigma: chips, and the chips' median ratio at the median, 5th, 95th percentile and least
    chip; ``chips_reaching``: those whose median ratio is at least ``TARGET``."""
    rows = []
    for sigma, part in table.groupby("sigma_units", sort=True):
        ratio = part["ratio_median"]
        rows.append(
            {
                "sigma_units": float(str(sigma)),
                "chips": len(part),
                "ratio_median": float(ratio.median()),
                "ratio_median_p5": float(ratio.quantile(0.05)),
                "ratio_median_p95": float(ratio.quantile(0.95)),
                "ratio_median_min": float(ratio.min()),
                "ratio_pooled_median": float(part["ratio_pooled"].median()),
                "chips_reaching": int((ratio >= TARGET).sum()),
                "states_flipped_mean": float(part["states_flipped"].mean()),
            }
        )
    return {"suppression_chips_by_sigma": rows, "suppression_chips_target": TARGET} if rows else {}
