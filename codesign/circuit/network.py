"""The whole network as a circuit: blocks wired as the signal walks.

Ports of the top subcircuit ``network``: input currents ``u_i`` (drawn out of the node), logit
currents ``y_k`` (net current out of the node), the reference current ``ref_p`` (drawn out, one
unit current) and reset ``rst``, or ``clear`` alone where both are made on chip (see
codesign.circuit.bias), one strobe pair per layer for strobed cells, and three supplies so that
power splits into recurrent cells, feed-forward layers and bias.
"""

from collections.abc import Iterable

from codesign.circuit.bias import BLOCK, control_ports, reference_block, reference_call
from codesign.circuit.elements import Call, Group, Library, Subcircuit
from codesign.circuit.feedforward import block_name, feedforward, skip, unit_sizes
from codesign.circuit.library import read_library
from codesign.circuit.lines import carried, inputs, stages, states
from codesign.circuit.memory import memory
from codesign.flows import HardwareSection
from codesign.mapping.design import Design, Shape

SUPPLIES = ("vdd_cells", "vdd_ff", "vdd_bias")


def build_network(design: Design) -> Library:
    """All subcircuits of a design, the cell library's included."""
    blocks: dict[str, Subcircuit] = {}
    for stage in stages(design):
        block = feedforward(design, stage)
        blocks[block.name] = block
    for layer in range(design.shape.layers):
        layer_stages = {
            stage.parameter.rsplit(".", 1)[-1]: stage
            for stage in stages(design)
            if stage.parameter.startswith(f"layers.{layer}.")
        }
        candidate, output = layer_stages["candidate"].makes, layer_stages["output"].makes
        assert candidate is not None  # only the readout makes no lines
        assert output is not None
        cells = memory(design, layer, candidate, states(design, layer))
        joined = skip(design, layer, output, carried(design, layer), carried(design, layer + 1))
        blocks[cells.name] = cells
        blocks[joined.name] = joined
        blocks[f"layers_{layer}"] = _layer(design, layer, blocks)
    blocks[BLOCK] = reference_block(
        unit_sizes(design), design.mirrors.p_to_sum.l_m, design.hardware, design.reference
    )
    top = _top(design, blocks)
    return Library("network", {**read_library(), **blocks, "network": top})


def strobe_ports(hardware: HardwareSection, shape: Shape) -> list[tuple[str, str]]:
    """The strobe and its complement of each layer, as ports of the network."""
    if hardware.cell != "strobed":
        return []
    return [(f"stb_{layer}", f"stbn_{layer}") for layer in range(shape.layers)]


def _layer(design: Design, layer: int, blocks: dict[str, Subcircuit]) -> Subcircuit:
    prefix = f"layers_{layer}_"
    calls = [
        _call(f"x{part}", blocks[prefix + part]) for part in ("candidate", "cell", "output", "skip")
    ]
    made_inside = {
        f"{name}{layer}_{unit}_{kind}"
        for name in ("c", "h", "v")
        for unit in range(design.shape.state_dim)
        for kind in ("p", "n")
    }
    ports = _outer_ports(calls, made_inside)
    groups = (Group("candidates, memory, output, skip", tuple(calls)),)
    return Subcircuit(f"layers_{layer}", ports, groups, f"Recurrent layer {layer}.")


def _call(name: str, block: Subcircuit) -> Call:
    """Connect ports to nodes of the same name; a feed-forward block's supply is vdd_ff."""
    nodes = tuple("vdd_ff" if port == "vdd" else port for port in block.ports)
    return Call(name, block.name, nodes)


def _outer_ports(calls: Iterable[Call], inside: set[str]) -> tuple[str, ...]:
    seen = dict.fromkeys(node for call in calls for node in call.nodes if node not in inside)
    rails = [node for node in (*SUPPLIES, "vss") if node in seen]
    return (*(node for node in seen if node not in rails), *rails)


def _top(design: Design, blocks: dict[str, Subcircuit]) -> Subcircuit:
    sizes = unit_sizes(design)
    source = inputs(design)
    diodes = tuple(
        Call(f"xinput_{unit}", "line_p", (source.line(unit, "p"), "vdd_ff"), sizes)
        for unit in range(design.shape.inputs)
    )
    reference = reference_call(design.reference is not None)
    layers = []
    for layer in range(design.shape.layers):
        block = blocks[f"layers_{layer}"]
        strobe = {"stb": f"stb_{layer}", "stbn": f"stbn_{layer}"}
        nodes = tuple(strobe.get(port, port) for port in block.ports)
        layers.append(Call(f"xlayers_{layer}", block.name, nodes))
    projection = _call("xprojection", blocks[block_name("projection")])
    readout = _call("xreadout", blocks[block_name("readout")])
    ports = [source.line(unit, "p") for unit in range(design.shape.inputs)]
    ports += [f"y_{k}" for k in range(design.shape.classes)]
    ports += control_ports(design.reference is not None)
    ports += [port for pair in strobe_ports(design.hardware, design.shape) for port in pair]
    return Subcircuit(
        "network",
        (*ports, *SUPPLIES, "vss"),
        (
            Group("input lines: each input current is drawn out of its diode", diodes),
            Group("reference lines", (reference,)),
            Group("the network", (projection, *layers, readout)),
        ),
        f"{design.shape.inputs} inputs, {design.shape.layers} recurrent layers of "
        f"{design.shape.state_dim} units, {design.shape.classes} logits.",
    )
