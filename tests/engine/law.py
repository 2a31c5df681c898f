"""Transistors by a law on paper: tables and models without a simulator.

An EKV device (Enz, Krummenacher, Vittoz 1995) with channel-length modulation, whose threshold moves
with width and length so that geometries differ and switches close. ``delvto`` shifts the gate and
scales the current by exp(-KD_PER_V delvto); the current goes with the power MOBILITY_POWER of
mulu0.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.device.capacitance import GATE_TERMS, Capacitance
from codesign.device.geometry import REFERENCE_DRAIN_V, Geometry, geometry_of
from codesign.engine.characterise import HIGHEST_UNITS, Models, thermal_voltage
from codesign.engine.fits import fit_mirrors, fit_switch
from codesign.engine.graph import Graph, is_mirror
from codesign.engine.tables import MOBILITY, SHIFT_V, MirrorTable, SwitchTable
from codesign.flows import HardwareSection

Floats = NDArray[np.float64]

KD_PER_V = {"n": -0.055, "p": 0.2}
MOBILITY_POWER = 0.97
_THERMAL_V = thermal_voltage(27.0)
_SLOPE = 1.3
_SPECIFIC_A = {"n": 180e-9, "p": 60e-9}  # of a square
_THRESHOLD_V = {"n": 0.42, "p": 0.48}


def current_a(geometry: Geometry, gate: Floats, drain: Floats, source: Floats | float) -> Floats:
    """Drain current, voltages against the bulk; all broadcast together."""
    threshold = _THRESHOLD_V[geometry.polarity] + 5e-9 / geometry.w_m + 7e-8 / geometry.l_m
    pinch = (gate - threshold) / _SLOPE

    def part(v: Floats | float) -> Floats:
        return np.asarray(np.logaddexp(0, (pinch - v) / (2 * _THERMAL_V)) ** 2)

    specific = _SPECIFIC_A[geometry.polarity] * geometry.w_m / geometry.l_m
    across = drain - source
    return np.asarray(specific * (part(source) - part(drain)) * (1 + 2e-7 / geometry.l_m * across))


def mirror_table(geometries: Sequence[Geometry], supply_v: float = 1.8) -> MirrorTable:
    """What ``tables.mirror_table`` would measure."""
    gate = np.arange(0.0, 1.2001, 0.02)
    drain = np.r_[np.linspace(0.0, 0.2, 21), np.arange(0.25, supply_v + 0.051, 0.05)]
    diode = np.arange(0.0, 1.2001, 0.01)
    first = geometries[0]
    reference = current_a(first, gate, np.array(REFERENCE_DRAIN_V), 0.0)
    shifted = current_a(first, gate - SHIFT_V, np.array(REFERENCE_DRAIN_V), 0.0)
    return MirrorTable(
        gate, drain,
        np.stack([current_a(g, gate[:, None], drain[None], 0.0) for g in geometries]),
        diode, np.stack([current_a(g, diode, diode, 0.0) for g in geometries]),
        reference, shifted * np.exp(-KD_PER_V[first.polarity] * SHIFT_V),
        reference * MOBILITY**MOBILITY_POWER,
    )  # fmt: skip


def switch_table(geometry: Geometry, supply_v: float = 1.8) -> SwitchTable:
    """What ``tables.switch_table`` would measure."""
    gate = np.arange(0.0, supply_v + 1e-9, 0.02)
    source = np.arange(0.0, supply_v - 0.39, 0.1)
    across = np.array([0.005, 0.02, 0.05, 0.1, 0.3, 0.8])
    low = source[:, None, None]
    return SwitchTable(gate, source, across, current_a(geometry, gate, low + across[:, None], low))


def highest_a(hardware: HardwareSection, geometries: Sequence[Geometry]) -> list[float]:
    """The current up to which each geometry is fitted, as ``characterise`` has it."""
    hw = hardware
    density = HIGHEST_UNITS * hw.unit_current_a / (hw.weight_grid * hw.unit_w_m / hw.unit_l_m)
    return [density * g.w_m / g.l_m for g in geometries]


def models_of(graph: Graph, hardware: HardwareSection) -> Models:
    """Models of every device of a graph, fitted to the law."""
    groups: tuple[set[Geometry], set[Geometry], set[Geometry]] = (set(), set(), set())
    for device in graph.devices:
        mirror = is_mirror(device, graph.boundary)
        groups[2 if not mirror else device.polarity == "p"].add(geometry_of(device))
    nmos, pmos, switches = (tuple(sorted(group)) for group in groups)
    thermal_v = thermal_voltage(hardware.temperature_c)
    fits = [
        fit_mirrors(g, mirror_table(g, hardware.supply_v), highest_a(hardware, g), thermal_v)
        for g in (nmos, pmos)
    ]
    limit = 30 * hardware.unit_current_a
    return Models(
        (fits[0], fits[1]),
        tuple(fit_switch(g, switch_table(g, hardware.supply_v), limit) for g in switches),
        (tuple(map(capacitance, nmos)), tuple(map(capacitance, pmos))),
        tuple(map(capacitance, switches)),
    )


def capacitance(geometry: Geometry) -> Capacitance:
    """A gate that grows with its voltage, a junction and an overlap: about those of 180 nm."""
    area_um2, width_um = geometry.w_m * geometry.l_m * 1e12, geometry.w_m * 1e6
    gate = (0.8 * area_um2, 2.0 * area_um2, *[0.0] * (GATE_TERMS - 2))
    return Capacitance(gate, 1.2 * width_um, 0.3 * width_um)
