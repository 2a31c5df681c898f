"""Device noise: how much the models hold, and sources that put it into a transient.

ngspice's ``.tran`` knows no device noise. Its densities are therefore taken from ``.noise``, one
run for all geometries and currents, and fitted, for one device that carries the current I, as

    S(f) = h(I) (white_factor * 2 q I + flicker * I^exponent / f^slope)      (A^2/Hz, one-sided)
    h(I) = 2 / (1 + sqrt(1 + 4 I / inversion_a))

2 q I is the shot noise of I. h is 1 in weak inversion and falls, as gm/I does, where the current
comes near ``inversion_a``; without it the same fit is wrong by up to 28 % at 10 nA, with it 3 %
(GF180MCU, generic180: BSIM4 with tnoimod = 0). SKY130's models (tnoimod = 1) hold white levels
that no such law follows, below shot noise in places: ``error`` then says so. ``m`` devices in
parallel carry I/m each and their densities add.

A transient takes that noise from a current source between drain and source. The source's value is
a straight line between samples ``step_s`` apart: its density is S sinc^4(f step_s), 3 dB down at
0.32/step_s. Two writers give the same statistics:

- ``trnoise_line``: ngspice draws the samples. **No seed reaches them** (measured, ngspice 39):
  their generator is seeded from the process number; ``.option seed``, ``setseed`` and ``rndseed``
  leave every run different. For spectra and jitter, not for results to repeat.
- ``sampled_line`` with ``noise_samples``: the samples are drawn here from a seed and written as a
  PWL source. Repeatable, and any other engine can be given the same numbers.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from codesign.device.bench import ProcessPoint, cached
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
_PER_LINE = 8
_SCHEMA = 4


@dataclass(frozen=True)
class Geometry:
    """A drawn device, m = 1: ``polarity`` is "nmos" or "pmos"."""

    polarity: str
    w_m: float
    l_m: float


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
    stored = cached("noise", key, partial(_measure, point, chosen))
    return tuple(NoiseDensity(**density) for density in stored["densities"])


def _measure(point: ProcessPoint, geometries: tuple[Geometry, ...]) -> dict[str, Any]:
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
    densities = [
        _fit(plot, geometry, range(k * count, (k + 1) * count))
        for k, geometry in enumerate(geometries)
    ]
    return {"densities": [asdict(density) for density in densities]}


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


def _amplitudes(
    white_a2_per_hz: float, flicker_a2_per_hz: float, slope: float, step_s: float
) -> tuple[float, float]:
    """Rms (A) of independent samples, and of those that Kasdin's filter turns into f^-slope.

    Samples of variance v, ``step_s`` apart, have the one-sided density 2 v step_s; the filter
    multiplies it by (2 sin(pi f step_s))^-slope, which is (2 pi f step_s)^-slope at low f.
    """
    white = math.sqrt(white_a2_per_hz / (2 * step_s))
    driving = math.sqrt(flicker_a2_per_hz * (2 * math.pi * step_s) ** slope / (2 * step_s))
    return white, driving


def trnoise_line(
    name: str,
    plus: str,
    minus: str,
    white_density_a2_per_hz: float,
    flicker_density_a2_per_hz: float,
    step_s: float,
    slope: float = 1.0,
) -> str:
    """An ngspice current source with these one-sided densities; every run draws another noise.

    ``flicker_density_a2_per_hz`` is the density at 1 Hz and falls as f^-slope (0 < slope < 2).
    The conversion is ``NA = sqrt(S / (2 NT))`` and
    ``NAMP = sqrt(flicker (2 pi NT)^slope / (2 NT))``, sqrt(pi flicker) for slope 1. Measured in
    ngspice 39, density over request: white 0.99, flicker 1.00 to 1.04 (slopes 0.95 to 1.2, NT 0.2
    and 1 ms), both times sinc^4(f NT). The source is 0 at t = 0, its flicker part then starts
    from 0, and ngspice takes a breakpoint every NT.
    """
    white, driving = _amplitudes(white_density_a2_per_hz, flicker_density_a2_per_hz, slope, step_s)
    flicker = f" {slope:.6g} {driving:.6g}" if driving > 0 else " 0 0"
    return f"{name} {plus} {minus} dc 0 trnoise({white:.6g} {step_s:.6g}{flicker})\n"


def noise_samples(
    white_density_a2_per_hz: float,
    flicker_density_a2_per_hz: float,
    step_s: float,
    count: int,
    seed: int | Sequence[int],
    slope: float = 1.0,
) -> NDArray[np.float64]:
    """``count`` samples (A), ``step_s`` apart, with the statistics of ``trnoise_line``.

    The flicker part is stationary over twice the record: its density holds down to about
    1/(count step_s), and it does not start from 0 as ngspice's does.
    """
    draw = np.random.Generator(np.random.PCG64(seed))
    white, driving = _amplitudes(white_density_a2_per_hz, flicker_density_a2_per_hz, slope, step_s)
    samples = white * draw.standard_normal(count)
    if driving > 0:
        length = 2 * count
        k = np.arange(1, length)
        taps = np.concatenate([[1.0], np.cumprod((slope / 2 + k - 1) / k)])
        spectrum = np.fft.rfft(taps) * np.fft.rfft(draw.standard_normal(length))
        spectrum[0] = 0  # a record's mean is an offset, not noise
        samples += driving * np.fft.irfft(spectrum, length)[:count]
    return samples


def sampled_line(
    name: str, plus: str, minus: str, samples_a: NDArray[np.float64], step_s: float
) -> str:
    """A PWL current source through ``samples_a``: the first at t = 0, one every ``step_s``."""
    pairs = [f"{k * step_s:.9g} {value:.6g}" for k, value in enumerate(samples_a.tolist())]
    rows = (" ".join(pairs[k : k + _PER_LINE]) for k in range(0, len(pairs), _PER_LINE))
    return f"{name} {plus} {minus} dc 0 pwl(\n+ " + "\n+ ".join(rows) + ")\n"
