"""A bench for the memory of one layer: slow triangular candidates, to see every loop as built.

The block is the one in ``network.cir``, bias mirrors included, so what is measured is the design
and not the cell it was characterised from; and a slow transient is another method than the DC
sweep that programmed it.
"""

from collections.abc import Sequence

from codesign.circuit.bias import TREE_PATH, control_ports
from codesign.circuit.elements import Library
from codesign.circuit.spice_text import comment, engineering
from codesign.circuit.testbench import TRANSIENT_OPTIONS
from codesign.device.reference import nodesets
from codesign.flows import HardwareSection
from codesign.mapping.design import Design

INSTANCE = "xcell"
# One way of the triangle. A cell takes some milliseconds to switch; this is slow beside them.
RAMP_S = 40.0
PEAK = 1.3
_STEPS = 1600


def candidate_vector(unit: int) -> str:
    """Current of the ReLU diode that carries the candidate of a unit."""
    return f"@mrelu_{unit}[id]"


def state_vector(unit: int) -> str:
    """Current of a state, copied by a unit mirror into a summing node."""
    return f"@mread_{unit}[id]"


def _reference(hw: HardwareSection) -> list[str]:
    if hw.bias == "tree":
        return [
            "xreference ref_p ref_n clear rst vdd 0 reference",
            *nodesets(hw.supply_v, TREE_PATH),
        ]
    return [
        f"iref ref_p 0 {engineering(hw.unit_current_a)}",
        "xreference ref_p ref_n vdd 0 reference",
    ]


def cell_bench(
    design: Design, library: Library, layer: int, models: dict[str, str], includes: Sequence[str]
) -> str:
    """The deck for all cells of one layer, up to its control block."""
    hw, mirrors = design.hardware, design.mirrors
    block = library.subcircuits[f"layers_{layer}_cell"]
    reset = control_ports(hw.bias == "tree")[-1]
    unit_size = f"w={engineering(hw.unit_w_m)} l={engineering(hw.unit_l_m)} m={hw.weight_grid}"
    sizes = f"wu={engineering(hw.unit_w_m)} lu={engineering(hw.unit_l_m)} mu={hw.weight_grid} "
    lines = [
        comment(f"Hysteresis of the {design.shape.state_dim} cells of layer {layer}"),
        *(f".include '{name}'" for name in includes),
        TRANSIENT_OPTIONS,
        f".temp {hw.temperature_c:g}",
        f"vdd vdd 0 {hw.supply_v:g}",
        *_reference(hw),
        f"vrst {reset} 0 pwl(0 {hw.supply_v:g} 1m {hw.supply_v:g} 2m 0)",
    ]
    if hw.cell == "strobed":
        lines += [f"vstb stb 0 {hw.supply_v:g}", "vstbn stbn 0 0"]
    rows = design.by_parameter()[f"layers.{layer}.cell.beta_hi"]
    for unit in range(design.shape.state_dim):
        peak = engineering(PEAK * rows[(unit,)].software_value * hw.unit_current_a)
        lines += [
            f"ic_{unit} vdd s_{unit} pwl(0 0 {RAMP_S:g} {peak} {2 * RAMP_S:g} 0)",
            f"mrelu_{unit} s_{unit} s_{unit} 0 0 {models['n']} {unit_size}",
            f"xturn_{unit} s_{unit} c{layer}_{unit}_p vdd 0 turn_n_to_p {sizes}"
            f"lt={engineering(mirrors.n_to_p.l_m)}",
            f"mcopy_{unit} o_{unit} h{layer}_{unit}_p vdd vdd {models['p']} "
            f"w={engineering(hw.unit_w_m)} l={engineering(mirrors.p_to_sum.l_m)} "
            f"m={hw.weight_grid}",
            f"mread_{unit} o_{unit} o_{unit} 0 0 {models['n']} {unit_size}",
            f".save {candidate_vector(unit)}",
            f".save {state_vector(unit)}",
        ]
    rails = {"vdd_cells": "vdd", "vdd_bias": "vdd", "vss": "0"}
    nodes = [rails.get(port, port) for port in block.ports]
    lines += [f"{INSTANCE} {nodes[0]}", *(f"+ {node}" for node in [*nodes[1:], block.name])]
    step = engineering(RAMP_S / _STEPS)
    lines.append(f".tran {step} {2 * RAMP_S:g} 0 {step}")
    return "\n".join(lines) + "\n"
