"""What the twins know of the devices: lines and copies as short polynomials of a current.

A line is a diode; its state is L = ln(I / unit current). A copy of it carries

    I_copy = ratio exp(L + a(L) + b(L_destination))

``a`` is the departure of the copy from its diode with the current of the line, ``b`` what the
drain does, which sits at the voltage of the line the copy ends on. Both are fitted to the device
models the batched engine measured in ngspice (``codesign.engine.characterise``); that the two
separate holds to 0.05 % rms from a thousandth of a unit to 60 units.

Charge: C dV/dt = I_in - I and V = V(L), so K(L) dL/dt = I_in - I with K = C(V) dV/dL, given in
microseconds times units.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.polynomial import polynomial as poly
from numpy.typing import NDArray
from torch import Tensor

from codesign.circuit.elements import Mosfet
from codesign.circuit.testbench import GMIN_S
from codesign.device.bench import ProcessPoint
from codesign.device.capacitance import Capacitance
from codesign.device.geometry import Geometry, geometry_of
from codesign.engine.characterise import Models, characterise, thermal_voltage
from codesign.engine.fits import WARP_V, MirrorFit
from codesign.engine.graph import Boundary, Graph
from codesign.flows import HardwareSection

Floats = NDArray[np.float64]

# A line is described for these currents, in units. Nearer to its rail than this voltage a diode is
# a resistor; what it carries there is less than gmin does: the law of weak inversion is continued.
LOWEST_UNITS, HIGHEST_UNITS = 1e-7, 60.0
_LOWEST_V = 0.04
_LINE_DEGREE, _COPY_DEGREE = 6, 4
_NANO = 1e-9
KINDS = ("p_to_sum", "n_to_sum", "n_to_p", "p_to_readout", "n_to_readout")


@dataclass(frozen=True)
class Poly:
    """A polynomial of (x - centre) / half, kept inside [-1, 1]."""

    coefficients: tuple[float, ...]
    centre: float
    half: float

    def __call__(self, x: Tensor) -> Tensor:
        z = ((x - self.centre) / self.half).clamp(-1, 1)
        value = torch.full_like(z, self.coefficients[-1])
        for c in self.coefficients[-2::-1]:
            value = torch.addcmul(torch.full_like(z, c), value, z)
        return value

    def at(self, x: float) -> float:
        """The value at one point."""
        return float(self(torch.tensor(x, dtype=torch.float64)))


_NOTHING = Poly((0.0,), 0.0, 1.0)


@dataclass(frozen=True)
class Line:
    """A diode of ``weight_grid`` unit devices and what hangs on it.

    volts: V(L); log: L(V), for V from 0; slope: dV/dL in volts per e-fold (1/slope is gm/I).
    gate_fc, diode_fc: fC per e-fold of one unit device whose gate is on the line, and of one that
    is a diode there; drain_ff: of one drain.
    """

    volts: Poly
    log: Poly
    slope: Poly
    gate_fc: Poly
    diode_fc: Poly
    drain_ff: float
    gate_drain_ff: float
    kd_per_v: float
    mobility: float


@dataclass(frozen=True)
class Copy:
    """One kind of copy: a(L of the line read), b(L of the line it ends on)."""

    line: Poly
    drain: Poly


@dataclass(frozen=True)
class Transfer:
    """All constants of a process point the twins need; ``models`` are what they come from.

    ``knee_v``: drain voltage at which an N unit copy carries 1 - 1/e of what it does saturated.
    """

    hardware: HardwareSection
    n: Line
    p: Line
    copies: Mapping[str, Copy]
    models: Models
    knee_v: float
    gmin_units_per_v: float

    def geometry(self, polarity: str, part: str) -> Geometry:
        """The unit, cell or switch device of a polarity."""
        return _geometry(self.hardware, polarity, part)


def measure_transfer(
    point: ProcessPoint, trims_m: Mapping[str, float], more: Sequence[Mosfet] = ()
) -> Transfer:
    """Constants at a process point, for copies of the lengths ``trims_m`` (by kind, ``KINDS``).

    Measured in ngspice once per process point and lengths, then read from the cache; ``more`` are
    mirrors whose geometries are wanted in ``models`` as well. Raises EnvironmentMissing or
    Unsupported as ``characterise`` does.
    """
    boundary = Boundary({"vdd": point.hardware.supply_v, "vss": 0.0}, ("level",), (), {}, ())
    sizes = {geometry_of(device) for device in more}
    devices = needed_devices(point.hardware, trims_m, sizes)
    models = characterise(Graph(boundary, (), (), {}, tuple(devices), ()), point)
    return transfer_of(point.hardware, models, trims_m)


def needed_devices(
    hw: HardwareSection, trims_m: Mapping[str, float], more: Iterable[Geometry] = ()
) -> list[Mosfet]:
    """One transistor of every geometry the twins read, as a circuit to characterise."""
    sizes = [_geometry(hw, polarity, part) for polarity in "np" for part in ("unit", "cell")]
    sizes += [Geometry(kind[0], hw.unit_w_m, trims_m[kind]) for kind in KINDS]
    switches = [_geometry(hw, polarity, "switch") for polarity in "np"]
    mirrors = sorted({*sizes, *more})
    devices = [_alone(g, k, "line") for k, g in enumerate(mirrors)]
    return devices + [_alone(g, k, "level") for k, g in enumerate(switches)]


def transfer_of(hw: HardwareSection, models: Models, trims_m: Mapping[str, float]) -> Transfer:
    """The same from models that are there."""
    thermal = thermal_voltage(hw.temperature_c)
    lines = {polarity: _line(hw, models, polarity, thermal) for polarity in "np"}
    copies = {kind: _copy(hw, models, kind, trims_m[kind], thermal, lines) for kind in KINDS}
    # A cell's own copy of its candidate: its departures are part of the cell's curve.
    copies["p_to_cell"] = Copy(_NOTHING, _NOTHING)
    knee_v = _knee_v(hw, models, lines["n"], trims_m)
    gmin = GMIN_S / hw.unit_current_a
    return Transfer(hw, lines["n"], lines["p"], copies, models, knee_v, gmin)


def _knee_v(hw: HardwareSection, models: Models, line: Line, trims_m: Mapping[str, float]) -> float:
    fit, g = place(models, Geometry("n", hw.unit_w_m, trims_m["n_to_sum"]))
    drain = np.linspace(0.0, 0.2, 401)
    curve = copy_na(fit, g, np.array(line.volts.at(0.0)), drain)
    return float(np.interp((1 - np.exp(-1)) * curve[-1], curve, drain))


def _geometry(hw: HardwareSection, polarity: str, part: str) -> Geometry:
    size: tuple[float, float] = {
        "unit": (hw.unit_w_m, hw.unit_l_m),
        "cell": (hw.cell_w_m, hw.cell_l_m),
        "switch": (hw.switch_w_m, hw.switch_l_m),
    }[part]
    return Geometry(polarity, *size)


def _alone(g: Geometry, k: int, gate: str) -> Mosfet:
    rail: Any = "vdd" if g.polarity == "p" else "vss"
    polarity: Any = g.polarity
    name = f"{gate}{k}"
    return Mosfet(f"m{name}", name, gate, rail, rail, polarity, g.w_m, g.l_m, 1)


# --- currents of the engine's fits -------------------------------------------------------------


def place(models: Models, geometry: Geometry) -> tuple[MirrorFit, int]:
    """The fit of a mirror's geometry."""
    polarity, k = models.mirror_index(geometry)
    return models.mirrors[polarity], k


def diode_na(fit: MirrorFit, g: int, v: Floats, thermal_v: float) -> Floats:
    """Current of a diode at ``v``, nA, as ``engine.fits`` defines it."""
    z = v / thermal_v
    knee = 1 - 1 / (1 + z * (1 + z / 2 * (1 + z / 3 * (1 + z / 4))))
    u = np.clip((v - fit.centre_v[g]) / fit.half_v[g], -1, 1)
    rest = (v - fit.centre_v[g]) / fit.half_v[g] - u
    slope = poly.polyval(u, poly.polyder(fit.diode[g]))
    return np.asarray(knee * np.exp(poly.polyval(u, fit.diode[g]) + slope * rest))


def copy_na(fit: MirrorFit, g: int, gate_v: Floats, drain_v: Floats) -> Floats:
    """Current of a copy, nA; arrays broadcast."""
    u = (gate_v - fit.centre_v[g]) / fit.half_v[g]
    inside = np.clip(u, -1, 1)
    slope = poly.polyval(inside, poly.polyder(fit.gate[g]))
    x = fit.warp_scale * np.maximum(drain_v, 0) / (np.maximum(drain_v, 0) + WARP_V) - 1
    phi = [poly.polyval(x, row) for row in fit.drain]
    shape = phi[0]
    for k in range(1, len(phi)):
        shape = shape + poly.polyval(inside, fit.ratio[g, k - 1]) * phi[k]
    return np.asarray(
        np.exp(poly.polyval(inside, fit.gate[g]) + slope * (u - inside)) * shape, np.float64
    )


# --- fits of fits ------------------------------------------------------------------------------


def fit_poly(
    x: Floats, y: Floats, degree: int, low: float, high: float, weight: Floats | None = None
) -> Poly:
    """Least squares on [low, high]."""
    centre, half = (low + high) / 2, (high - low) / 2
    c = poly.polyfit((x - centre) / half, y, degree, w=weight)
    return Poly(tuple(float(v) for v in c), centre, half)


def _line(hw: HardwareSection, models: Models, polarity: str, thermal_v: float) -> Line:
    geometry = _geometry(hw, polarity, "unit")
    fit, g = place(models, geometry)
    iu = hw.unit_current_a / _NANO
    v = np.linspace(_LOWEST_V, fit.high_v[g], 2000)
    ln_units = np.log(hw.weight_grid * diode_na(fit, g, v, thermal_v) / iu)
    keep = (ln_units > np.log(LOWEST_UNITS)) & (ln_units < np.log(HIGHEST_UNITS))
    v, ln_units = v[keep], ln_units[keep]
    slope = np.gradient(v, ln_units)
    if v[0] < 2 * _LOWEST_V:
        more = np.arange(0.0, v[0], v[1] - v[0])
        ln_units = np.r_[ln_units[0] - (v[0] - more) / slope[1], ln_units]
        slope = np.r_[np.full_like(more, slope[1]), slope]
        v = np.r_[more, v]
    low, high = float(ln_units[0]), float(ln_units[-1])
    gate, diode = gate_ff(models.capacitance(geometry, True), v)
    at = (ln_units, v)
    c = models.capacitance(geometry, True)
    return Line(
        volts=fit_poly(*at, _LINE_DEGREE, low, high),
        log=fit_poly(v, ln_units, 9, float(v[0]), float(v[-1])),
        slope=fit_poly(ln_units, slope, _LINE_DEGREE, low, high),
        gate_fc=fit_poly(ln_units, gate * slope, _LINE_DEGREE, low, high),
        diode_fc=fit_poly(ln_units, diode * slope, _LINE_DEGREE, low, high),
        drain_ff=c.drain,
        gate_drain_ff=c.gate_drain,
        kd_per_v=fit.kd_per_v,
        mobility=fit.mobility,
    )


def gate_ff(c: Capacitance, v: Floats) -> tuple[Floats, Floats]:
    """Capacitance at ``v`` of a gate, and of a gate tied to its own drain, fF."""
    gate = np.asarray(poly.polyval(v, c.gate), np.float64)
    return gate, gate + c.drain - 2 * c.gate_drain


def _copy(
    hw: HardwareSection, models: Models, kind: str, l_m: float, thermal_v: float,
    lines: Mapping[str, Line],
) -> Copy:  # fmt: skip
    polarity, to = kind[0], kind.split("_")[-1]
    reads, vdd = lines[polarity], hw.supply_v
    diode_fit, diode_g = place(models, _geometry(hw, polarity, "unit"))
    fit, g = place(models, Geometry(polarity, hw.unit_w_m, l_m))
    ln_low, ln_high = np.log(1e-4), np.log(HIGHEST_UNITS)
    ln_units = np.linspace(ln_low, ln_high, 60)
    gate_v = reads.volts(torch.from_numpy(ln_units)).numpy()
    own = diode_na(diode_fit, diode_g, gate_v, thermal_v)
    # What is most used counts most: a tenth of a unit to ten units.
    weight = 0.03 + np.exp(-(((ln_units - 0.3) / 2.5) ** 2))
    if to == "readout":
        drain = vdd - hw.readout_v if polarity == "p" else hw.readout_v
        a = np.log(copy_na(fit, g, gate_v, np.full_like(gate_v, drain)) / own)
        return Copy(fit_poly(ln_units, a, _COPY_DEGREE, ln_low, ln_high, weight), _NOTHING)
    into = lines["p" if to == "p" else "n"]
    across = into.volts(torch.from_numpy(ln_units)).numpy()
    drain_v = across if polarity == ("p" if to == "p" else "n") else vdd - across
    table = np.log(copy_na(fit, g, gate_v[:, None], drain_v[None, :]) / own[:, None])
    b = np.average(table, axis=0, weights=weight)
    b = b - np.average(b, weights=weight)
    a = np.average(table - b[None, :], axis=1, weights=weight)
    return Copy(
        fit_poly(ln_units, a, _COPY_DEGREE, ln_low, ln_high, weight),
        fit_poly(ln_units, b, _COPY_DEGREE, ln_low, ln_high, weight),
    )
