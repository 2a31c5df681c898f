"""What the viewer of clips reads: inputs, states, candidates and logits, in few bytes.

Heat maps are bytes, row by row; states of bistable cells are shades: 0 off, 1 on because the
candidate is above beta_hi, 2 on from memory alone. Lines have 16 bits between their extremes.
"""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.report.page import Section
from codesign.report.style import count, number
from codesign.report.svg import plain
from codesign.report.training.data import Floats, Learned, rule_words, unit_name
from codesign.report.waves import encode
from codesign.training.evidence import Raster


def section(learned: Learned) -> Section | None:
    """None where no clips were kept."""
    if learned.evidence is None or not learned.evidence.rasters:
        return None
    left = int(learned.evidence.facts.get("raster_clips_left_out") or 0)
    rest = f" {count(left)} more were left out to keep the page small." if left else ""
    shown = len(learned.evidence.rasters)
    return Section(
        key="clips",
        title="Clip by clip",
        lead=f"{count(shown)} clips, every unit: its candidate and its state in each frame.{rest}",
        course=payload(learned),
    )


def payload(learned: Learned) -> dict[str, Any]:
    """The JSON that the viewer reads; no number in it is NaN or infinite."""
    assert learned.evidence is not None
    units = learned.thresholds
    rows = [] if units is None else units.to_dict("records")
    names = [unit_name(int(row["layer"]), int(row["unit"])) for row in rows]
    return {
        "classes": list(learned.data.class_names),
        "bistable": units is not None,
        "thresholds": {
            name: [_short(row["beta_hi_units"]), _short(row["beta_lo_units"])]
            for name, row in zip(names, rows, strict=True)
        },
        "alpha": {name: _short(row["alpha_units"]) for name, row in zip(names, rows, strict=True)},
        "clips": [_clip(learned, raster) for raster in learned.evidence.rasters],
    }


def shades(state: Floats, candidate: Floats, upper: Floats) -> NDArray[np.uint8]:
    """Shades [T, units] of states and candidates [T, units] with thresholds beta_hi [units]."""
    on = state > 0
    return np.where(on, np.where(candidate <= upper, 2, 1), 0).astype(np.uint8)


def _clip(learned: Learned, raster: Raster) -> dict[str, Any]:
    units = learned.thresholds
    layers, states = [], {}
    for layer, state in enumerate(raster.states.astype(np.float64)):
        if units is not None:
            rows = units[units["layer"] == layer].sort_values("unit")
            upper = rows["beta_hi_units"].to_numpy(np.float64)
            marks = shades(state, raster.candidates[layer].astype(np.float64), upper)
            layers.append({"rows": state.shape[1], "shades": True, "data": _base64(marks)})
        else:
            largest = float(np.abs(state).max()) or 1.0
            scaled = np.rint(128 + 127 * state / largest).astype(np.uint8)
            layers.append({"rows": state.shape[1], "shades": False, "data": _base64(scaled)})
            for unit in range(state.shape[1]):
                states[unit_name(layer, unit)] = _line(state[:, unit])
    inputs = raster.inputs.astype(np.float64)
    low, high = float(inputs.min()), float(inputs.max())
    bytes_ = np.rint(255 * (inputs - low) / ((high - low) or 1.0)).astype(np.uint8)
    name = plain(raster.clip_id, 60)
    return {
        "id": name,
        "name": f"{name} · {_short_word(learned, raster)}",
        "said": _said(learned, raster),
        "decision": raster.decision,
        "first": raster.first_frame,
        "frames": len(raster.logits),
        "inputs": {"rows": inputs.shape[1], "data": _base64(bytes_)},
        "layers": layers,
        "states": states,
        "candidates": {
            unit_name(layer, unit): _line(values[:, unit])
            for layer, values in enumerate(raster.candidates.astype(np.float64))
            for unit in range(values.shape[1])
        },
        "logits": [_line(values) for values in raster.logits.astype(np.float64).T],
        "compared": []
        if raster.label < 0
        else [_short(value) for value in raster.compared.tolist()],
    }


def _short_word(learned: Learned, raster: Raster) -> str:
    if raster.label < 0:
        return raster.why
    decided = plain(learned.data.class_name(raster.decision), 20)
    return f"✓ {decided}" if raster.label == raster.decision else f"✗ taken for {decided}"


def _said(learned: Learned, raster: Raster) -> str:
    """The clip in a sentence: label, decision, by how much, why it is here."""
    if raster.label < 0:
        return f"{raster.why.capitalize()}; every frame is decided by itself."
    label, decided = (
        plain(learned.data.class_name(k), 40) for k in (raster.label, raster.decision)
    )
    ordered = np.sort(raster.compared)
    lead = number(float(ordered[-1] - ordered[-2])) if len(ordered) > 1 else "–"
    rule = rule_words(learned.rule)
    mark = "✓" if raster.label == raster.decision else "✗"
    return (
        f"{mark} Label {label}, decided {decided}, {lead} units ahead by {rule}; chosen because it "
        f"is {raster.why}."
    )


def _base64(rows: NDArray[np.uint8]) -> str:
    """Bytes of [T, rows], one row after the other."""
    return base64.b64encode(np.ascontiguousarray(rows.T).tobytes()).decode("ascii")


def _line(values: Floats) -> list[Any]:
    low, high, data = encode(values)
    return [_short(low), _short(high), data]


def _short(value: float) -> float:
    return float(f"{float(value):.5g}")
