"""One row per chip: what it decided on its clips, how far it was off, what it drew.

Figures of a chip are over its samples that ended well; how many did not stands beside them, and
``analysis.yields`` never lets such a chip pass.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

POWERS = (
    "mean_power_w", "mean_power_cells_w", "mean_power_feedforward_w", "mean_power_bias_w",
    "mean_power_strobe_w",
)  # fmt: skip


def with_corner(samples: pd.DataFrame) -> pd.DataFrame:
    """``samples`` of chips, with a ``corner`` of its own for tables that name none."""
    return samples if "corner" in samples else samples.assign(corner="")


def chip_table(samples: pd.DataFrame, states_per_sample: int, wanted: int) -> pd.DataFrame:
    """The chips of a table of samples (one row per corner and chip), in its order.

    ``states_per_sample``: states compared in one sample; ``wanted``: samples of a whole chip.
    Columns: ``samples``, ``samples_ok``, ``samples_failed``, ``whole`` (all its samples are in the
    table); over those that ended well ``decisions_agreeing``, ``vote_agreement``, ``accuracy``,
    ``accuracy_loss`` (of the twin's on the same clips minus its own), ``states_agreeing``,
    ``state_agreement``, ``candidate_error_rms_units``, powers (W), ``margin_least_units`` and the
    clip on which it is least. Shares are NaN for a chip without a good sample.
    """
    table = with_corner(samples)
    ok = (table["status"] == "ok").to_numpy(bool)
    rows = pd.DataFrame(
        {
            "corner": table["corner"].to_numpy(),
            "chip": table["chip"].to_numpy(np.int64),
            "samples": 1,
            "samples_ok": ok.astype(np.int64),
            "decisions_agreeing": table["agree"].fillna(False).to_numpy(bool) & ok,
            "right": (table["chip_decision"] == table["label"]).fillna(False).to_numpy(bool) & ok,
            "twin_right": (table["twin_decision"] == table["label"]).to_numpy(bool) & ok,
            "states_differing": _present(table["states_differing"], ok),
            "square": _present(table["candidate_error_rms_units"], ok) ** 2,
            **{name: _present(table[name], ok) for name in POWERS},
        }
    )
    sums = rows.groupby(["corner", "chip"], sort=False, as_index=False).sum()
    good = sums["samples_ok"].to_numpy(float)
    agreeing = good * states_per_sample - sums["states_differing"]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = {
            "vote_agreement": sums["decisions_agreeing"] / good,
            "accuracy": sums["right"] / good,
            "accuracy_loss": (sums["twin_right"] - sums["right"]) / good,
            "state_agreement": agreeing / (good * states_per_sample),
            "candidate_error_rms_units": np.sqrt(sums["square"] / good),
            **{name: sums[name] / good for name in POWERS},
        }
    found = pd.DataFrame(
        {
            "corner": sums["corner"],
            "chip": sums["chip"],
            "samples": sums["samples"],
            "samples_ok": sums["samples_ok"],
            "samples_failed": sums["samples"] - sums["samples_ok"],
            "whole": sums["samples"] == wanted,
            "decisions_agreeing": sums["decisions_agreeing"],
            "states_agreeing": agreeing.astype("int64"),
            **share,
        }
    )
    return found.merge(_least_margin(table[ok]), on=["corner", "chip"], how="left")


def _present(values: "pd.Series[Any]", ok: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Numbers, and 0 for samples that failed."""
    return np.where(ok, values.to_numpy(np.float64, na_value=np.nan), 0.0)


def _least_margin(ok: pd.DataFrame) -> pd.DataFrame:
    """Where a chip came nearest to another decision than the network's, or farthest beyond."""
    least = ok.sort_values("logit_margin_units", kind="stable").drop_duplicates(["corner", "chip"])
    named = {"logit_margin_units": "margin_least_units", "clip_id": "margin_least_clip"}
    found = least[["corner", "chip", *named]].rename(columns=named)
    return found.assign(chip=found["chip"].astype("int64"))


def worst_chip(chips: pd.DataFrame) -> dict[str, Any] | None:
    """The chip with the fewest decisions of the twin, then the least margin, among those that ran
    to the end; None without any."""
    good = chips[chips["samples_failed"] == 0]
    if good.empty:
        return None
    order = good.sort_values(["vote_agreement", "margin_least_units", "corner", "chip"])
    row = order.iloc[0]
    return {
        "chip": int(row["chip"]),
        "corner": str(row["corner"]),
        "samples": int(row["samples"]),
        "decisions_agreeing": int(row["decisions_agreeing"]),
        "accuracy": float(row["accuracy"]),
        "margin_least_units": float(row["margin_least_units"]),
        "margin_least_clip": str(row["margin_least_clip"]),
    }
