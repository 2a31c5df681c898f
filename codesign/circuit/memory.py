"""The memory of one layer: its cells and the bias mirrors that program them.

Each learned number of a cell (beta_hi, width, alpha) is the current of one PMOS mirror from the
reference line into an NMOS diode of the cell's own mirror size. A strobed cell also has a hold
current, made the other way round because the cell reads it from a P line.
"""

from codesign.circuit.elements import Call, Element, Group, Mosfet, Subcircuit
from codesign.circuit.lines import Signals
from codesign.mapping.design import Design, HoldBias, Row
from codesign.mapping.names import device_name

_GATES = {"beta_hi": "thr", "width": "wid", "alpha": "gain"}


def memory(design: Design, layer: int, candidate: Signals, state: Signals) -> Subcircuit:
    """The subcircuit ``layers_<l>_cell``: one cell per unit with its biases.

    Ports: candidates (P lines), states (P lines), reference lines, reset, strobe and its
    complement for strobed cells, supplies of cells and of biases, ground.
    """
    strobed = design.hardware.cell == "strobed"
    d = design.shape.state_dim
    table = design.by_parameter()
    holds = {hold.unit: hold for hold in design.holds if hold.layer == layer}
    groups = []
    for unit in range(d):
        rows = {name: table[f"layers.{layer}.cell.{name}"][(unit,)] for name in _GATES}
        elements: list[Element] = []
        for name, row in rows.items():
            elements += _bias(design, row, f"{_GATES[name]}_{unit}", f"mdiode_{name}_{unit}")
        if strobed:
            elements += _hold(design, holds[unit], f"hold_{unit}")
        elements.append(_cell(design, unit, candidate.line(unit, "p"), state.line(unit, "p")))
        beta_hi, width = rows["beta_hi"].software_value, rows["width"].software_value
        comment = (
            f"unit {unit}: sets above {beta_hi:.4g}, clears below {beta_hi - width:.4g}, "
            f"state {rows['alpha'].software_value:.4g} units"
        )
        groups.append(Group(comment, tuple(elements)))
    lines = [candidate.line(unit, "p") for unit in range(d)]
    lines += [state.line(unit, "p") for unit in range(d)]
    control = ("ref_p", "ref_n", "rst", "stb", "stbn") if strobed else ("ref_p", "rst")
    return Subcircuit(
        f"layers_{layer}_cell",
        (*lines, *control, "vdd_cells", "vdd_bias", "vss"),
        tuple(groups),
        f"layers.{layer}.cell: {d} bistable cells and the currents that program them.",
    )


def cell_sizes(design: Design) -> dict[str, float]:
    """Parameters of the library's cells."""
    hw = design.hardware
    return {
        "wu": hw.unit_w_m, "lu": hw.unit_l_m, "mu": float(hw.weight_grid),
        "wc": hw.cell_w_m, "lc": hw.cell_l_m, "ws": hw.switch_w_m, "ls": hw.switch_l_m,
        "cv": hw.v0_capacitance_f,
    }  # fmt: skip


def _bias(design: Design, row: Row, node: str, diode: str) -> list[Element]:
    hw = design.hardware
    name = device_name(row.parameter, row.index)
    return [
        Mosfet(name, node, "ref_p", "vdd_bias", "vdd_bias", "p", row.w_m, row.l_m, row.m),
        Mosfet(diode, node, node, "vss", "vss", "n", hw.cell_w_m, hw.cell_l_m),
    ]


def _hold(design: Design, hold: HoldBias, node: str) -> list[Element]:
    hw = design.hardware
    return [
        Mosfet(
            f"mhold_{hold.unit}", node, "ref_n", "vss", "vss", "n", hw.unit_w_m, hold.l_m, hold.m
        ),
        Mosfet(
            f"mdiode_hold_{hold.unit}", node, node, "vdd_bias", "vdd_bias", "p",
            hw.cell_w_m, hw.cell_l_m,
        ),
    ]  # fmt: skip


def _cell(design: Design, unit: int, candidate: str, state: str) -> Call:
    gates = tuple(f"{gate}_{unit}" for gate in _GATES.values())
    control: tuple[str, ...] = ("rst",)
    if design.hardware.cell == "strobed":
        control = (f"hold_{unit}", "stb", "stbn", "rst")
    nodes = (candidate, state, *gates, *control, "vdd_cells", "vss")
    return Call(f"xunit_{unit}", f"bmru_{design.hardware.cell}", nodes, cell_sizes(design))
