"""Weights measured where they are: in the blocks of the exported network, on the lines they read.

Each feed-forward block of a design is put on a bench that gives it what the network gives it: its
signals arrive as currents in lines of the network's own kind (with the turn where it reads the
other kind), its reference lines come from the network's own reference, and its summing nodes sit
at the voltage of a ReLU diode that carries a given current. The current of a weight's device over
the current of the *signal*, turns included, is the weight the network computes with. One operating
point of ngspice measures every weight, bias and skip of a network.
"""

from collections.abc import Iterator, Mapping
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

# No node is measured below this: there is nothing to be exact about.
LEAST_UNITS = 0.02


@dataclass(frozen=True)
class InPlace:
    """One weight, bias or skip: ``gain`` is its device's current over that of the signal.

    ``wanted`` is the magnitude the design gives it, ``software`` the learned magnitude; ``native``
    the diode the signal flows in ("p", "n", or "reference" for a bias), ``positive`` the sign of
    the term, ``kind`` "sum" or "readout"; ``signal`` and ``into`` the nodes read ("" for a bias)
    and added to, ``signal_units`` what the signal carried.
    """

    instance: str
    signal: str
    into: str
    native: str
    positive: bool
    kind: Literal["sum", "readout"]
    software: float
    wanted: float
    signal_units: float
    gain: float = 0.0

    @property
    def path(self) -> str:
        """The kind of path in words, as in reports."""
        sign = "positive" if self.positive else "negative"
        source = "bias" if self.native == "reference" else f"{self.native.upper()} diode"
        return f"{source} to {self.kind}, {sign}"


def weights_in_place(
    design: Design, point: ProcessPoint, units: Mapping[str, float] | float = 1.0
) -> list[InPlace]:
    """Measure every weight, bias and skip of a design that has a device.

    ``units`` is what each node carries, by node (``x0_3``; not less than ``LEAST_UNITS``) or one
    value for all: the signals that are read, and the ReLUs at whose voltages the summing nodes are
    held. The temperature is that of ``point.hardware``, the sizes are the design's. Raises
    EnvironmentMissing when ngspice cannot measure them.
    """
    hw = design.hardware.model_copy(update={"temperature_c": point.hardware.temperature_c})
    # Biases are measured against an ideal reference: what the one on the chip gives is not theirs.
    library = build_network(replace(design, reference=None))
    bench = _Bench(design, library, replace(point, hardware=hw), units)
    wanted = list(bench.entries())
    body = bench.text() + "".join(f".save {vector}\n" for _, vector in wanted)
    (plot,) = bench.point.run_dc("weights in place", f"{body}.control\nop\nwrite out.raw\n.endc\n")
    return [
        replace(
            entry,
            gain=abs(float(plot[vector][0])) / (entry.signal_units * hw.unit_current_a),
        )
        for entry, vector in wanted
    ]


@dataclass(frozen=True)
class _Bench:
    """The deck, block by block; nodes of block k carry its prefix."""

    design: Design
    library: Library
    point: ProcessPoint
    units: Mapping[str, float] | float

    def carries(self, node: str) -> float:
        """What a node carries, in units."""
        if isinstance(self.units, Mapping):
            return max(self.units[node], LEAST_UNITS)
        return self.units

    def entries(self) -> Iterator[tuple[InPlace, str]]:
        """What is measured and the vector that shows it, gains still missing."""
        table, realised = self.design.by_parameter(), self.design.realised()
        for number, stage in enumerate(stages(self.design)):
            kind: Literal["sum", "readout"] = "sum" if stage.makes else "readout"
            for name in ("weight", "bias"):
                parameter = f"{stage.parameter}.{name}"
                for row in table[parameter].values():
                    if not row.m:
                        continue
                    native, node, carried_units = "reference", "", 1.0
                    if name == "weight":
                        native, node = stage.reads.native, f"{stage.reads.name}_{row.index[1]}"
                        carried_units = self.carries(node)
                    into = f"{stage.makes.name if stage.makes else 'y'}_{row.index[0]}"
                    yield (
                        InPlace(
                            row.instance, node, into, native, row.device == "pmos", kind,
                            abs(row.software_value), abs(float(realised[parameter][row.index])),
                            carried_units,
                        ),
                        f"@m.xs{number}.{device_name(parameter, row.index)}[id]",
                    )  # fmt: skip
        for layer in range(self.design.shape.layers):
            path = ".".join(block_path(f"layers.{layer}.skip.x"))
            after = carried(self.design, layer + 1).name
            for unit in range(self.design.shape.state_dim):
                for branch, signals in self._summed(layer):
                    name = f"m{branch}_{unit}"
                    node = f"{signals.name}_{unit}"
                    yield (
                        InPlace(
                            f"{path}.{name}", node, f"{after}_{unit}", "n", True, "sum",
                            1.0, 1.0, self.carries(node),
                        ),
                        f"@m.xk{layer}.{name}[id]",
                    )  # fmt: skip

    def text(self) -> str:
        """Reference, blocks and what drives them."""
        reference = subcircuit_text(self.library.subcircuits["reference"], self._models)
        parts = [
            reference,
            f"iref ref_p 0 {self.point.hardware.unit_current_a:.9g}\n"
            "xreference ref_p ref_n vdd 0 reference\n",
        ]
        parts += [self._stage(stage, k) for k, stage in enumerate(stages(self.design))]
        parts += [self._skip(layer) for layer in range(self.design.shape.layers)]
        return "".join(parts)

    def _stage(self, stage: Stage, number: int) -> str:
        prefix = f"s{number}_"
        block = self.library.subcircuits[block_name(stage.parameter)]
        text = ""
        for unit in range(stage.reads.size):
            if {stage.reads.line(unit, kind) for kind in ("p", "n")} & set(block.ports):
                text += self._signal(stage.reads, unit, prefix)
        for unit in range(len(self.design.by_parameter()[f"{stage.parameter}.bias"])):
            if stage.makes:
                text += self._held(stage.makes, unit, prefix)
            else:
                node = f"{prefix}y_{unit}"
                text += f"v{node} {node} 0 {self.point.hardware.readout_v:g}\n"
        return text + self._called(block.name, prefix)

    def _skip(self, layer: int) -> str:
        prefix, out = f"k{layer}_", carried(self.design, layer + 1)
        text = ""
        for unit in range(self.design.shape.state_dim):
            for _, signals in self._summed(layer):
                text += self._signal(signals, unit, prefix)
            text += self._held(out, unit, prefix)
        return text + self._called(f"layers_{layer}_skip", prefix)

    def _summed(self, layer: int) -> tuple[tuple[str, Signals], ...]:
        branch = Signals(f"v{layer}", self.design.shape.state_dim, "n")
        return ("branch", branch), ("carried", carried(self.design, layer))

    def _called(self, name: str, prefix: str) -> str:
        shared = {"ref_p": "ref_p", "ref_n": "ref_n", "vdd": "vdd", "vss": "0"}
        block = self.library.subcircuits[name]
        nodes = " ".join(shared.get(port, prefix + port) for port in block.ports)
        return f"{subcircuit_text(block, self._models)}x{prefix[:-1]} {nodes} {name}\n"

    def _signal(self, signals: Signals, unit: int, prefix: str) -> str:
        """A signal's lines as the network makes them, with its current."""
        node = f"{signals.name}_{unit}"
        p_line, n_line = (prefix + signals.line(unit, kind) for kind in ("p", "n"))
        if signals.native == "p":
            return self._diode(p_line, "p", self.carries(node))
        sizes = {**unit_sizes(self.design), "lt": self.design.turn_length_m(node)}
        words = " ".join(f"{key}={value:.9g}" for key, value in sizes.items())
        turn = f"xt{n_line} {n_line} {p_line} vdd 0 turn_n_to_p {words}\n"
        return self._diode(n_line, "n", self.carries(node)) + turn

    def _held(self, signals: Signals, unit: int, prefix: str) -> str:
        """A summing node at the voltage of a ReLU that carries its current."""
        node = prefix + signals.line(unit, "n")
        relu = self._diode(f"{node}_held", "n", self.carries(f"{signals.name}_{unit}"))
        return f"{relu}e{node} {node} 0 {node}_held 0 1\n"

    def _diode(self, node: str, polarity: str, units: float) -> str:
        hw = self.point.hardware
        rail, ends = ("vdd", f"{node} 0") if polarity == "p" else ("0", f"vdd {node}")
        return (
            f"i{node} {ends} {units * hw.unit_current_a:.9g}\n"
            f"m{node} {node} {node} {rail} {rail} {self._models[polarity]} "
            f"w={hw.unit_w_m:.9g} l={hw.unit_l_m:.9g} m={hw.weight_grid}\n"
        )

    @property
    def _models(self) -> dict[str, str]:
        return {"n": self.point.pdk.nmos, "p": self.point.pdk.pmos}
