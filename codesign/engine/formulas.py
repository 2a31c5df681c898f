"""The formulas of ``fits`` in plain numpy, double precision: currents and derivatives.

Units are volts, nanoamperes and femtofarads; arrays over samples have the samples last. A voltage
*in the sense of a device* is measured from ground for an N device and down from the supply for a P
device, and slopes are by such voltages.
"""

import numpy as np
from numpy.typing import NDArray

from codesign.engine.characterise import Models, thermal_voltage
from codesign.engine.decode import Circuit
from codesign.engine.fits import WARP_V

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def polynomial(c: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Value and derivative at x (..., samples); coefficients (..., terms), lowest first."""
    value: Floats = np.zeros((*c.shape[:-1], x.shape[-1]))
    slope = value
    for k in range(c.shape[-1] - 1, -1, -1):
        slope = slope * x + value
        value = value * x + c[..., k, None]
    return value, slope


class _Fits:
    """Coefficients of the fits of some devices, stacked; ``table`` starts device, polarity,
    geometry."""

    def __init__(self, models: Models, table: Ints) -> None:
        self.device, self.polarity = table[:, 0], table[:, 1]
        places = [(models.mirrors[p], int(g)) for p, g in table[:, 1:3]]

        def stack(name: str) -> Floats:
            return np.stack([getattr(fit, name)[g] for fit, g in places])

        self.gate, self.ratio, self.diode = stack("gate"), stack("ratio"), stack("diode")
        self.centre, self.half = stack("centre_v")[:, None], stack("half_v")[:, None]
        self.drain = np.stack([fit.drain for fit, _ in places])
        self.warp_scale = np.array([fit.warp_scale for fit, _ in places])[:, None]

    def window(self, vg: Floats) -> tuple[Floats, Floats]:
        """Gate voltage in the unit of the fits: kept inside, and what was cut off."""
        u = (vg - self.centre) / self.half
        inside = np.clip(u, -1, 1)
        return inside, u - inside


class Devices:
    """The formulas of ``fits`` for the devices of one circuit and the draws of some samples.

    ``shift_v``, ``gain`` (samples, devices) as the kernel takes them.
    """

    def __init__(
        self, circuit: Circuit, models: Models, vdd: float, temperature_c: float,
        shift_v: Floats, gain: Floats,
    ) -> None:  # fmt: skip
        self.circuit, self.vdd = circuit, vdd
        self.thermal_v = thermal_voltage(temperature_c)
        self.shift, self.gain = shift_v.T, gain.T
        self.copied, self.diode = _Fits(models, circuit.copies), _Fits(models, circuit.diodes)
        self.switched = [models.switches[g] for g in circuit.switches[:, 2]]

    def sense(self, polarity: Ints, v: Floats) -> Floats:
        """Voltages (devices, samples) in the sense of each device."""
        return np.where(polarity[:, None] == 1, self.vdd - v, v)

    def copies(self, v: Floats) -> tuple[Floats, Floats, Floats]:
        """gain A(Vg + t) sum_k r_k(Vg + t) phi_k(Vd): current, its slopes by gate and drain."""
        fit = self.copied
        gate, drain = self.circuit.copies[:, 3:5].T
        inside, rest = fit.window(self.sense(fit.polarity, v[gate]) + self.shift[fit.device])
        ln_a, ln_slope = polynomial(fit.gate, inside)
        a = self.gain[fit.device] * np.exp(ln_a + ln_slope * rest)
        ratio, ratio_slope = polynomial(fit.ratio, inside[:, None])
        ratio_slope = ratio_slope * (rest == 0)[:, None]
        phi, phi_slope = self._drain(self.sense(fit.polarity, v[drain]))
        shape = phi[:, 0] + (ratio * phi[:, 1:]).sum(axis=1)
        shape_slope = phi_slope[:, 0] + (ratio * phi_slope[:, 1:]).sum(axis=1)
        by_gate = a * (ln_slope * shape + (ratio_slope * phi[:, 1:]).sum(axis=1)) / fit.half
        return a * shape, by_gate, a * shape_slope

    def _drain(self, vd: Floats) -> tuple[Floats, Floats]:
        """phi_k (copies, K, samples) and their slopes; a straight line below zero."""
        fit, positive = self.copied, np.maximum(vd, 0)
        x = fit.warp_scale * positive / (positive + WARP_V) - 1
        value, slope = polynomial(fit.drain, x[:, None])
        slope = slope * (fit.warp_scale * WARP_V / (positive + WARP_V) ** 2)[:, None]
        return value + slope * np.minimum(vd, 0)[:, None], slope

    def diodes(self, v: Floats) -> tuple[Floats, Floats]:
        """Gate and drain on one node: exp(polynomial) times the drain's knee; current, slope."""
        fit = self.diode
        across = self.sense(fit.polarity, v[self.circuit.diodes[:, 3]])
        inside, rest = fit.window(across + self.shift[fit.device])
        value, slope = polynomial(fit.diode, inside)
        a = self.gain[fit.device] * np.exp(value + slope * rest)
        z = np.maximum(across / self.thermal_v, -0.5)
        e3 = 1 + z * (1 + z / 2 * (1 + z / 3))
        e4 = 1 + z * (1 + z / 2 * (1 + z / 3 * (1 + z / 4)))
        below = np.minimum(across / self.thermal_v + 0.5, 0)
        knee = 1 - 1 / e4 + e3 / e4**2 * below
        return a * knee, a * (slope / fit.half * knee + e3 / e4**2 / self.thermal_v)

    def switches(self, v: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Current from drain to source, slopes by gate, drain and source."""
        device, polarity, _, *terminals = self.circuit.switches.T

        def of(name: str) -> Floats:
            return np.array([getattr(fit, name) for fit in self.switched]).reshape(-1, 1)

        vg, vd, vs = (self.sense(polarity, v[node]) for node in terminals)
        half, lam, twice = of("half_v"), of("lam_per_v"), 2 * of("thermal_v")
        u = np.clip((vg + self.shift[device] - of("centre_v")) / half, -1.2, 1.2)
        pinch, pinch_slope = polynomial(np.stack([fit.pinch for fit in self.switched]), u)
        xs, xd = (pinch - vs) / twice, (pinch - vd) / twice
        fs, fd = np.logaddexp(0, xs), np.logaddexp(0, xd)
        scale, early = self.gain[device] * of("scale_na"), 1 + lam * np.abs(vd - vs)
        difference = scale * (fs**2 - fd**2)
        forward = scale * early * 2 / twice * fs * np.exp(xs - fs)
        back = scale * early * 2 / twice * fd * np.exp(xd - fd)
        bend = difference * lam * np.where(vd > vs, 1, -1)
        by_gate = (forward - back) * pinch_slope / half
        return difference * early, by_gate, back + bend, -forward - bend
