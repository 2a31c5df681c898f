"""Feed-forward blocks: weights, biases and ReLU; and the skip, which is one with weights of 1.

The summing node of a neuron collects PMOS copies (positive terms) and NMOS copies (negative
terms). Closed by an NMOS diode it is a ReLU: only a net positive current can flow.
"""

from codesign.circuit.elements import Call, Element, Group, Mosfet, Subcircuit
from codesign.circuit.lines import Signals, Stage, line_kind, p_turns, weight_lines
from codesign.mapping.design import Design, Row
from codesign.mapping.names import device_name


def feedforward(design: Design, stage: Stage) -> Subcircuit:
    """The subcircuit of one feed-forward block, named after its parameter path.

    Ports: the lines read, the reference lines if a bias needs them, the lines made, supply, ground.
    """
    table = design.by_parameter()
    weights, biases = table[f"{stage.parameter}.weight"], table[f"{stage.parameter}.bias"]
    lines = weight_lines(design, stage)
    turned = {unit for unit, kind in lines if kind != "p"} if stage.reads.native == "p" else set()
    read_native = {unit for unit, _ in lines} if stage.reads.native == "p" else set()
    ports = [stage.reads.line(unit, "p") for unit in sorted(read_native)]
    if stage.reads.native == "n":
        ports += [stage.reads.line(unit, kind) for unit, kind in sorted(lines)]
    ports += sorted({f"ref_{line_kind(row)}" for row in biases.values() if row.m})
    groups = [
        Group(
            "N lines of the inputs that have negative weights",
            tuple(
                _turn_p_to_n(design, unit, stage.reads.line(unit, "p"), stage.reads.line(unit, "n"))
                for unit in sorted(turned)
            ),
        )
    ]
    wanted = p_turns(design)
    for neuron in range(len(biases)):
        terms = [row for index, row in weights.items() if index[0] == neuron and row.m]
        node = stage.makes.line(neuron, "n") if stage.makes else f"y_{neuron}"
        elements: list[Element] = [
            _copy(row, node, stage.reads.line(row.index[1], line_kind(row))) for row in terms
        ]
        bias = biases[(neuron,)]
        if bias.m:
            elements.append(_copy(bias, node, f"ref_{line_kind(bias)}"))
        ports.append(node)
        if stage.makes:
            elements.append(relu(design, neuron, node))
            p_line = stage.makes.line(neuron, "p")
            if p_line in wanted:
                elements.append(_turn_n_to_p(design, neuron, node, p_line))
                ports.append(p_line)
        groups.append(Group(_equation(stage, neuron, terms, bias), tuple(elements)))
    return Subcircuit(
        block_name(stage.parameter),
        (*ports, "vdd", "vss"),
        tuple(group for group in groups if group.elements),
        _purpose(stage),
    )


def skip(design: Design, layer: int, branch: Signals, carried: Signals, out: Signals) -> Subcircuit:
    """The skip of one layer: v + x as two unit mirrors into a fresh summing node per unit."""
    hw, trim = design.hardware, design.mirrors.p_to_sum
    wanted = p_turns(design)
    ports: list[str] = []
    groups: list[Group] = []
    for unit in range(design.shape.state_dim):
        node, p_line = out.line(unit, "n"), out.line(unit, "p")
        sources = (branch.line(unit, "p"), carried.line(unit, "p"))
        elements: list[Element] = [
            Mosfet(
                f"m{kind}_{unit}", node, gate, "vdd", "vdd", "p",
                hw.unit_w_m, trim.l_m, hw.weight_grid,
            )
            for kind, gate in zip(("branch", "carried"), sources, strict=True)
        ]  # fmt: skip
        elements.append(relu(design, unit, node))
        ports += [*sources, node]
        if p_line in wanted:
            elements.append(_turn_n_to_p(design, unit, node, p_line))
            ports.append(p_line)
        comment = f"{out.name}[{unit}] = {branch.name}[{unit}] + {carried.name}[{unit}]"
        groups.append(Group(comment, tuple(elements)))
    return Subcircuit(
        f"layers_{layer}_skip", (*ports, "vdd", "vss"), tuple(groups),
        f"Skip of layer {layer}: what the layer adds and what it was given, summed.",
    )  # fmt: skip


def relu(design: Design, unit: int, node: str) -> Mosfet:
    """The diode that makes a summing node a ReLU."""
    hw = design.hardware
    return Mosfet(
        f"mrelu_{unit}", node, node, "vss", "vss", "n",
        hw.unit_w_m, hw.unit_l_m, hw.weight_grid,
    )  # fmt: skip


def block_name(parameter: str) -> str:
    """Name of a block's subcircuit: ``layers.0.candidate`` -> ``layers_0_candidate``."""
    return parameter.replace(".", "_")


def unit_sizes(design: Design) -> dict[str, float]:
    """Parameters of the library's line subcircuits."""
    hw = design.hardware
    return {"wu": hw.unit_w_m, "lu": hw.unit_l_m, "mu": float(hw.weight_grid)}


def _copy(row: Row, node: str, gate: str) -> Mosfet:
    rail, polarity = ("vdd", "p") if row.device == "pmos" else ("vss", "n")
    return Mosfet(
        device_name(row.parameter, row.index), node, gate, rail, rail,
        "p" if polarity == "p" else "n", row.w_m, row.l_m, row.m,
    )  # fmt: skip


def _turn_n_to_p(design: Design, unit: int, n_line: str, p_line: str) -> Call:
    sizes = {**unit_sizes(design), "lt": design.turn_length_m(n_line.removesuffix("_n"))}
    return Call(f"xturn_{unit}", "turn_n_to_p", (n_line, p_line, "vdd", "vss"), sizes)


def _turn_p_to_n(design: Design, unit: int, p_line: str, n_line: str) -> Call:
    sizes = {**unit_sizes(design), "lt": design.mirrors.p_to_sum.l_m}
    return Call(f"xturnin_{unit}", "turn_p_to_n", (p_line, n_line, "vdd", "vss"), sizes)


def _equation(stage: Stage, neuron: int, terms: list[Row], bias: Row) -> str:
    made = stage.makes.name if stage.makes else "y"
    text = " ".join(
        f"{'+' if row.software_value > 0 else '-'} {abs(row.software_value):g} "
        f"{stage.reads.name}[{row.index[1]}]"
        for row in terms
    )
    constant = f" {'+' if bias.software_value > 0 else '-'} {abs(bias.software_value):g}"
    total = (text + (constant if bias.m else "")).strip() or "0"
    return f"{made}[{neuron}] = {f'relu( {total} )' if stage.makes else total}"


def _purpose(stage: Stage) -> str:
    made = f"{stage.makes.size} rectified sums" if stage.makes else "the logits"
    return f"{stage.parameter}: {made} of {stage.reads.size} signals '{stage.reads.name}'."
