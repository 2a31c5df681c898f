"""Waveforms of root disagreements for the viewer: packed, and as many as fit.

A waveform runs from the sampling instant before to that of its own frame, in equal bins that keep
their extremes (``report.waves.envelope``), so that no excursion is lost however short.
"""

import json
from typing import Any

import numpy as np

from codesign.report.agreement.data import CAUSES, ROLES, Disagreements, counts_by_place
from codesign.report.rundata import RunData
from codesign.report.thresholds import cell_thresholds
from codesign.report.waves import encode, envelope, strobes

BINS = 96
BUDGET_BYTES = 1_500_000


def payload(data: RunData, found: Disagreements) -> dict[str, Any]:
    """The JSON of the viewer: roots in order of what follows from them, within the budget."""
    thresholds = cell_thresholds(data.design)
    alphas = _alphas(data)
    order = found.roots.sort_values(
        ["decision_differs", "states", "root"], ascending=[False, False, True], kind="stable"
    )
    packed, size = [], 0
    for row in order.to_dict("records"):
        item = _pack({str(k): v for k, v in row.items()}, found)
        size += len(json.dumps(item))
        if size > BUDGET_BYTES:
            break
        packed.append(item)
    places = counts_by_place(found)
    return {
        "roots": packed,
        "left_out": len(order) - len(packed),
        "bins": BINS,
        "windows": strobes(data),
        "thresholds": {f"{la}.{un}": list(pair) for (la, un), pair in thresholds.items()},
        "alphas": alphas,
        "supply_v": float(data.hardware["supply_v"]),
        "frames": found.frames,
        "units": int(found.units["unit"].max()) + 1,
        "layers": found.layers,
        "places": [[int(x) for x in at] + [int(places[tuple(at)])] for at in np.argwhere(places)],
        "causes": {name: {"means": CAUSES[name], "role": role} for name, role in ROLES.items()},
    }


def _pack(row: dict[str, Any], found: Disagreements) -> dict[str, Any]:
    item = {
        "n": int(row["root"]),
        "clip": str(row["clip_id"]),
        "sample": int(row["sample"]),
        "chip": None if row["chip"] is None or row["chip"] != row["chip"] else int(row["chip"]),
        "at": [int(row[name]) for name in ("layer", "unit", "frame")],
        "cause": str(row["cause"]),
        "why": str(row["why"]),
        "states": int(row["states"]),
        "decision": bool(row["decision_differs"]),
        "twin": [_short(row["twin_candidate_units"]), bool(row["twin_active"])],
        "chipc": [_short(row["chip_candidate_units"]), _short(row["chip_state_units"])],
        "was": bool(row["chip_was_active"]),
        "spread": _short(row["spread_units"]),
        "wave": None,
    }
    wave = found.waves.get(int(row["root"]))
    if wave is not None:
        time = wave["at"].to_numpy(np.float64)
        item["wave"] = {"t": [_short(time[0]), _short(time[-1])]} | {
            key: encode(envelope(time, wave[name].to_numpy(np.float64), BINS))
            for key, name in (("c", "candidate_units"), ("v", "v0_v"), ("h", "state_units"))
        }
    return item


def _alphas(data: RunData) -> dict[str, float]:
    if data.design is None:
        return {}
    table = data.design.mapping
    rows = table[table["parameter"].str.fullmatch(r"layers\.\d+\.cell\.alpha")]
    return {
        f"{name.split('.')[1]}.{int(str(index).strip('()[], '))}": float(value)
        for name, index, value in zip(
            rows["parameter"], rows["index"], rows["software_value"], strict=True
        )
    }


def _short(value: Any) -> float:
    return float(f"{float(value):.5g}")
