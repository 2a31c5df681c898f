"""Device noise: how much of it the models hold.

ngspice's ``.tran`` knows no device noise. Its densities are therefore taken from ``.noise``, one
run for all geometries and currents, and fitted, for one device that carries the current I, as

    S(f) = h(I) (white_factor * 2 q I + flicker * I^exponent / f^slope)      (A^2/Hz, one-sided)
    h(I) = 2 / (1 + sqrt(1 + 4 I / inversion_a))

2 q I is the shot noise of I. h is 1 in weak inversion and falls, as gm/I does, where the current
comes near ``inversion_a``; without it the same fit is wrong by up to 28 % at 10 nA, with it 3 %
(GF180MCU, generic180: BSIM4 with tnoimod = 0). SKY130's models (tnoimod = 1) hold white levels
that no such law follows, below shot noise in places: ``error`` then says so. ``m`` devices in
parallel carry I/m each and their densities add.

``noise_source`` puts such densities into a transient.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from codesign.device.bench import ProcessPoint
from codesign.device.cache import cached
from codesign.errors import EnvironmentMissing
from codesign.spice.rawfile import Plot

CHARGE_C = 1.602176634e-19
CURRENTS_A = tuple(float(current) for current in np.geomspace(1e-11, 1e-8, 13))
_BAND = "dec 2 0.1 1e5"
# The drain currents are turned into volts by this, to stay far from ngspice's smallest density.
_OHM = 1e9
# Below 0 V where a short, hot device leaks more than the smallest current.
_DRIVE_MIN_V = -0.4
_DRIVE_STEP_V = 0.004
_SCHEMA = 4


@dataclass(frozen=True)
class Geometry:
    """A drawn device, m = 1: ``polarity`` is "nmos" or "pmos"; ValueError for another."""

    polarity: str
    w_m: float
    l_m: float

    def __post_init__(self) -> None:
        if self.polarity not in ("nmos", "pmos"):
            raise ValueError(f"the polarity '{self.polarity}' is neither 'nmos' nor 'pmos'")


@dataclass(frozen=True)
class NoiseDensity:
    """Drain current noise of one saturated device at one process point (see the module).

    ``white_factor``: white density in shot noises 2 q I, in weak inversion. ``inversion_a``
    (ampere): where both densities bend. ``flicker``: density at 1 Hz of a device at 1 A, in
    A^(2 - exponent) Hz^(slope - 1), 0 where the model has none. ``error``: the worst relative
    distance of the fit from the simulated density, from 10 pA to 10 nA and 0.1 Hz to 100 kHz.
    """

    polarity: str
    w_m: float
    l_m: float
    white_factor: float
    inversion_a: float
    flicker: float
    exponent: float
    slope: float
    error: float

    def white_a2_per_hz(self, current_a: float, m: int = 1) -> float:
        """White density (A^2/Hz, one-sided) of ``m`` devices that carry ``current_a`` together."""
        return self.white_factor * 2 * CHARGE_C * current_a * self._falls(current_a / m)

    def flicker_a2_per_hz(self, current_a: float, m: int = 1) -> float:
        """Density of their flicker noise at 1 Hz (A^2/Hz); it falls as f^-slope."""
        each = current_a / m
        power = math.exp(self.exponent * math.log(each)) if each > 0 else 0.0
        return m * self.flicker * power * self._falls(each)

    def density_a2_per_hz(self, frequency_hz: float, current_a: float, m: int = 1) -> float:
        """Whole density (A^2/Hz, one-sided) at ``frequency_hz``."""
        flicker = self.flicker_a2_per_hz(current_a, m)
        at_frequency = flicker * math.exp(-self.slope * math.log(frequency_hz))
        return self.white_a2_per_hz(current_a, m) + at_frequency

    def _falls(self, each_a: float) -> float:
        return 2 / (1 + math.sqrt(1 + 4 * each_a / self.inversion_a))


def measure_noise(point: ProcessPoint, geometries: Sequence[Geometry]) -> tuple[NoiseDensity, ...]:
    """Noise of these devices, in their order, measured with ``.noise`` and remembered.

    Raises EnvironmentMissing when ngspice cannot do it or does not report noise per device.
    """
    chosen = tuple(geometries)
    facts = [_SCHEMA, point.key(), CURRENTS_A, _BAND, [astuple(geometry) for geometry in chosen]]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return cached(
        "noise",
        key,
        partial(_measure, point, chosen),
        lambda densities: {"densities": [asdict(density) for density in densities]},
        lambda stored: tuple(NoiseDensity(**density) for density in stored["densities"]),
    )


def _measure(point: ProcessPoint, geometries: tuple[Geometry, ...]) -> tuple[NoiseDensity, ...]:
    gates = _gate_drives(point, geometries)
    count = len(CURRENTS_A)
    body = _rails(point)
    for k, drive_v in enumerate(drive for of_one in gates for drive in of_one):
        geometry = geometries[k // count]
        sign = "" if geometry.polarity == "nmos" else "-"
        body += (
            f"{_device(point, k, geometry)}vg{k} g{k} {_rail(geometry)} {sign}{drive_v:.9g}\n"
            f"h{k} o{k} {f'o{k - 1}' if k else '0'} vd{k} {_OHM:g}\n"
        )
    body += (
        f"vinput input 0 0 ac 1\n.control\nset sqrnoise\n"
        f"noise v(o{len(geometries) * count - 1}) vinput {_BAND} 1\n"
        "setplot noise1\nwrite out.raw\n.endc\n"
    )
    plot = point.run_dc("device noise", body)[0]
    return tuple(
        _fit(plot, geometry, range(k * count, (k + 1) * count))
        for k, geometry in enumerate(geometries)
    )


def _gate_drives(
    point: ProcessPoint, geometries: tuple[Geometry, ...]
) -> list[NDArray[np.float64]]:
    """Per geometry, the |Vgs| (volt) that gives each of ``CURRENTS_A``.

    A sweep: diodes forced by currents, many in one deck, do not converge with every model.
    """
    body = _rails(point) + "vsweep sweep 0 0\n"
    for k, geometry in enumerate(geometries):
        sign = "1" if geometry.polarity == "nmos" else "-1"
        body += _device(point, k, geometry) + f"eg{k} g{k} {_rail(geometry)} sweep 0 {sign}\n"
    body += "".join(f".save i(vd{k})\n" for k in range(len(geometries)))
    end = point.hardware.supply_v
    body += f".control\ndc vsweep {_DRIVE_MIN_V} {end:g} {_DRIVE_STEP_V}\nwrite out.raw\n.endc\n"
    (plot,) = point.run_dc("gate drives for device noise", body)
    drives = []
    for k, geometry in enumerate(geometries):
        current = np.maximum.accumulate(np.abs(plot[f"i(vd{k})"].real))
        if not (0 < current[0] < CURRENTS_A[0] and CURRENTS_A[-1] < current[-1]):
            raise EnvironmentMissing(
                f"A {geometry.polarity} of {geometry.w_m * 1e6:g}/{geometry.l_m * 1e6:g} um does "
                f"not span 10 pA to 10 nA at {end:g} V and {point.hardware.temperature_c:g} C, so "
                "its noise cannot be measured; choose another size, supply or temperature."
            )
        drives.append(np.interp(np.log(CURRENTS_A), np.log(current), plot.scale))
    return drives


def _rails(point: ProcessPoint) -> str:
    """A drain supply in the middle, where every device is saturated."""
    return f"vmid mid 0 {point.hardware.supply_v / 2:g}\n"


def _rail(geometry: Geometry) -> str:
    return "0" if geometry.polarity == "nmos" else "vdd"


def _device(point: ProcessPoint, k: int, geometry: Geometry) -> str:
    """Device ``k`` between its rail and the middle, its drain current read by ``vd{k}``.

    ngspice reports every device's noise by itself, so one output can sum all drain currents.
    """
    rail, pdk = _rail(geometry), point.pdk
    model = pdk.nmos if geometry.polarity == "nmos" else pdk.pmos
    return (
        f"mtest{k} d{k} g{k} {rail} {rail} {model} w={geometry.w_m:.6g} l={geometry.l_m:.6g}\n"
        f"vd{k} mid d{k} 0\n"
    )


def _vector(plot: Plot, name: str) -> NDArray[np.float64]:
    if name not in plot.names:
        raise EnvironmentMissing(
            f"ngspice's noise analysis left no '{name}': these models do not report their noise "
            "per device; use a PDK with BSIM3 or BSIM4 models."
        )
    return np.asarray(plot[name].real, np.float64) / _OHM**2


def _fit(plot: Plot, geometry: Geometry, devices: range) -> NoiseDensity:
    frequency = plot.scale
    current = np.asarray(CURRENTS_A)
    total = np.stack([_vector(plot, f"onoise.mtest{k}") for k in devices])
    flicker = np.stack([_vector(plot, f"onoise.mtest{k}.1overf") for k in devices])
    factor = (total - flicker)[:, -1] / (2 * CHARGE_C * current)

    def apart(guess: NDArray[np.float64]) -> NDArray[np.float64]:
        falls = 2 / (1 + np.sqrt(1 + 4 * current * np.exp(-guess[1])))
        return np.asarray(guess[0] + np.log(falls) - np.log(factor))

    start, within = [math.log(factor[0]), math.log(1e-7)], np.log([[1e-3, 1e-10], [1e3, 1e-6]])
    white, inversion = least_squares(apart, start, bounds=(within[0], within[1])).x
    falls = 2 / (1 + np.sqrt(1 + 4 * current * np.exp(-inversion)))
    coefficient, exponent, slope = 0.0, 2.0, 1.0
    if flicker.min() > 0:
        log_i, log_f = np.broadcast_arrays(np.log(current)[:, None], np.log(frequency))
        columns = np.stack([np.ones(log_i.size), log_i.ravel(), -log_f.ravel()], axis=1)
        solved = np.linalg.lstsq(columns, np.log(flicker / falls[:, None]).ravel(), rcond=None)[0]
        coefficient, exponent, slope = float(np.exp(solved[0])), float(solved[1]), float(solved[2])
    fitted = NoiseDensity(
        geometry.polarity, geometry.w_m, geometry.l_m, float(np.exp(white)),
        float(np.exp(inversion)), coefficient, exponent, slope, 0.0,
    )  # fmt: skip
    expected = np.array(
        [[fitted.density_a2_per_hz(f, i) for f in map(float, frequency)] for i in CURRENTS_A]
    )
    error = float(np.abs(expected / total - 1).max())
    return replace(fitted, error=error)
