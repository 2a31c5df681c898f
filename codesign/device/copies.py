"""Copies of a line, measured where they are used: any geometry, any signal, any destination.

A copy is a device whose gate is a line and whose drain is at another voltage than the line. What it
gives is decided by three things besides its geometry: the kind of its destination (a summing node,
a P line, the readout), the current of the line and the current of the destination, because the
last two set the two voltages. Here the destination is held at the voltage of a diode of the line's
size that carries the given current, so that copies never load each other and any number is measured
in one operating point of ngspice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from codesign.device.bench import ProcessPoint

Kind = Literal["p_to_sum", "n_to_sum", "n_to_p", "p_to_readout", "n_to_readout"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Size:
    """``m`` devices in parallel, each ``w_m`` wide and ``l_m`` long (metres)."""

    w_m: float
    l_m: float
    m: int = 1


@dataclass(frozen=True)
class Copy:
    """One copy to measure; currents are in unit currents.

    ``kind``: polarity of the copying device and where its current goes. ``signal_units`` flows in
    the line it reads, ``destination_units`` in the diode that closes its destination (no matter for
    the readout, which is at ``hardware.readout_v``).
    """

    kind: Kind
    size: Size
    signal_units: float = 1.0
    destination_units: float = 1.0


def measure_copies(point: ProcessPoint, copies: Sequence[Copy]) -> NDArray[np.float64]:
    """Gain of each copy, (copies,): its output current over the current of its line.

    Raises EnvironmentMissing when ngspice cannot measure them.
    """
    lines = sorted({(copy.kind[0], copy.signal_units) for copy in copies})
    ends = sorted({_destination(copy) for copy in copies})
    body = "".join(_line(point, *line, f"line_{k}") for k, line in enumerate(lines))
    for k, (where, units) in enumerate(ends):
        body += _held(point, where, units, f"end_{k}")
    for k, copy in enumerate(copies):
        rail, model = _rail_and_model(point, copy.kind[0])
        gate = f"line_{lines.index((copy.kind[0], copy.signal_units))}"
        drain = f"end_{ends.index(_destination(copy))}"
        size = copy.size
        body += (
            f"mcopy_{k} {drain} {gate} {rail} {rail} {model} "
            f"w={size.w_m:.9g} l={size.l_m:.9g} m={size.m}\n.save @mcopy_{k}[id]\n"
        )
    (plot,) = point.run_dc("copies", body + ".control\nop\nwrite out.raw\n.endc\n")
    output = np.array([abs(plot[f"@mcopy_{k}[id]"][0]) for k in range(len(copies))])
    signal = np.array([copy.signal_units for copy in copies])
    return np.asarray(output / (signal * point.hardware.unit_current_a))


def _destination(copy: Copy) -> tuple[str, float]:
    where = copy.kind.rsplit("_", 1)[-1]
    return where, 0.0 if where == "readout" else copy.destination_units


def _rail_and_model(point: ProcessPoint, polarity: str) -> tuple[str, str]:
    return ("vdd", point.pdk.pmos) if polarity == "p" else ("0", point.pdk.nmos)


def _line(point: ProcessPoint, polarity: str, units: float, node: str) -> str:
    """A diode of the unit weight that carries ``units``."""
    hw = point.hardware
    rail, model = _rail_and_model(point, polarity)
    terminals = f"{node} 0" if polarity == "p" else f"vdd {node}"
    return (
        f"i{node} {terminals} {units * hw.unit_current_a:.9g}\n"
        f"m{node} {node} {node} {rail} {rail} {model} "
        f"w={hw.unit_w_m:.9g} l={hw.unit_l_m:.9g} m={hw.weight_grid}\n"
    )


def _held(point: ProcessPoint, where: str, units: float, node: str) -> str:
    if where == "readout":
        return f"v{node} {node} 0 {point.hardware.readout_v:.9g}\n"
    polarity = "n" if where == "sum" else "p"
    return _line(point, polarity, units, f"{node}_diode") + f"e{node} {node} 0 {node}_diode 0 1\n"
