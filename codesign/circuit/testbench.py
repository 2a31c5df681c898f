"""The test bench: supplies, reference, stimuli, strobes, what to save, and how to simulate.

Probing never touches the circuit: candidates and states are the drain currents of devices that
are there anyway (the ReLU diode of a candidate, the output diode of a cell), logits and supply
currents flow through the sources that hold their nodes.
"""

from collections.abc import Iterable, Sequence

from codesign.circuit.bias import TREE_PATH
from codesign.circuit.network import strobe_ports
from codesign.circuit.spice_text import comment, engineering
from codesign.circuit.strobe import GENERATOR, SUPPLY, clock_pulse
from codesign.circuit.timing import RESET_END, Pulse, StrobeEdges, Timing, ideal_edges
from codesign.device.reference import nodesets
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.mapping.names import cell_instance, relu_instance

INSTANCE = "xnetwork"
SOURCES = {"cells": "vcells", "feedforward": "vff", "bias": "vbias"}
_NODES = {"cells": "vdd_cells", "feedforward": "vdd_ff", "bias": "vdd_bias"}

# Supply current of the strobe generator, where there is one.
STROBE_VECTOR = "i(vstrobe)"

# Gear keeps ringing out; the tolerances sit well below the smallest signal current; gmin at its
# default would leak picoamperes into every cell. Steps are bound by STEPS_PER_FRAME and the edges:
# errors of charges below chgtol * reltol are not worth shorter ones, but a reltol of 3e-4 is worth
# its iterations, for it also bounds what a bypassed device may be off. Against chgtol=1e-16 and
# reltol=1e-3, half the iterations over a keyword clip and currents two to three times closer to
# those of tight tolerances (benchmarks/transient_options.py).
GMIN_S = 1e-15
TRANSIENT_OPTIONS = (
    ".options method=gear reltol=3e-4 abstol=1e-14 vntol=1e-6 chgtol=1e-13 "
    f"gmin={GMIN_S:g} bypass=1"
)
# Without bypass every device is evaluated at every iteration: the currents come ten times closer to
# those of tight tolerances, at almost twice the time. For judging other engines.
EXACT_OPTIONS = TRANSIENT_OPTIONS.replace(" bypass=1", "")
# Longer steps once made a cell switch that should not have.
STEPS_PER_FRAME = 50


def device_current(instance: str) -> str:
    """Vector of a transistor's drain current inside the network."""
    return f"@m.{INSTANCE}.{instance}[id]"


def candidate_vector(layer: int, unit: int) -> str:
    return device_current(relu_instance(f"layers.{layer}.candidate", unit))


def state_vector(layer: int, unit: int) -> str:
    return device_current(f"{cell_instance(layer, unit)}.m4")


def decision_vector(layer: int, unit: int) -> str:
    return f"v({INSTANCE}.{cell_instance(layer, unit)}.v0)"


def logit_vector(k: int) -> str:
    return f"i(vy_{k})"


def supply_vector(block: str) -> str:
    return f"i({SOURCES[block]})"


def stimulus(inputs_units: Sequence[Sequence[float]], timing: Timing, unit_a: float) -> str:
    """Input currents of one clip, shape (frames, inputs) in units, piecewise constant."""
    lines = []
    for channel in range(len(inputs_units[0])):
        values = [frame[channel] * unit_a for frame in inputs_units]
        points = [(0.0, values[0])]
        for frame in range(1, len(values)):
            start = frame * timing.frame_s
            if values[frame] != values[frame - 1]:
                points += [(start, values[frame - 1]), (start + timing.edge_s, values[frame])]
        lines += _pwl(f"iu_{channel} u_{channel}_p 0", points)
    return "\n".join(lines) + "\n"


def connections(hw: HardwareSection, shape: Shape) -> list[str]:
    """What the bench connects to the ports of the network, in their order."""
    nodes = [f"u_{k}_p" for k in range(shape.inputs)]
    nodes += [f"y_{k}" for k in range(shape.classes)]
    nodes += ["rst"] if hw.bias == "tree" else ["ref_p", "rst"]
    nodes += [port for pair in strobe_ports(hw, shape) for port in pair]
    return [*nodes, *_NODES.values(), "0"]


def bench_text(
    hw: HardwareSection,
    shape: Shape,
    timing: Timing,
    title: str,
    includes: Iterable[str],
    network: str | None = None,
    options: str = TRANSIENT_OPTIONS,
    edges: StrobeEdges | None = None,
) -> str:
    """The deck around the network; ``includes`` are the files it reads, in order.

    The strobes come from the generator (which is then in one of ``includes``) if the hardware has
    one, else from sources with ``edges``, by default the ideal ones.

    ``network`` is the text of the network itself, connected; by default it is an instance of the
    subcircuit ``network`` of the included files.
    """
    lines = [comment(title), *(f".include '{name}'" for name in includes)]
    lines += [options, f".temp {hw.temperature_c:g}", ""]
    lines += ["* supplies, one per block so that power splits; ground is vss"]
    lines += [f"{SOURCES[block]} {node} 0 {hw.supply_v:g}" for block, node in _NODES.items()]
    lines += _reference(hw)
    lines += ["* the logit currents are taken at a fixed voltage"]
    lines += [f"vy_{k} y_{k} 0 {hw.readout_v:g}" for k in range(shape.classes)]
    lines += ["* every cell starts low", *_reset(hw, timing)]
    lines += _strobes(hw, shape, timing, edges)
    if network is None:
        lines += ["", *_wrap(INSTANCE, [*connections(hw, shape), "network"])]
    else:
        lines += ["", *network.splitlines()]
    cells = [(la, un) for la in range(shape.layers) for un in range(shape.state_dim)]
    lines += [f".ic {decision_vector(*cell)}=0" for cell in cells]
    lines += [f".save {vector}" for vector in saved_vectors(shape, hw.generates_strobes)]
    step = engineering(timing.frame_s / STEPS_PER_FRAME)
    lines += ["", f".tran {step} {engineering(timing.stop_s)} 0 {step}"]
    return "\n".join(lines) + "\n"


def control(output: str) -> str:
    """The control block that runs the analysis and writes what was saved."""
    return f".control\nrun\nwrite {output}\n.endc\n.end\n"


def saved_vectors(shape: Shape, generator: bool = False) -> list[str]:
    """Everything a run is judged by; ``generator``: the strobe generator is in the deck."""
    cells = [(la, un) for la in range(shape.layers) for un in range(shape.state_dim)]
    vectors = [candidate_vector(*cell) for cell in cells]
    vectors += [state_vector(*cell) for cell in cells]
    vectors += [decision_vector(*cell) for cell in cells]
    vectors += [logit_vector(k) for k in range(shape.classes)]
    vectors += [supply_vector(block) for block in SOURCES]
    return vectors + ([STROBE_VECTOR] if generator else [])


def _reference(hw: HardwareSection) -> list[str]:
    if hw.bias == "tree":
        path = f"{INSTANCE}.{TREE_PATH}"
        return ["* the reference is on the chip and runs already", *nodesets(hw.supply_v, path)]
    return ["* the reference: one unit current", f"iref ref_p 0 {engineering(hw.unit_current_a)}"]


def _reset(hw: HardwareSection, timing: Timing) -> list[str]:
    end = RESET_END * timing.frame_s
    return _pwl("vrst rst 0", [(0.0, hw.supply_v), (end, hw.supply_v), (end + timing.edge_s, 0.0)])


def _strobes(
    hw: HardwareSection, shape: Shape, timing: Timing, edges: StrobeEdges | None
) -> list[str]:
    ports = strobe_ports(hw, shape)
    if not ports:
        return []
    if hw.generates_strobes:
        nodes = ["clk", "rst", *(port for pair in ports for port in pair), SUPPLY, "0"]
        return [
            "* strobes: from a clock, by transistors on a supply of their own",
            f"vclk clk 0 {clock_pulse(timing, hw.supply_v)}",
            f"vstrobe {SUPPLY} 0 {hw.supply_v:g}",
            *_wrap("xstrobe", [*nodes, GENERATOR]),
        ]
    lines = ["* strobes: each layer looks at its candidates once per frame"]
    given = ideal_edges(timing) if edges is None else edges
    for names, pulses in zip(ports, given, strict=True):
        for node, pulse, rest in zip(names, pulses, (0.0, hw.supply_v), strict=True):
            lines.append(f"v{node} {node} 0 {_pulse(pulse, rest, hw.supply_v, timing.frame_s)}")
    return lines


def _pulse(pulse: Pulse, rest_v: float, supply_v: float, frame_s: float) -> str:
    times = (
        pulse.leaves_s, pulse.away_s - pulse.leaves_s, pulse.back_s - pulse.returns_s,
        pulse.returns_s - pulse.away_s, frame_s,
    )  # fmt: skip
    levels = f"{rest_v:g} {supply_v - rest_v:g}"
    # Measured edges differ by nanoseconds within milliseconds.
    return f"pulse({levels} {' '.join(f'{time * 1e6:.9g}u' for time in times)})"


def _pwl(start: str, points: Sequence[tuple[float, float]]) -> list[str]:
    words = [f"{time:.9g} {value:.6g}" for time, value in points]
    return _wrap(f"{start} pwl(", [*words, ")"])


def _wrap(start: str, words: Iterable[str]) -> list[str]:
    lines, line = [], start
    for word in words:
        if len(line) + 1 + len(word) > 96:
            lines.append(line)
            line = "+"
        line += f" {word}"
    return [*lines, line]
