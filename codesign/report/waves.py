"""Waveforms for the page: which clips, which units, and how few points show them honestly.

A trace is cut into equal bins; each keeps its smallest and largest value in the order in which
they occur, so a glitch far shorter than a bin is still drawn. Values are 16-bit between the
trace's extremes (a resolution of 1/65535 of its range), in base64.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.circuit.timing import SAMPLE, Timing
from codesign.errors import InputError
from codesign.report.reading import read_table
from codesign.report.rundata import RunData, Simulation
from codesign.report.style import is_number
from codesign.report.thresholds import Thresholds

Floats = NDArray[np.float64]

BUDGET_BYTES = 3_600_000
MAX_CELLS = 40


@dataclass(frozen=True)
class Clip:
    """One sample that can be drawn: waveforms and the per-frame tables that belong to it."""

    sample: int
    row: dict[str, Any]
    waves: pd.DataFrame
    states: pd.DataFrame
    logits: pd.DataFrame


def read_clip(sim: Simulation, sample: int) -> Clip:
    """Waveforms and tables of one sample."""
    path = sim.waves[sample]
    waves = read_table(path, "time_s", "waveforms", "codesign simulate")
    if len(waves) < 2:
        raise InputError(f"{path} (waveforms) holds fewer than two time points.")
    row = sim.samples[sim.samples["sample"] == sample].iloc[0].to_dict()
    return Clip(
        sample=sample,
        row={str(key): value for key, value in row.items()},
        waves=waves,
        states=sim.states[sim.states["sample"] == sample],
        logits=sim.logits[sim.logits["sample"] == sample],
    )


def clip_order(sim: Simulation) -> list[int]:
    """Samples with waveforms: decisions that differ, then most state disagreements, then rest."""
    wrong = sim.states[~sim.states["agree"].astype(bool)].groupby("sample").size()
    ok = sim.ok.set_index("sample")

    def rank(sample: int) -> tuple[bool, bool, int, int]:
        agree, tie = ok.loc[sample, "agree"], ok.loc[sample, "near_tie"]
        return (bool(agree), not bool(tie), -int(wrong.get(sample, 0)), sample)

    return sorted(sim.waves, key=rank)


def units_to_show(clip: Clip) -> list[tuple[int, int]]:
    """(layer, unit) pairs of a clip, all of them, or those that disagree first."""
    pairs = clip.states.groupby(["layer", "unit"], sort=True)["agree"].agg(lambda s: (~s).sum())
    every = [(int(layer), int(unit)) for layer, unit in pairs.index]
    if len(every) <= MAX_CELLS:
        return every
    ranked = sorted(every, key=lambda at: (-int(pairs.loc[at]), at[1], at[0]))
    return sorted(ranked[:MAX_CELLS])


def default_unit(clip: Clip) -> tuple[int, int]:
    """The unit worth showing first: disagreements, else the most changes of state."""
    table = clip.states.assign(wrong=~clip.states["agree"].astype(bool))
    sums = table.groupby(["layer", "unit"], sort=True)[["wrong", "changed"]].sum()
    best = max(sums.index, key=lambda at: (sums.loc[at, "wrong"], sums.loc[at, "changed"]))
    return int(best[0]), int(best[1])


def envelope(time: Floats, value: Floats, bins: int) -> Floats:
    """Two values per bin [2 * bins]: its extremes, drawn at its two ends.

    The order follows the slope, so a trace that only rises or falls is drawn as it is.
    """
    edges = np.linspace(time[0], time[-1], bins + 1)
    all_time = np.concatenate([time, edges])
    order = np.argsort(all_time, kind="stable")
    t = all_time[order]
    v = np.concatenate([value, np.interp(edges, time, value)])[order]
    start = np.searchsorted(t, edges[:-1], side="left")
    stop = np.searchsorted(t, edges[1:], side="right")
    # reduceat reduces [start, stop) at even places; the copy at the end lets stop be len(v).
    spans = np.stack([start, stop], axis=1).ravel()
    padded = np.append(v, v[-1])
    low, high = (f.reduceat(padded, spans)[::2] for f in (np.minimum, np.maximum))
    rising = v[start] <= v[stop - 1]
    return np.stack([np.where(rising, low, high), np.where(rising, high, low)], axis=1).ravel()


def bin_means(time: Floats, value: Floats, bins: int) -> tuple[Floats, Floats]:
    """Bin centres and time-averaged values [bins]: the mean of the whole is kept."""
    edges = np.linspace(time[0], time[-1], bins + 1)
    value = np.nan_to_num(value)
    area = np.concatenate([[0.0], np.cumsum(np.diff(time) * (value[1:] + value[:-1]) / 2)])
    # Exact for piecewise-linear waveforms up to interpolation of the running integral.
    steps = np.diff(np.interp(edges, time, area))
    return (edges[1:] + edges[:-1]) / 2, steps / np.diff(edges)


def encode(values: Floats) -> list[Any]:
    """[low, high, base64 of little-endian uint16] of a trace; NaN counts as its low end."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    span = (high - low) or 1.0
    scaled = np.nan_to_num((values - low) / span * 65535, nan=0.0, posinf=65535, neginf=0)
    raw = np.rint(scaled).astype("<u2").tobytes()
    return [low, high, base64.b64encode(raw).decode("ascii")]


def bins_per_frame(frames: int) -> int:
    """Finer for short clips: about 500 to 800 bins in all."""
    return int(np.clip(round(480 / max(1, frames)), 6, 60))


def embed(data: RunData, sim: Simulation, thresholds: Thresholds) -> dict[str, Any]:
    """The JSON the waveform viewer reads, within ``BUDGET_BYTES``."""
    summary = sim.summary
    frames = int(summary.get("frames") or sim.states["frame"].max() + 1)
    order = clip_order(sim)
    clips: list[dict[str, Any]] = []
    size = 0
    for sample in order:
        clip = read_clip(sim, sample)
        packed = _pack(clip, frames, frames * bins_per_frame(frames), data)
        size += len(json.dumps(packed))
        if clips and size > BUDGET_BYTES:
            break
        clips.append(packed)
    first = read_clip(sim, order[0])
    return {
        "unit_a": float(summary.get("unit_current_a") or data.hardware["unit_current_a"]),
        "frame_s": float(summary.get("frame_s") or data.hardware["frame_s"]),
        "frames": frames,
        "sample_at": SAMPLE,
        "strobes": strobes(data),
        "classes": list(data.class_names),
        "thresholds": {f"{layer}.{unit}": pair for (layer, unit), pair in thresholds.items()},
        "start": list(default_unit(first)),
        "clips": clips,
        "available": len(order),
    }


def strobes(data: RunData) -> list[list[float]]:
    """Per layer, the part of the frame in which a strobed cell looks; empty for others."""
    hardware = data.hardware
    if hardware.get("cell") != "strobed":
        return []
    layers = int(data.model.get("layers") or 0)
    timing = Timing(hardware["frame_s"], hardware["edge_s"], 1, layers)
    return [list(timing.window(layer)) for layer in range(layers)]


def _pack(clip: Clip, frames: int, bins: int, data: RunData) -> dict[str, Any]:
    time = clip.waves["time_s"].to_numpy(float)
    shown = units_to_show(clip)
    kinds = ("candidate", "state")
    names = [f"{kind}.l{layer}.u{unit}_a" for layer, unit in shown for kind in kinds]
    names += [name for name in clip.waves.columns if name.startswith("logit.")]
    traces = {
        name: encode(envelope(time, clip.waves[name].to_numpy(float), bins))
        for name in names
        if name in clip.waves.columns
    }
    # Powers are stacked, and extremes do not add up: they keep the mean of each bin.
    traces |= {
        name: encode(bin_means(time, clip.waves[name].to_numpy(float), bins)[1])
        for name in clip.waves.columns
        if name.startswith("power.")
    }
    twin = {
        f"{layer}.{unit}": {
            "c": _rounded(part["twin_candidate_units"]),
            "h": _rounded(part["twin_state_units"]),
            "cc": _rounded(part["chip_candidate_units"]),
            "ch": _rounded(part["chip_state_units"]),
            "wrong": {
                int(frame): str(cause) if isinstance(cause, str) else "unexplained"
                for frame, cause, agree in zip(
                    part["frame"], part["cause"], part["agree"], strict=True
                )
                if not agree
            },
        }
        for layer, unit in shown
        for part in [_of(clip.states, layer, unit)]
    }
    logits, sampled = (
        [
            _rounded(part.sort_values("frame")[f"{kind}_logit_units"])
            for _, part in clip.logits.groupby("class_index", sort=True)
        ]
        for kind in ("twin", "chip")
    )
    row = clip.row
    return {
        "sample": clip.sample,
        "id": str(row["clip_id"]),
        "label": data.class_name(row["label"]),
        "twin": data.class_name(row["twin_decision"]),
        "chip": data.class_name(row["chip_decision"]),
        "agree": bool(row["agree"]),
        "tie": bool(row["near_tie"]),
        "margin": _float(row["twin_margin_units"]),
        "t": [float(time[0]), float(time[-1])],
        "bins": bins,
        "traces": traces,
        "cells": twin,
        "logits": logits,
        "sampled": sampled,
    }


def _of(states: pd.DataFrame, layer: int, unit: int) -> pd.DataFrame:
    return states[(states["layer"] == layer) & (states["unit"] == unit)].sort_values("frame")


def _rounded(values: "pd.Series[float]") -> list[float | None]:
    return [_float(value) for value in values]


def _float(value: Any) -> float | None:
    return float(f"{float(value):.4g}") if is_number(value) else None
