"""Terminal capacitances from ngspice's small-signal analysis, overlap and junction included.

One transistor per bias point and driven terminal; the imaginary part of each terminal's current at
a low frequency is the capacitance. The operating-point values a simulator prints are the intrinsic
part only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import polynomial as poly
from numpy.typing import NDArray

from codesign.device.bench import ProcessPoint
from codesign.device.geometry import REFERENCE_DRAIN_V, Geometry, sign_and_model

Floats = NDArray[np.float64]

GATE_TERMS = 6
_POINTS = 15
_FREQUENCY_HZ = 1e3
_CHUNK = 24


@dataclass(frozen=True)
class Capacitance:
    """One device (m = 1), in femtofarad, voltages as in ``tables``.

    ``gate``: coefficients of the gate capacitance as a polynomial of the gate voltage;
    ``drain``: of the drain to everything; ``gate_drain``: what the gate couples into the drain.
    """

    gate: tuple[float, ...]
    drain: float
    gate_drain: float


def measure_capacitances(
    point: ProcessPoint,
    geometries: Sequence[Geometry],
    low_v: Sequence[float],
    high_v: Sequence[float],
) -> list[Capacitance]:
    """Capacitances of devices with the source at the bulk, over each one's gate range.

    Raises EnvironmentMissing when ngspice cannot measure them.
    """
    result: list[Capacitance] = []
    for start in range(0, len(geometries), _CHUNK):
        part = slice(start, start + _CHUNK)
        result += _measure(point, geometries[part], low_v[part], high_v[part])
    return result


def _measure(
    point: ProcessPoint,
    geometries: Sequence[Geometry],
    low_v: Sequence[float],
    high_v: Sequence[float],
) -> list[Capacitance]:
    body = ""
    for k, geometry in enumerate(geometries):
        for i, gate in enumerate(np.linspace(low_v[k], high_v[k], _POINTS)):
            body += _device(point, geometry, f"{k}_{i}", float(gate), "g")
        body += _device(point, geometry, f"{k}_d", _operating(low_v[k], high_v[k]), "d")
    body += f".control\nac lin 1 {_FREQUENCY_HZ:g} {_FREQUENCY_HZ:g}\nwrite out.raw\n.endc\n"
    (plot,) = point.run_dc("capacitances", body)
    omega = 2 * np.pi * _FREQUENCY_HZ

    def imaginary(vector: str) -> float:
        return float(plot.complex(vector)[0].imag / omega * 1e15)

    result = []
    for k in range(len(geometries)):
        gates = np.linspace(low_v[k], high_v[k], _POINTS)
        values = np.array([-imaginary(f"i(vg{k}_{i})") for i in range(_POINTS)])
        coupled = [imaginary(f"i(vd{k}_{i})") for i in range(_POINTS)]
        at = float(np.interp(_operating(low_v[k], high_v[k]), gates, coupled))
        drain = -imaginary(f"i(vd{k}_d)")
        fitted = poly.polyfit(gates, values, GATE_TERMS - 1)
        result.append(Capacitance(tuple(float(c) for c in fitted), drain, at))
    return result


def _operating(low_v: float, high_v: float) -> float:
    """A gate voltage in the middle of the decades a signal uses."""
    return low_v + 0.7 * (high_v - low_v)


def _device(point: ProcessPoint, geometry: Geometry, name: str, gate_v: float, driven: str) -> str:
    sign, model = sign_and_model(point, geometry.polarity)
    ac = {terminal: " ac 1" if terminal == driven else "" for terminal in ("g", "d")}
    return (
        f"vg{name} g{name} 0 {sign * gate_v:.6g}{ac['g']}\n"
        f"vd{name} d{name} 0 {sign * REFERENCE_DRAIN_V:.6g}{ac['d']}\n"
        f"m{name} d{name} g{name} 0 0 {model} w={geometry.w_m:.9g} l={geometry.l_m:.9g}\n"
        f".save i(vg{name}) i(vd{name})\n"
    )
