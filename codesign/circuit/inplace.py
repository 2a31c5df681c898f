"""Weights measured where they are: in the blocks of the exported network, on the lines they read.

Each feed-forward block of a design is put on a bench that gives it what the network gives it: its
signals arrive as currents in lines of the network's own kind (with the turn where it reads the
other kind), its reference lines come from the network's own reference, and its summing nodes sit
at the voltage of a ReLU diode that carries a given current. The current of a weight's device over
the current of the *signal*, turns included, is the weight the network computes with. One operating
point of ngspice measures every weight, bias and skip of a network.
"""

from dataclasses import dataclass, replace
from typing import Literal

from codesign.circuit.elements import Library
from codesign.circuit.feedforward import block_name, unit_sizes
from codesign.circuit.lines import Signals, Stage, carried, stages
from codesign.circuit.network import build_network
from codesign.circuit.spice_text import subcircuit_text
from codesign.device.bench import ProcessPoint
from codesign.mapping.design import Design
from codesign.mapping.names import block_path, device_name


@dataclass(frozen=True)
class InPlace:
    """One weight, bias or skip: ``gain`` is its device's current over that of the signal.

    ``wanted`` is the magnitude the design gives it, ``software`` the learned magnitude; ``native``
    the diode the signal flows in ("p",
    "n", or "reference" for a bias), ``positive`` the sign of the term, ``kind`` "sum" or "readout".
    """

    instance: str
    native: str
    positive: bool
    kind: Literal["sum", "readout"]
    software: float
    wanted: float
    gain: float

    @property
    def path(self) -> str:
        """The kind of path in words, as in reports."""
        sign = "positive" if self.positive else "negative"
        source = "bias" if self.native == "reference" else f"{self.native.upper()} diode"
        return f"{source} to {self.kind}, {sign}"


def weights_in_place(
    design: Design,
    point: ProcessPoint,
    signal_units: float = 1.0,
    destination_units: float | None = None,
) -> list[InPlace]:
    """Measure every weight, bias and skip of a design that has a device.

    All signals carry ``signal_units``; summing nodes sit where a ReLU carries
    ``destination_units`` (default: the same). The temperature is that of ``point.hardware``, the
    sizes are the design's. Raises EnvironmentMissing when ngspice cannot measure them.
    """
    hw = design.hardware.model_copy(update={"temperature_c": point.hardware.temperature_c})
    point = replace(point, hardware=hw)
    library = build_network(design)
    models = _models(point)
    unit_a = hw.unit_current_a
    body = subcircuit_text(library.subcircuits["reference"], models)
    body += (
        f"iref ref_p 0 {unit_a:.9g}\nxreference ref_p ref_n vdd 0 reference\n"
        f"iheld vdd held {(destination_units or signal_units) * unit_a:.9g}\n"
        f"mheld held held 0 0 {_unit(point, 'n')}\n"
    )
    wanted = _entries(design)
    for number, stage in enumerate(stages(design)):
        body += _stage(design, library, point, stage, number, signal_units)
    for layer in range(design.shape.layers):
        body += _skip(design, library, point, layer, signal_units)
    body += "".join(f".save {vector}\n" for _, vector in wanted)
    (plot,) = point.run_dc("weights in place", f"{body}.control\nop\nwrite out.raw\n.endc\n")
    result = []
    for entry, vector in wanted:
        signal = 1.0 if entry.native == "reference" else signal_units
        result.append(replace(entry, gain=abs(float(plot[vector][0])) / (signal * unit_a)))
    return result


def _entries(design: Design) -> list[tuple[InPlace, str]]:
    """What is measured and the vector that shows it, gains still missing."""
    entries: list[tuple[InPlace, str]] = []
    realised = design.realised()
    for number, stage in enumerate(stages(design)):
        for name in ("weight", "bias"):
            parameter = f"{stage.parameter}.{name}"
            for row in design.by_parameter()[parameter].values():
                if row.m:
                    native = stage.reads.native if name == "weight" else "reference"
                    entry = InPlace(
                        row.instance, native, row.device == "pmos",
                        "sum" if stage.makes else "readout",
                        abs(row.software_value), abs(float(realised[parameter][row.index])), 0.0,
                    )  # fmt: skip
                    vector = f"@m.xs{number}.{device_name(parameter, row.index)}[id]"
                    entries.append((entry, vector))
    for layer in range(design.shape.layers):
        path = ".".join(block_path(f"layers.{layer}.skip.x"))
        for unit in range(design.shape.state_dim):
            for branch in ("branch", "carried"):
                name = f"m{branch}_{unit}"
                entry = InPlace(f"{path}.{name}", "n", True, "sum", 1.0, 1.0, 0.0)
                entries.append((entry, f"@m.xk{layer}.{name}[id]"))
    return entries


def _stage(
    design: Design, library: Library, point: ProcessPoint, stage: Stage, number: int, units: float
) -> str:
    name = block_name(stage.parameter)
    block = library.subcircuits[name]
    lines = {
        stage.reads.line(unit, kind): (unit, kind)
        for unit in range(stage.reads.size)
        for kind in ("p", "n")
    }
    outputs = {
        node
        for unit in range(len(design.by_parameter()[f"{stage.parameter}.bias"]))
        for node in (stage.makes.line(unit, "n") if stage.makes else f"y_{unit}",)
    }
    text, made = "", set()
    for port in block.ports:
        if port in lines:
            unit = lines[port][0]
            if unit not in made:
                made.add(unit)
                text += _signal(design, point, stage.reads, unit, f"s{number}_", units)
        elif port in outputs:
            if stage.makes:
                text += f"es{number}_{port} s{number}_{port} 0 held 0 1\n"
            else:
                text += f"vs{number}_{port} s{number}_{port} 0 {design.hardware.readout_v:g}\n"
    nodes = " ".join(_node(port, f"s{number}_") for port in block.ports)
    return text + subcircuit_text(block, _models(point)) + f"xs{number} {nodes} {name}\n"


def _skip(
    design: Design, library: Library, point: ProcessPoint, layer: int, units: float
) -> str:  # fmt: skip
    name, prefix = f"layers_{layer}_skip", f"k{layer}_"
    block = library.subcircuits[name]
    out = carried(design, layer + 1)
    text = ""
    for unit in range(design.shape.state_dim):
        for signals in (Signals(f"v{layer}", out.size, "n"), carried(design, layer)):
            text += _signal(design, point, signals, unit, prefix, units)
        node = out.line(unit, "n")
        text += f"e{prefix}{node} {prefix}{node} 0 held 0 1\n"
    nodes = " ".join(_node(port, prefix) for port in block.ports)
    return text + subcircuit_text(block, _models(point)) + f"x{prefix[:-1]} {nodes} {name}\n"


def _signal(
    design: Design, point: ProcessPoint, signals: Signals, unit: int, prefix: str, units: float
) -> str:
    """A signal's lines as the network makes them, carrying ``units``."""
    p_line, n_line = (prefix + signals.line(unit, kind) for kind in ("p", "n"))
    current = f"{units * point.hardware.unit_current_a:.9g}"
    if signals.native == "p":
        return (
            f"i{p_line} {p_line} 0 {current}\nm{p_line} {p_line} {p_line} vdd vdd "
            f"{_unit(point, 'p')}\n"
        )
    sizes = {**unit_sizes(design), "lt": design.mirrors.n_to_p.l_m}
    words = " ".join(f"{key}={value:.9g}" for key, value in sizes.items())
    return (
        f"i{n_line} vdd {n_line} {current}\nm{n_line} {n_line} {n_line} 0 0 {_unit(point, 'n')}\n"
        f"xt{n_line} {n_line} {p_line} vdd 0 turn_n_to_p {words}\n"
    )


def _node(port: str, prefix: str) -> str:
    if port in ("ref_p", "ref_n", "vdd"):
        return port
    return "0" if port == "vss" else prefix + port


def _models(point: ProcessPoint) -> dict[str, str]:
    return {"n": point.pdk.nmos, "p": point.pdk.pmos}


def _unit(point: ProcessPoint, polarity: str) -> str:
    hw = point.hardware
    size = f"w={hw.unit_w_m:.9g} l={hw.unit_l_m:.9g} m={hw.weight_grid}"
    return f"{_models(point)[polarity]} {size}"
