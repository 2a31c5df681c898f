"""Waveforms of a batched run in the form in which those of ngspice are kept."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.circuit.network import SUPPLIES
from codesign.circuit.timing import Timing
from codesign.engine.grid import frame_grids, waveforms
from codesign.mapping.names import cell_instance

if TYPE_CHECKING:  # which offers what is here as a method
    from codesign.engine.batched import BatchedEngine, EngineResult

_BLOCK = {"vdd_cells": "cells", "vdd_ff": "feedforward", "vdd_bias": "bias"}


def step_times_s(engine: "BatchedEngine", frames: int) -> NDArray[np.float64]:
    """Ends of the steps of a run of ``frames`` frames (steps,), seconds; without noise's ticks."""
    hw, shape = engine.hardware, engine.shape
    timing = Timing(hw.frame_s, hw.edge_s, frames, shape.layers)
    forms = waveforms(hw, shape, timing)
    first, later = frame_grids(hw, timing, engine.graph.boundary.driven, forms, engine.resolution)
    steps = [first.step_us, *[later.step_us] * (frames - 1)]
    return np.cumsum(np.concatenate(steps)) * 1e-6


def sample_waves(engine: "BatchedEngine", result: "EngineResult", row: int) -> pd.DataFrame:
    """Waveforms of one sample of a run with ``waves``: columns as in ``simulation.sample``.

    time_s; candidate, state and logit currents in amperes, v0 in volts, power by block in watts.
    """
    wave = result.output.wave
    assert wave is not None  # the caller asked for waves
    frames = result.candidates_a.shape[-1]
    program, shape, values = engine.program, engine.shape, wave[row].astype(np.float64)
    columns: dict[str, NDArray[np.float64]] = {"time_s": step_times_s(engine, frames)}
    cells = [(la, un) for la in range(shape.layers) for un in range(shape.state_dim)]
    first = len(program.nodes)
    for offset, kind in ((0, "candidate"), (len(cells), "state")):
        for k, (layer, unit) in enumerate(cells):
            columns[f"{kind}.l{layer}.u{unit}_a"] = values[:, first + offset + k] * 1e-9
    for k in range(shape.classes):
        columns[f"logit.c{k}_a"] = values[:, first + 2 * len(cells) + k] * 1e-9
    for layer, unit in cells:
        node = program.nodes.index(f"{cell_instance(layer, unit)}.v0")
        columns[f"v0.l{layer}.u{unit}_v"] = values[:, node]
    metered = first + 2 * len(cells) + shape.classes
    for k, supply in enumerate(SUPPLIES):
        current = values[:, metered + k] * 1e-9
        columns[f"power.{_BLOCK[supply]}_w"] = current * engine.hardware.supply_v
    return pd.DataFrame(columns).astype({name: "float32" for name in columns if name != "time_s"})
