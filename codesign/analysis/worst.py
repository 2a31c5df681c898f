"""The worst chips, with the devices that explain them and the evidence that they do.

A device's share is what its draws do to the margin: to first order slope times draw, or, *one by
one*, the margin less the margin with that device alone as drawn on paper. Shares are a claim. The
evidence are chips that were never drawn: the same chip with the draws of its first devices set to
zero (``margin_without_units``), and with those draws alone (``margin_only_units``).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.roles import device_role
from codesign.analysis.twosample import records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST_ORDER, ONE_BY_ONE = "first order", "one by one"


@dataclass(frozen=True)
class Explained:
    """One chip on its worst clip. ``order`` (top,): places of the devices, the most harmful first;
    ``share_units`` (top,); ``without_units`` and ``only_units`` (top,): margins with the draws of
    the first 1, 2, ... devices set to zero, and with no other draws."""

    chip: int
    corner: str
    failures: int
    clip_id: str
    margin_units: float
    predicted_units: float
    nominal_units: float
    states_differing: int
    first_state: str | None
    ranked_by: str
    order: Ints
    share_units: Floats
    without_units: Floats
    only_units: Floats


def choose_worst(chip: Ints, failures: Ints, margin_units: Floats, count: int) -> Ints:
    """Rows (chips) with most failing decisions, then least margin, then least index."""
    return np.lexsort((chip, margin_units, -failures))[:count]


def worst_rows(
    found: Explained, instances: tuple[str, ...], delvto_v: Floats, mulu0: Floats, sigma: Floats
) -> pd.DataFrame:
    """One row per device, by rank.

    chip, corner, failures (decisions of the chip that are not the ideal twin's, over all its
    clips), clip_id, margin_units, predicted_margin_units (first order), nominal_margin_units,
    states_differing (from the nominal chip's), first_state (``layers.0[3] frame 5``), ranked_by
    (first order, one by one), rank, device, label, role, delvto_v, mulu0, delvto_sigma (draw in
    standard deviations of the device), share_units, margin_without_units and margin_only_units
    (of ranks 1 to this one), recovers (the decision is right without them; missing where it was).

    ``delvto_v``, ``mulu0`` (devices,) of the chip, ``sigma`` (devices, 2).
    """
    order = found.order
    named = [device_role(instances[k]) for k in order]
    fails = found.margin_units < 0
    recovers = (
        [bool(margin > 0) for margin in found.without_units] if fails else [None] * len(order)
    )
    return pd.DataFrame(
        {
            "chip": found.chip,
            "corner": found.corner,
            "failures": found.failures,
            "clip_id": found.clip_id,
            "margin_units": found.margin_units,
            "predicted_margin_units": found.predicted_units,
            "nominal_margin_units": found.nominal_units,
            "states_differing": found.states_differing,
            "first_state": found.first_state,
            "ranked_by": found.ranked_by,
            "rank": np.arange(1, len(order) + 1),
            "device": [instances[k] for k in order],
            "label": [device.label for device in named],
            "role": [device.role for device in named],
            "delvto_v": delvto_v[order],
            "mulu0": mulu0[order],
            "delvto_sigma": delvto_v[order] / sigma[order, 0],
            "share_units": found.share_units,
            "margin_without_units": found.without_units,
            "margin_only_units": found.only_units,
            "recovers": pd.array(recovers, dtype="boolean"),
        }
    )


def worst_figures(table: pd.DataFrame) -> dict[str, Any]:
    """How many of the chips listed decide wrongly, and of how many the listed devices are why.

    ``devices_to_recover``: with how few of the first devices as on paper the decision is right.
    """
    if table.empty:
        return {"worst_chips": [], "worst_chips_failing": 0, "worst_chips_recovered": 0}
    chips = []
    for _, rows in table.groupby("chip", sort=False):
        first = rows.iloc[0]
        enough = rows.loc[rows["recovers"].fillna(False).astype(bool), "rank"]
        chips.append(
            records(
                rows.head(1)[
                    ["chip", "failures", "clip_id", "margin_units", "predicted_margin_units",
                     "states_differing", "first_state", "ranked_by"]
                ]
            )[0]
            | {
                "devices_to_recover": None if enough.empty else int(enough.min()),
                "devices": rows["label"].head(3).tolist(),
                "fails": bool(first["margin_units"] < 0),
                "margin_without_listed_units": float(rows["margin_without_units"].iloc[-1]),
            }
        )  # fmt: skip
    failing = [chip for chip in chips if chip["fails"]]
    return {
        "worst_chips": chips,
        "worst_chips_failing": len(failing),
        "worst_chips_recovered": sum(chip["devices_to_recover"] is not None for chip in failing),
    }
