"""How a cell weighs noise while it decides: the decision node followed in time.

Node v0 obeys  C(V) dV/dt = F(V) + i(t): F is what flows into it when it is held at V (feedback
included), C what charges it, both read from ngspice with v0 held at many voltages. A candidate is
*marginal* when v0 ends its window exactly at the point V_u from which, under the hold current, it
goes neither up nor down. A small current i(t) then moves the end by

    dV(T) = integral w'(t) i(t) dt,   w'(t) = exp(integral_t^T F'(V(s))/C ds) / C(V(t))

so that the candidate at which the cell switches moves by -integral w(t) i(t) dt, w = w' divided by
its integral (a constant current is a candidate). The variance of the threshold is

    sigma^2 = integral S(f) |W(f)|^2 df,   W(f) = integral w(t) exp(-2 pi i f t) dt

with S the one-sided density of the current noise referred to v0. Near a fold with small overdrive w
is a Hann window of the length T: the noise bandwidth integral |W|^2 df is 0.75/T.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

Floats = NDArray[np.float64]

_STEPS = 2000


@dataclass(frozen=True)
class DecisionNode:
    """Currents into v0 (``volts``,) while the cell looks at ``candidate_a`` and while it holds,
    amperes, and what charges it, farads."""

    volts: Floats
    looking_a: Floats
    holding_a: Floats
    charging_f: Floats
    candidate_a: float

    def weight(self, window_s: float, start_high: bool) -> tuple[Floats, Floats, float]:
        """Times (n,) in the window, the weight w (n,) per second of unit area, and the marginal
        candidate, ampere. Raises ValueError where no candidate near ``candidate_a`` is marginal."""
        end_v = self._turning()
        start_v = self._rest(start_high)
        span = 0.3 * self.candidate_a

        def miss(extra_a: float) -> float:
            return float(self._path(window_s, start_v, extra_a)[-1] - end_v)

        if miss(-span) * miss(span) > 0:
            raise ValueError("no candidate within 30 % is marginal")
        extra_a = float(brentq(miss, -span, span, xtol=1e-4 * 1e-3 * self.candidate_a))
        path = self._path(window_s, start_v, extra_a)
        times = np.linspace(0, window_s, len(path))
        slope = PchipInterpolator(self.volts, self.looking_a).derivative()(path)
        charge = np.interp(path, self.volts, self.charging_f)
        rate = slope / charge
        steps = np.diff(times) * (rate[1:] + rate[:-1]) / 2
        # Far from the fold the path is pulled back hard: what happened before is forgotten.
        later = np.concatenate([np.cumsum(steps[::-1])[::-1], [0.0]])
        weight = np.exp(np.clip(later, -200, 200)) / charge
        return times, weight / np.trapezoid(weight, times), self.candidate_a + extra_a

    def _path(self, window_s: float, start_v: float, extra_a: float) -> Floats:
        """v0 over the window, by exponential Euler steps on the table's straight lines."""
        dt = window_s / _STEPS
        v = start_v
        path = np.empty(_STEPS + 1)
        path[0] = v
        volts, current, charge = self.volts, self.looking_a + extra_a, self.charging_f
        low, high = float(volts[0]), float(volts[-1])
        slopes = np.diff(current) / np.diff(volts)
        for k in range(_STEPS):
            at = min(max(int(np.searchsorted(volts, v)) - 1, 0), len(slopes) - 1)
            f = current[at] + slopes[at] * (v - volts[at])
            c = charge[at] + (charge[at + 1] - charge[at]) * (v - volts[at]) / (
                volts[at + 1] - volts[at]
            )
            rate = slopes[at] * dt / c
            gain = np.expm1(rate) / rate if abs(rate) > 1e-9 else 1.0
            v = min(max(v + f * dt / c * gain, low), high)
            path[k + 1] = v
        return path

    def _turning(self) -> float:
        """The unstable point of the hold curve: where it crosses zero upwards."""
        up = np.flatnonzero((self.holding_a[:-1] < 0) & (self.holding_a[1:] >= 0))
        if len(up) == 0:
            return float(self.volts[-1] + self.volts[0]) / 2
        return self._zero(int(up[-1]))

    def _rest(self, high: bool) -> float:
        """The stable point of the hold curve from which the window is entered."""
        down = np.flatnonzero((self.holding_a[:-1] >= 0) & (self.holding_a[1:] < 0))
        if len(down) == 0:
            return float(self.volts[-1] if high else self.volts[0])
        return self._zero(int(down[-1] if high else down[0]))

    def _zero(self, k: int) -> float:
        a, b = self.holding_a[k], self.holding_a[k + 1]
        return float(self.volts[k] + (self.volts[k + 1] - self.volts[k]) * a / (a - b))


def hann(window_s: float) -> tuple[Floats, Floats]:
    """Times and weight of a Hann window of unit area."""
    times = np.linspace(0, window_s, 501)
    return times, (1 - np.cos(2 * np.pi * times / window_s)) / window_s


def bandwidth_hz(times: Floats, weight: Floats) -> float:
    """The noise bandwidth of a weight of unit area: the integral of |W|^2 df."""
    return float(np.trapezoid(weight**2, times) / 2)


def response(times: Floats, weight: Floats, frequency_hz: Floats) -> Floats:
    """|W(f)|^2 of a weight."""
    turns = np.exp(-2j * np.pi * frequency_hz[:, None] * times[None, :])
    return np.asarray(np.abs(np.trapezoid(weight * turns, times, axis=1)) ** 2, dtype=np.float64)


def weighed_variance(
    frequency_hz: Floats, density: Floats, times: Floats, weight: Floats, lowest_hz: float,
    tick_s: float = 0.0,
) -> float:  # fmt: skip
    """The integral of S |W|^2 from ``lowest_hz``; S (A^2/Hz) is interpolated on log axes and
    continued beyond its ends. ``tick_s``: of noise that is linear between samples so far apart."""
    highest = 20 / float(times[-1])
    f = np.concatenate(
        [
            np.geomspace(lowest_hz, 0.2 / times[-1], 150)[:-1],
            np.linspace(0.2 / times[-1], highest, 400),
        ]
    )
    log_f, log_s = np.log(frequency_hz), np.log(density)
    first = (log_s[1] - log_s[0]) / (log_f[1] - log_f[0])
    s = np.interp(np.log(f), log_f, log_s) + np.where(
        f < frequency_hz[0], first * (np.log(f) - log_f[0]), 0.0
    )
    return float(np.trapezoid(np.exp(s) * response(times, weight, f) * np.sinc(f * tick_s) ** 4, f))
