"""Cells of drawn chips, measured side by side: how thresholds and gain scatter with mismatch.

A cell stands alone with the diodes of its lines, every transistor named and drawn as in a network;
its whole hysteresis is traced as in ``cell_loops``, by a feedback that makes the decision node
follow a sweep and supplies whatever candidate that takes. Any number of chips share one deck, each
with nodes of its own, so one process of ngspice measures many.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.circuit.elements import (
    Call,
    Capacitor,
    Element,
    Group,
    Library,
    Mosfet,
    Polarity,
    Subcircuit,
    flatten,
)
from codesign.circuit.flat import FlatNetwork, flat_text
from codesign.circuit.library import read_library
from codesign.device.bench import DC_OPTIONS, ProcessPoint
from codesign.device.cell_loops import SERVO_V, V0_STEP_V, CellBias, folds
from codesign.errors import EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.simulation.draws import Draws
from codesign.spice.ngspice import run_text

Floats = NDArray[np.float64]
# Chips in one deck: its run time grows faster than their number.
CHUNK = 20
_PORTS = ("vdd", "sweep", "rst")
# Where the state's copy ends: the voltage of a summing node.
_READ_V = 0.45
_HEAD = "drawn_cell"


@dataclass(frozen=True)
class CellSpread:
    """One value per chip, (chips,), in unit currents; NaN for a chip without a hysteresis."""

    beta_hi: Floats
    beta_lo: Floats
    alpha: Floats

    @property
    def bistable(self) -> NDArray[np.bool_]:
        return np.isfinite(self.beta_hi)


def diode_cell(w_m: float, l_m: float, hardware: HardwareSection) -> FlatNetwork:
    """The nine transistors of the asynchronous cell, every mirror ``w_m`` by ``l_m``.

    With them a diode of the same size for the candidate, one for each bias current, and the copy
    that reads the state. Bias currents enter the nodes thr, wid and gain from ideal sources; the
    candidate is drawn out of the node cand.
    """
    sizes = {
        "wu": w_m, "lu": l_m, "mu": 1.0, "wc": w_m, "lc": l_m,
        "ws": hardware.switch_w_m, "ls": hardware.switch_l_m, "cv": hardware.v0_capacitance_f,
    }  # fmt: skip

    def mirror(name: str, drain: str, gate: str, polarity: Polarity) -> Mosfet:
        rail = "vdd" if polarity == "p" else "0"
        return Mosfet(name, drain, gate, rail, rail, polarity, w_m, l_m)

    ports = ("cand", "out", "thr", "wid", "gain", "rst", "vdd", "0")
    elements: tuple[Element, ...] = (
        mirror("min", "cand", "cand", "p"),
        *(mirror(f"m{bias}", bias, bias, "n") for bias in ("thr", "wid", "gain")),
        Call("xcell", "bmru_async", ports, sizes),
        mirror("mread", "read", "out", "p"),
    )
    top = Subcircuit(_HEAD, _PORTS, (Group("", elements),))
    devices = list(flatten(Library(_HEAD, {**read_library(), _HEAD: top})))
    return FlatNetwork(
        _PORTS,
        tuple(device for device in devices if isinstance(device, Mosfet)),
        tuple(device for device in devices if isinstance(device, Capacitor)),
    )


def measure_drawn(
    point: ProcessPoint, network: FlatNetwork, bias: CellBias, draws: Draws | None, chips: int = 1
) -> CellSpread:
    """Thresholds and gain of one cell on the chips of ``draws`` (of ``network.mosfets``); without
    draws, on ``chips`` equal ones.

    Raises EnvironmentMissing when ngspice cannot measure them.
    """
    models = {"n": point.pdk.nmos, "p": point.pdk.pmos}
    count = len(network.mosfets)
    if draws is not None:
        chips = len(draws.delvto_v)

    def text(chip: int, placed: FlatNetwork) -> str:
        if draws is None:
            return flat_text(placed, models, np.zeros(count), np.ones(count))
        return flat_text(placed, models, draws.delvto_v[chip], draws.mulu0[chip])

    return measure_cells_as(point, network, bias, range(chips), text, lambda _: _header(point))


def measure_cells_as(
    point: ProcessPoint,
    network: FlatNetwork,
    bias: CellBias,
    chips: Sequence[int],
    text: Callable[[int, FlatNetwork], str],
    header: Callable[[int], str],
    chunk: int = CHUNK,
) -> CellSpread:
    """Cells whose transistors ``text`` writes, one by one, under the models of ``header`` (of the
    first chip of a deck), ``chunk`` chips in a deck."""
    values = []
    for start in range(0, len(chips), chunk):
        part = chips[start : start + chunk]
        body = "".join(_chip(point, network, bias, chip, text) for chip in part)
        deck = (
            f"* cells of drawn chips\n{header(part[0])}{DC_OPTIONS}"
            f".temp {point.hardware.temperature_c:g}\nvdd vdd 0 {point.hardware.supply_v:g}\n"
            f"vsweep sweep 0 0\nvrst rst 0 0\n{body}.control\n"
            f"dc vsweep 0 {point.hardware.supply_v - 2 * SERVO_V:.6g} {V0_STEP_V}\n"
            "write out.raw\n.endc\n.end\n"
        )
        outcome = run_text(point.ngspice, deck)
        if outcome.status != "ok":
            raise EnvironmentMissing(
                f"Cells of drawn chips failed in ngspice ({outcome.status}: {outcome.message})."
            )
        (plot,) = outcome.plots
        for chip in part:
            candidate = _servo(point, bias) * (plot["v(sweep)"] - plot[f"v(k{chip}.xcell.v0)"])
            found = folds(candidate)
            state = float(plot[f"i(vread{chip})"][-1])
            values.append((np.nan,) * 3 if found is None else (*found, state))
    table = np.array(values) / point.hardware.unit_current_a
    return CellSpread(*table.T)


def _header(point: ProcessPoint) -> str:
    return point.pdk.header(point.hardware.corner)


def _servo(point: ProcessPoint, bias: CellBias) -> float:
    """Transconductance of the feedback, in siemens."""
    return bias.threshold * point.hardware.unit_current_a / SERVO_V


def _chip(
    point: ProcessPoint,
    network: FlatNetwork,
    bias: CellBias,
    chip: int,
    text: Callable[[int, FlatNetwork], str],
) -> str:
    unit_a, k = point.hardware.unit_current_a, f"k{chip}"
    currents = (("thr", bias.threshold), ("wid", bias.width), ("gain", bias.gain))
    sources = "".join(
        f"i{node}{chip} vdd {k}.{node} {units * unit_a:.9g}\n" for node, units in currents
    )
    return (
        text(chip, network.at(k, _PORTS))
        + sources
        + f"gcand{chip} {k}.cand 0 sweep {k}.xcell.v0 {_servo(point, bias):.9g}\n"
        f"vread{chip} {k}.read 0 {_READ_V}\n"
        f".save v(sweep)\n.save v({k}.xcell.v0)\n.save i(vread{chip})\n"
    )
