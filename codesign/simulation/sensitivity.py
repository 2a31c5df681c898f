"""Sensitivity of the decision margin to every device, measured in the batched engine.

For each clip the nominal chip is run with one parameter of one device at a time moved by half a
standard deviation either way (``codesign.analysis.sensitivity``), and with its threshold moved by
``FAR`` standard deviations. Where the latter flips a state, bisection finds how little does.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.sensitivity import (
    PARAMETERS,
    STEP,
    Around,
    agreement_of_sigma,
    by_role,
    predicted_sigma,
    sensitivity_rows,
)
from codesign.simulation.probe import Chips, Probe, Seen, joined

FAR = 3.0
# Bisections of FAR: 0.05 of a standard deviation.
_HALVINGS = 6
# Chips made at once: arrays of draws of a few megabytes.
_CHIPS = 1024
_TOP = 10

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def measure_clip(probe: Probe, at: int) -> pd.DataFrame:
    """The table of one clip: ``sensitivity_rows``, and for thresholds

    flip_sigma         the least move found, in sigma, that flips a state; NaN: none within FAR
    flip_state         the first that flips, ``layers.0[3] frame 5``
    flip_margin_units  the margin after that move
    """
    sigma = probe.sigma()
    count = len(probe.devices)
    nominal = probe.nominal(np.array([at]))
    device, parameter, side = (index.ravel() for index in np.indices((count, len(PARAMETERS), 2)))
    moves = np.where(side == 0, -STEP, STEP)
    found = one_at_a_time(probe, at, device, parameter, moves, sigma)
    grid = (count, len(PARAMETERS), 2)
    around = Around(
        float(nominal.margin_units[0]),
        found.margin_units.reshape(grid),
        any_differs(found, nominal).reshape(grid),
        sigma,
    )
    rows = sensitivity_rows(
        probe.plan.clip_ids[at], around, probe.engine.instances,
        tuple(device.polarity for device in probe.devices),
    )  # fmt: skip
    flips = _flips(probe, at, nominal, sigma)
    keyed = rows.merge(flips, on=["device", "parameter"], how="left", validate="one_to_one")
    return keyed.sort_values("rank").reset_index(drop=True)


def one_at_a_time(
    probe: Probe, at: int, device: Ints, parameter: Ints, moves: Floats, sigma: Floats
) -> Seen:
    """Sample k: the nominal chip, ``parameter[k]`` of ``device[k]`` off by ``moves[k]`` sigma."""
    parts = []
    for start in range(0, len(device), _CHIPS):
        span = slice(start, start + _CHIPS)
        chips = np.arange(len(device[span]))
        off = np.zeros((2, len(chips), len(probe.devices)))
        amount = moves[span] * sigma[device[span], parameter[span]]
        off[parameter[span], chips, device[span]] = amount
        parts.append(probe.run(np.full(len(chips), at), off[0], 1.0 + off[1], chips))
    return joined(parts)


def states_differ(found: Seen, nominal: Seen) -> NDArray[np.bool_]:
    """States that are not those of the nominal chip, of samples that ended well."""
    return np.asarray((found.active != nominal.active) & found.ok[:, None, None, None])


def any_differs(found: Seen, nominal: Seen) -> NDArray[np.bool_]:
    """Whether any state of a sample is not that of the nominal chip."""
    return np.asarray(states_differ(found, nominal).any(axis=(1, 2, 3)))


def _flips(probe: Probe, at: int, nominal: Seen, sigma: Floats) -> pd.DataFrame:
    """Which thresholds flip a state within FAR sigma, and how little does."""
    device = np.repeat(np.arange(len(probe.devices)), 2)
    way = np.tile([-1.0, 1.0], len(probe.devices))
    none = np.zeros_like(device)
    far = one_at_a_time(probe, at, device, none, FAR * way, sigma)
    hit = any_differs(far, nominal)
    device, way, none = device[hit], way[hit], none[hit]
    best, low, high = (
        far.take(np.flatnonzero(hit)),
        np.zeros(len(device)),
        np.full(len(device), FAR),
    )
    for _ in range(_HALVINGS if len(device) else 0):
        middle = (low + high) / 2
        tried = one_at_a_time(probe, at, device, none, middle * way, sigma)
        flipped = any_differs(tried, nominal)
        low, high = np.where(flipped, low, middle), np.where(flipped, middle, high)
        best = _where(flipped, tried, best)
    table = pd.DataFrame(
        {
            "device": [probe.engine.instances[k] for k in device],
            "parameter": "vth",
            "flip_sigma": high * way,
            "flip_state": [first_state(row) for row in states_differ(best, nominal)],
            "flip_margin_units": best.margin_units,
        }
    )
    least = table["flip_sigma"].abs().groupby(table["device"]).idxmin()
    return table.loc[least]


def first_state(different: NDArray[np.bool_]) -> str | None:
    """The earliest frame's lowest layer's state that differs, of (layers, units, frames)."""
    layer, unit, frame = np.nonzero(different)
    if not len(frame):
        return None
    first = np.lexsort((unit, layer, frame))[0]
    return f"layers.{layer[first]}[{unit[first]}] frame {frame[first]}"


def _where(rows: NDArray[np.bool_], new: Seen, old: Seen) -> Seen:
    """New samples where ``rows``, old ones elsewhere."""
    both = joined([new, old])
    index = np.arange(len(rows))
    return both.take(np.where(rows, index, index + len(rows)))


def sensitivity_figures(
    probe: Probe, chips: Chips, tables: Mapping[int, pd.DataFrame]
) -> dict[str, Any]:
    """Per clip, by place: the ranking in short, and first order against the chips."""
    clips = []
    for at, table in tables.items():
        index, found = chips.of_clip(at)
        nominal = probe.nominal(np.array([at]))
        top = table.head(_TOP)[["label", "device", "parameter", "contribution_units"]]
        clips.append(
            {"clip_id": probe.plan.clip_ids[at], "margin_units": float(nominal.margin_units[0])}
            | agreement_of_sigma(
                predicted_sigma(table),
                found.margin_units,
                first_order(probe, table, index).sum(axis=1) + nominal.margin_units[0],
                any_differs(found, nominal),
            )
            | {
                "roles": by_role(table),
                "top": top.to_dict("records"),
                "thresholds_that_flip_a_state": int(table["flip_sigma"].notna().sum()),
            }
        )
    return {"sensitivity_clips": clips, "sensitivity_devices": len(probe.devices)}


def first_order(probe: Probe, table: pd.DataFrame, chips: Ints) -> Floats:
    """What each device's draws add to the margin to first order, units, (chips, devices)."""
    draws, sigma = probe.draws(chips), probe.sigma()
    slope = table.pivot_table(index="device", columns="parameter", values="slope_units_per_sigma",
                              dropna=False).loc[list(probe.engine.instances)]  # fmt: skip
    vth, k = (
        np.nan_to_num(slope[name].to_numpy()) / sigma[:, p] for p, name in enumerate(("vth", "k"))
    )
    return np.asarray(vth * draws.delvto_v + k * (draws.mulu0 - 1.0))
