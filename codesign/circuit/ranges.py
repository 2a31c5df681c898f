"""Which currents a network uses, and which of them its devices support.

For every node: what it carries in the twin (``codesign.mapping.currents``), the gates that hang on
its lines in the netlist, and the time it has. Three things can be wrong with a node:

- it carries more, or typically less, than its copies are exact for;
- a state is so small that its line has not risen when it is looked at;
- its line, charged by a large current, still carries something when it should be off.

The last two are the same charge (``codesign.device.charging``): in amperes they do not depend on
the unit current, so a larger one, or a longer frame, cures them. What unit currents keep every node
in range follows.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from codesign.circuit.elements import Library, Mosfet, flatten
from codesign.circuit.timing import SAMPLE, Timing
from codesign.device.charging import SETTLED, reached, slowest_a, tail_a
from codesign.device.paths import SignPaths
from codesign.device.range import GAIN_CHANGE, CurrentRange, check_range
from codesign.flows import HardwareSection
from codesign.mapping.currents import NodeCurrent
from codesign.mapping.design import Design
from codesign.mapping.rescale import raise_states

# A line that keeps more than this when it should be off moves a candidate visibly.
TAIL_UNITS = 0.02
_LINE = re.compile(r"(?:.*\.)?([a-z]+\d*_\d+)_([pn])")


@dataclass(frozen=True)
class NodeRange:
    """One node: ``charge_c`` of its lines, ``time_s`` it has, what is left when it turns off.

    ``reached``: part of its level a state attains in its time (1 for others), ``needed_units`` the
    smallest level that settles (0 for others); ``gain_error``: worst relative error of its copies
    at its largest current. ``problems`` in words, empty where none.
    """

    current: NodeCurrent
    charge_c: float
    time_s: float
    tail_units: float
    reached: float
    needed_units: float
    gain_error: float
    problems: tuple[str, ...]


def plan_ranges(
    design: Design,
    library: Library,
    currents: Mapping[str, NodeCurrent],
    paths: SignPaths,
    supported: CurrentRange,
    smallest_weight: float,
    frames: int,
) -> dict[str, Any]:
    """Nodes outside the range, by name with the effect, and the unit currents that keep all in.

    ``smallest_weight`` a continuous weight can be; ``frames`` of a clip: a state rises from what
    its line has fallen to by then at the latest.
    """
    hw = design.hardware
    charges = _charges(design, library, paths)
    nodes = [
        _node(current, charges.get(name, 0.0), design, paths, supported, frames)
        for name, current in currents.items()
    ]
    largest = max(nodes, key=lambda node: node.current.largest_units)
    copied = max(n.current.largest_units for n in nodes if n.current.kind != "logit")
    used = [node for node in nodes if node.current.kind == "state" and node.current.largest_units]
    smallest = min(used or nodes, key=lambda node: node.current.largest_units)
    return {
        "unit_current_a": hw.unit_current_a,
        "supported_a": [supported.low_a, supported.high_a],
        "supported_because": [supported.low_cause, supported.high_cause],
        "specification": list(check_range(hw, supported, copied)),
        "gain_tolerance": GAIN_CHANGE,
        "settled_tolerance": SETTLED,
        "tail_tolerance_units": TAIL_UNITS,
        "largest": {"node": largest.current.node, "units": largest.current.largest_units},
        "smallest_state": {"node": smallest.current.node, "units": smallest.current.largest_units},
        "groups": _groups(nodes),
        "outside": [_record(node) for node in nodes if node.problems],
        "suggestion": _suggest(nodes, hw, supported),
        "raised_states": _raised(design, nodes, smallest_weight),
    }


def _charges(design: Design, library: Library, paths: SignPaths) -> dict[str, float]:
    """Charge (C) of every node: the gates on its P and N lines, one after the other."""
    hw = design.hardware
    unit_area = hw.unit_w_m * hw.unit_l_m
    charges: dict[str, float] = {}
    for device in flatten(library):
        match = _LINE.fullmatch(device.gate) if isinstance(device, Mosfet) else None
        if match is None or not isinstance(device, Mosfet):
            continue
        gates = float(device.w_m) * float(device.l_m) * int(device.m) / unit_area
        charge = gates * paths.charge_per_gate_c[match[2]]
        charges[match[1]] = charges.get(match[1], 0.0) + charge
    return charges


def _time_s(current: NodeCurrent, hw: HardwareSection, layers: int) -> float:
    """What a node has to settle: from when its cause moves to when its effect is looked at."""
    timing = Timing(hw.frame_s, hw.edge_s, 1, layers)
    number = re.match(r"[a-z](\d*)", current.node)
    layer = int(number[1]) if number and number[1] else 0
    if hw.cell != "strobed":
        return SAMPLE * hw.frame_s
    # Inputs and x0 feed layer 0; c_l is looked at by layer l; h_l, v_l and x_(l+1) by the next.
    reader = {"h": layer + 1, "v": layer + 1, "y": layers}.get(current.node[0], layer)
    starts = timing.window(reader - 1)[0] if reader > 0 else 0.0
    ends = timing.window(reader)[0] if reader < layers else SAMPLE
    return (ends - starts) * hw.frame_s


def _node(
    current: NodeCurrent,
    charge_c: float,
    design: Design,
    paths: SignPaths,
    supported: CurrentRange,
    frames: int,
) -> NodeRange:
    hw = design.hardware
    unit, time_s = hw.unit_current_a, _time_s(current, hw, design.shape.layers)
    tail = tail_a(charge_c, time_s) / unit
    part, needed, error = 1.0, 0.0, 0.0
    problems = []
    native = "p" if current.kind in ("input", "state") else "n"
    low, high = supported.low_a, supported.high_a
    if current.largest_units and current.kind != "logit":
        largest, typical = current.largest_units * unit, current.typical_units * unit
        error = paths.gain_error(native, largest, typical if native == "n" else unit)
        if largest > high:
            problems.append(
                f"carries up to {current.largest_units:.3g} units; its copies are within "
                f"{100 * GAIN_CHANGE:g} % up to {high / unit:.3g}"
            )
        if typical < low:
            problems.append(
                f"typically carries {current.typical_units:.3g} units; its copies are within "
                f"{100 * GAIN_CHANGE:g} % from {low / unit:.3g}"
            )
    if current.kind == "state" and current.largest_units:
        alpha = current.largest_units * unit
        start = _start_a(charge_c, hw, frames)
        part = reached(charge_c, alpha, start, time_s)
        needed = slowest_a(charge_c, time_s, start) / unit
        if part < 1 - SETTLED:
            problems.append(
                f"a state of {current.largest_units:.3g} units that was off reaches "
                f"{100 * part:.0f} % of itself in the {1e3 * time_s:.3g} ms it has"
            )
    if tail > TAIL_UNITS and current.kind != "logit" and current.largest_units > TAIL_UNITS:
        problems.append(f"still carries {tail:.2g} units {1e3 * time_s:.3g} ms after it turns off")
    return NodeRange(current, charge_c, time_s, tail, part, needed, error, tuple(problems))


def _start_a(charge_c: float, hw: HardwareSection, frames: int) -> float:
    """What a line has fallen to when it was off for a whole clip."""
    return tail_a(charge_c, frames * hw.frame_s)


def _suggest(
    nodes: list[NodeRange], hw: HardwareSection, supported: CurrentRange
) -> dict[str, Any]:
    """Unit currents (A) between which every node is in range, and the nodes that say so."""
    floors: list[tuple[float, str]] = []
    ceilings: list[tuple[float, str]] = []
    for node in nodes:
        current = node.current
        if current.kind == "logit" or not current.largest_units:
            continue
        ceilings.append((supported.high_a / current.largest_units, current.node))
        floors.append((supported.low_a / current.typical_units, current.node))
        if current.kind == "state":
            needed_a = node.needed_units * hw.unit_current_a
            floors.append((needed_a / current.largest_units, current.node))
        if current.largest_units > TAIL_UNITS:
            floors.append((tail_a(node.charge_c, node.time_s) / TAIL_UNITS, current.node))
    lowest, low_node = max(floors)
    highest, high_node = min(ceilings)
    return {
        "lowest_unit_a": lowest,
        "lowest_because": low_node,
        "highest_unit_a": highest,
        "highest_because": high_node,
        "possible": lowest <= highest,
        # Charges take as long as currents are small: a frame may be longer instead.
        "frame_s": hw.frame_s * max(1.0, lowest / hw.unit_current_a),
    }


def _raised(
    design: Design, nodes: list[NodeRange], smallest_weight: float
) -> dict[str, list[dict[str, Any]]]:
    """How far states that are too small could be raised for the same function, by weights."""
    hw = design.hardware
    needed = {node.current.node: node.needed_units for node in nodes if node.reached < 1 - SETTLED}
    found = {}
    for weights, grid in (("unit", hw.weight_grid), ("continuous", None)):
        _, raised = raise_states(
            design.realised(), needed, grid, smallest_weight, hw.bias_max_units
        )
        found[weights] = [asdict(item) for item in raised]
    return found


def _groups(nodes: list[NodeRange]) -> list[dict[str, Any]]:
    """One row per kind and layer: what its nodes carry, in all."""
    groups: dict[str, list[NodeRange]] = {}
    for node in nodes:
        groups.setdefault(node.current.node.rpartition("_")[0], []).append(node)
    return [
        {
            "group": name,
            "kind": part[0].current.kind,
            "nodes": len(part),
            "silent": sum(not node.current.largest_units for node in part),
            "smallest_units": min(
                (n.current.smallest_units for n in part if n.current.smallest_units), default=0.0
            ),
            "mean_units": sum(node.current.mean_units for node in part) / len(part),
            "largest_units": max(node.current.largest_units for node in part),
            "time_s": part[0].time_s,
            "tail_units": max(node.tail_units for node in part),
            "reached": min(node.reached for node in part),
            "gain_error": max((node.gain_error for node in part), key=abs),
            "outside": sum(bool(node.problems) for node in part),
        }
        for name, part in groups.items()
    ]


def _record(node: NodeRange) -> dict[str, Any]:
    return {
        **asdict(node.current),
        "charge_c": node.charge_c,
        "time_s": node.time_s,
        "tail_units": node.tail_units,
        "reached": node.reached,
        "needed_units": node.needed_units,
        "gain_error": node.gain_error,
        "problems": list(node.problems),
    }
