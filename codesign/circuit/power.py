"""Supply current predicted from the software twin, transistor by transistor.

Every ampere enters through a PMOS whose gate is a P line: its mean current is the mean value of
the signal on that line times its ratio. Node currents that only charge capacitances are left
out; they are a small part in 10 ms frames.
"""

import re
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.checkpoint import Model
from codesign.circuit.bias import TREE_PATH
from codesign.circuit.count import BLOCKS
from codesign.circuit.elements import Library, Mosfet, flatten
from codesign.mapping.design import Design
from codesign.mapping.names import cell_instance
from codesign.network import Trace, evaluate

_SUPPLIES = {"vdd_cells": "cells", "vdd_ff": "feedforward", "vdd_bias": "bias"}
_SIGNAL = re.compile(r"(?:.*\.)?([a-z]+\d*_\d+)_p")


def predict_power(
    model: Model,
    design: Design,
    library: Library,
    inputs: NDArray[np.float64],
    strobe_power_w: float = 0.0,
) -> dict[str, float]:
    """Mean power in watt by block and in total, for clips ``inputs`` (clips, frames, channels).

    ``strobe_power_w``: the strobe generator's, which is measured.
    """
    parameters = {key: value.double() for key, value in model.network.state_dict().items()}
    with torch.no_grad():
        trace = evaluate(parameters, torch.from_numpy(inputs))
    lines = _mean_lines(trace, inputs)
    fixed = _fixed_currents(design, lines)
    ratios = {
        row.instance: abs(row.expected_value)
        for row in design.rows
        if row.role in ("weight", "bias")
    }
    hw = design.hardware
    current = dict.fromkeys(BLOCKS, 0.0)
    for device in flatten(library):
        if device.name.startswith(TREE_PATH):
            continue  # its branches carry the loop's current, not a line's
        if isinstance(device, Mosfet) and device.source in _SUPPLIES:
            amperes = fixed.get(device.name)
            if amperes is None:
                ratio = ratios.get(device.name, int(device.m) / hw.weight_grid)
                amperes = _line_value(device.gate, lines) * ratio * hw.unit_current_a
            current[_SUPPLIES[device.source]] += amperes
    if design.reference is not None:
        current["bias"] += design.reference.supply_current_a
    power = {block: value * hw.supply_v for block, value in current.items()}
    power["strobe"] = strobe_power_w
    return {**power, "total": sum(power.values())}


def _line_value(gate: str, lines: Mapping[str, float]) -> float:
    if gate.endswith("ref_p"):
        return 1.0
    match = _SIGNAL.fullmatch(gate)
    if match is None or match[1] not in lines:
        raise ValueError(f"the gate '{gate}' is not a known P line")
    return lines[match[1]]


def _mean_lines(trace: Trace, inputs: NDArray[np.float64]) -> dict[str, float]:
    """Mean of every signal over clips and frames, by the name of its line."""
    carried = [trace.projection, *trace.outputs]
    groups = {"u": torch.from_numpy(inputs)}
    for layer, (candidate, state) in enumerate(zip(trace.candidates, trace.states, strict=True)):
        groups[f"x{layer}"] = carried[layer]
        groups[f"c{layer}"] = candidate
        groups[f"h{layer}"] = state
        groups[f"v{layer}"] = carried[layer + 1] - carried[layer]
    groups[f"x{len(trace.states)}"] = carried[-1]
    return {
        f"{name}_{unit}": float(mean)
        for name, values in groups.items()
        for unit, mean in enumerate(values.mean(dim=(0, 1)))
    }


def _fixed_currents(design: Design, lines: Mapping[str, float]) -> dict[str, float]:
    """Currents of the devices that a bias sets: bias mirrors, hold and feedback of the cells."""
    fixed = {
        row.instance: row.bias_current_a for row in design.rows if row.bias_current_a is not None
    }
    table = design.by_parameter()
    for hold in design.holds:
        cell = cell_instance(hold.layer, hold.unit)
        fixed[f"xlayers_{hold.layer}.xcell.mdiode_hold_{hold.unit}"] = hold.bias_current_a
        fixed[f"{cell}.mh"] = hold.bias_current_a
    for layer in range(design.shape.layers):
        for unit in range(design.shape.state_dim):
            alpha = table[f"layers.{layer}.cell.alpha"][(unit,)].software_value
            high = lines[f"h{layer}_{unit}"] / alpha if alpha else 0.0
            width = table[f"layers.{layer}.cell.width"][(unit,)].bias_current_a or 0.0
            for device in ("m7", "m9"):
                fixed[f"{cell_instance(layer, unit)}.{device}"] = high * width
    return fixed
