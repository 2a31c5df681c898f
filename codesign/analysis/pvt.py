"""Points of a process from samples and cells: one row per point, and the headline figures.

A vote is kept where the chip decides as the software twin does. The logit margin is that of the
twin's class over the best other one, negative where the vote is lost; all units are those of the
input currents at the point.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.agreement import Comparison, Twins, Yardstick
from codesign.simulation.traces import Traces

Floats = NDArray[np.float64]

# What a cell is programmed to, and how its errors are named.
CELL_VALUES = ("beta_hi", "beta_lo", "width", "alpha")


@dataclass(frozen=True)
class Condition:
    """A condition as it is written for people, and the prefix of its figures."""

    name: str
    title: str
    prefix: str


CONDITION_WORDS = (
    Condition("ideal", "ideal reference", "pvt"),
    Condition("tree_tracking", "on-chip reference, inputs follow it", "pvt_tree_tracking"),
    Condition("tree_nominal", "on-chip reference, inputs fixed", "pvt_tree_nominal"),
)


def logit_margins(yardstick: Yardstick, twins: Twins, traces: Traces) -> Floats:
    """Margin of the twin's class over the best other in units, (n,); NaN for failed samples."""
    logits = traces.logits_a / np.float64(yardstick.unit_current_a)
    return yardstick.margins_of(logits, twins.decision)


def point_row(
    compared: Comparison, margins: Floats, nominal_decisions: Mapping[int, int]
) -> dict[str, Any]:
    """Figures of the samples of one point; ``nominal_decisions`` by clip, empty if not known."""
    samples, tally = compared.samples, compared.tally
    ok = samples[samples["status"] == "ok"]
    states = int(tally.total("pairs"))
    nominal = [
        int(decision) == nominal_decisions[int(clip)]
        for clip, decision in zip(ok["clip"], ok["chip_decision"], strict=True)
        if int(clip) in nominal_decisions
    ]
    powers = ("mean_power_w", "mean_power_cells_w", "mean_power_feedforward_w",
              "mean_power_bias_w", "mean_power_strobe_w")  # fmt: skip
    return {
        "clips": len(samples),
        "clips_ok": len(ok),
        "votes_kept": int(ok["agree"].sum()) if len(ok) else 0,
        "votes_as_nominal": sum(nominal) if nominal else None,
        "states": states,
        "states_differing": int(tally.total("differing")),
        "states_changed": int(tally.total("changed")),
        "states_changed_agreeing": int(tally.total("changed_agreeing")),
        "logit_margin_min_units": float(np.nanmin(margins)) if len(ok) else None,
        "logit_error_rms_units": (
            (tally.logit_square_sum_units2 / tally.logits) ** 0.5 if tally.logits else None
        ),
        **{name: float(ok[name].mean()) if len(ok) else None for name in powers},
    }


def cell_errors(cells: pd.DataFrame, nominal_point: int) -> pd.DataFrame:
    """Relative errors of every cell at every point, against programmed and against nominal.

    ``cells`` has one row per bias, point, layer and unit with ``<value>_a`` and
    ``programmed_<value>_a`` for each of ``CELL_VALUES``. Errors against nominal are NaN where the
    nominal point was not measured.
    """
    table = cells.copy()
    keys = ["bias", "layer", "unit"]
    nominal = table[table["point"] == nominal_point].set_index(keys)
    at = pd.MultiIndex.from_frame(table[keys])
    for name in CELL_VALUES:
        table[f"{name}_error"] = table[f"{name}_a"] / table[f"programmed_{name}_a"] - 1
        reference = nominal[f"{name}_a"].reindex(at).to_numpy()
        table[f"{name}_error_nominal"] = table[f"{name}_a"] / reference - 1
    return table


def cell_rows(errors: pd.DataFrame) -> pd.DataFrame:
    """Per bias and point: cells that are bistable, and rms and worst error of each value."""
    rows = []
    for (bias, point), group in errors.groupby(["bias", "point"], sort=False):
        row: dict[str, Any] = {"bias": bias, "point": point, "cells": len(group)}
        row["cells_bistable"] = int(group["beta_hi_a"].notna().sum())
        for name in CELL_VALUES:
            for kind in ("error", "error_nominal"):
                values = group[f"{name}_{kind}"].dropna().to_numpy()
                row[f"{name}_{kind}_rms"] = (
                    float(np.sqrt(np.mean(values**2))) if len(values) else None
                )
                row[f"{name}_{kind}_worst"] = (
                    float(values[np.abs(values).argmax()]) if len(values) else None
                )
        rows.append(row)
    return pd.DataFrame(rows)


def summarise_points(points: pd.DataFrame, total: int) -> dict[str, Any]:
    """Headline figures; those of a condition that was not simulated are left out."""
    figures: dict[str, Any] = {"pvt_points_total": total}
    for words in CONDITION_WORDS:
        here = points[points["condition"] == words.name]
        if len(here):
            figures |= {f"{words.prefix}_{key}": v for key, v in _condition(here).items()}
    return figures


def _condition(points: pd.DataFrame) -> dict[str, Any]:
    complete = points["clips_ok"] == points["clips"]
    kept = complete & (points["votes_kept"] == points["clips"])
    nominal = complete & (points["votes_as_nominal"] == points["clips"])
    known = points["votes_as_nominal"].notna().any()
    states = int(points["states"].sum())
    ran = points[points["states"] > 0]
    shares = 1 - ran["states_differing"] / ran["states"]
    currents = points["reference_current_a"].dropna()
    figures: dict[str, Any] = {
        "points": len(points),
        "points_failed": int((~complete).sum()),
        "points_all_votes_kept": int(kept.sum()),
        "points_all_votes_as_nominal": int(nominal.sum()) if known else None,
        "votes_kept": int(points["votes_kept"].sum()),
        "votes_total": int(points["clips"].sum()),
        "state_agreement": 1 - points["states_differing"].sum() / states if states else None,
        "state_agreement_worst_point": float(shares.min()) if len(ran) else None,
        "logit_margin_min_units": _extreme(points["logit_margin_min_units"], min),
        "power_min_w": _extreme(points["mean_power_w"], min),
        "power_max_w": _extreme(points["mean_power_w"], max),
        "votes_lost": [
            f"{row.corner} {row.supply_v:g} V {row.temperature_c:g} C: "
            f"{row.votes_kept} of {row.clips}"
            for row in points[~kept].itertuples()
        ],
    }
    if len(currents):
        figures["reference_current_min_a"] = float(currents.min())
        figures["reference_current_max_a"] = float(currents.max())
    return figures


def _extreme(values: "pd.Series[Any]", choose: Any) -> float | None:
    known: Sequence[float] = values.dropna().tolist()
    return float(choose(known)) if known else None
