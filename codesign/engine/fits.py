"""Closed forms of the device tables: few coefficients, one division or exponential per use.

A mirror output (source at the bulk) is

    I = m mulu0 exp(kd t) A(Vg + t) sum_k r_k(Vg + t) phi_k(Vd),      r_0 = 1

where t is the gate shift that delvto means, ln A and r_k are polynomials of the gate voltage (one
set per geometry) and phi_k are polynomials of the rational warp Vd / (Vd + V1), shared by all
geometries of a polarity (the leading right singular vectors of all their output curves). Because
the drain only enters through phi, every copy that ends on a node adds K numbers, and the cost of
solving the node does not depend on its fan-in.

A diode (gate and drain on one node) is a function of one voltage and is fitted on its own. A
switch is an EKV device (Enz, Krummenacher, Vittoz 1995) whose pinch-off voltage is a polynomial of
the gate voltage; it only steers currents that mirrors set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import polynomial as poly
from numpy.typing import NDArray
from scipy.optimize import least_squares

from codesign.device.geometry import REFERENCE_DRAIN_V, Geometry
from codesign.engine.tables import GATE_STEP_V, MOBILITY, SHIFT_V, MirrorTable, SwitchTable

Floats = NDArray[np.float64]

DRAIN_TERMS = 4  # phi_k: singular vectors kept
DRAIN_DEGREE = 12
GATE_DEGREE = 10
RATIO_DEGREE = 6
PINCH_DEGREE = 5
WARP_V = 0.1
_NANO = 1e-9
# ln of the current per volt of gate below which the gate does not control it.
_CONTROL_PER_V = 16.0


@dataclass(frozen=True)
class FitError:
    """Relative error of a fit over the currents it is used at: root mean square and largest."""

    what: str
    rms: float
    largest: float


@dataclass(frozen=True)
class MirrorFit:
    """All mirrors of one polarity, in volts and nanoamperes.

    ``drain[k, j]``: phi_k = sum_j drain[k, j] x^j, x = warp_scale s - 1, s = v / (v + WARP_V).
    ``gate[g, i]``: ln A = sum_i gate[g, i] u^i, u = (v - centre_v) / half_v; ``ratio[g, k, i]``
    the same for r_k, k >= 1; ``diode[g, i]``: ln(I / f) with f = 1 - 1 / e4(v / thermal voltage),
    e4 the first terms of the exponential.
    ``low_v``, ``high_v``: the range of the fit; ``kd_per_v``: ln of the current per volt of shift
    beyond the shift itself; ``mobility``: ln of the current per ln of mulu0.
    """

    polarity: str
    geometries: tuple[Geometry, ...]
    drain: Floats
    warp_scale: float
    gate: Floats
    ratio: Floats
    diode: Floats
    centre_v: Floats
    half_v: Floats
    low_v: Floats
    high_v: Floats
    kd_per_v: float
    mobility: float
    errors: tuple[FitError, ...]


@dataclass(frozen=True)
class SwitchFit:
    """One switch: I = scale (F(vp - vs) - F(vp - vd)) (1 + lam (vd - vs)), nanoamperes.

    F(x) = ln(1 + exp(x / (2 thermal_v)))^2, vp = polynomial of (vg - centre_v) / half_v.
    """

    geometry: Geometry
    scale_na: float
    thermal_v: float
    lam_per_v: float
    pinch: Floats
    centre_v: float
    half_v: float
    error: FitError


def fit_mirrors(
    geometries: Sequence[Geometry],
    table: MirrorTable,
    highest_a: Sequence[float],
    thermal_v: float,
) -> MirrorFit:
    """Fit all geometries of one polarity up to ``highest_a`` amperes per device each."""
    gate, drain = table.gate_v, table.drain_v
    current = table.current_a / _NANO
    at = int(np.argmin(np.abs(drain - REFERENCE_DRAIN_V)))
    saturated = current[:, :, at]
    high = np.array(
        [_voltage_at(gate, saturated[g], limit / _NANO) for g, limit in enumerate(highest_a)]
    )
    # Below a ten-millionth of the limit the exponential is continued with its slope.
    low = np.array(
        [_voltage_at(gate, saturated[g], limit * 1e-7 / _NANO) for g, limit in enumerate(highest_a)]
    )
    centre, half = (low + high) / 2, (high - low) / 2
    inside = (gate <= high[:, None] + GATE_STEP_V) & (gate >= low[:, None] - GATE_STEP_V)
    floor = 1e-5 * np.asarray(highest_a)[:, None] / _NANO
    used = inside & (saturated > floor)
    basis, scale = _drain_basis(drain, current, saturated, used)
    values = poly.polyval(scale * drain / (drain + WARP_V) - 1, basis.T)  # (K, drain)
    weights = np.minimum(drain / 0.05, 1.0) + 1e-3
    projected = np.linalg.lstsq(
        (values * weights).T, (current * weights / saturated[..., None]).reshape(-1, len(drain)).T,
        rcond=None,
    )[0].T.reshape(*saturated.shape, DRAIN_TERMS)  # fmt: skip
    gates, ratios, diodes, worst, squares = [], [], [], [], []
    for g in range(len(geometries)):
        keep = inside[g]
        u = (gate[keep] - centre[g]) / half[g]
        ln_a = np.log(saturated[g, keep] * projected[g, keep, 0])
        important = np.where(used[g, keep], 1.0, 0.01)
        gates.append(poly.polyfit(u, ln_a, GATE_DEGREE, w=important))
        within = projected[g, keep, 1:] / projected[g, keep, :1]
        ratios.append(poly.polyfit(u, within, RATIO_DEGREE, w=important).T)
        diodes.append(_diode(table, g, thermal_v, centre[g], half[g], low[g], high[g], floor[g, 0]))
        model = np.exp(poly.polyval(u, gates[-1]))[:, None] * (
            np.concatenate([np.ones((len(u), 1)), poly.polyval(u, ratios[-1].T).T], axis=1) @ values
        )
        rows = used[g, keep] & (gate[keep] <= high[g])
        error = model[rows][:, drain >= 0.1] / current[g, keep][rows][:, drain >= 0.1] - 1
        squares.append(float(np.mean(error**2)))
        worst.append(float(np.abs(error).max()))
    errors = (
        FitError("saturated mirror", float(np.sqrt(np.mean(squares))), max(worst)),
        _diode_error(table, diodes, thermal_v, centre, half, high, floor),
    )
    return MirrorFit(
        geometries[0].polarity, tuple(geometries), basis, scale, np.array(gates),
        np.array(ratios), np.array(diodes), centre, half, low, high,
        _shift_excess(
            table, gates[0], ratios[0], np.asarray(values[:, at], np.float64),
            centre[0], half[0], floor[0, 0], high[0],
        ),
        _mobility(table, floor[0, 0]), errors,
    )  # fmt: skip


def _voltage_at(gate: Floats, current: Floats, limit: float) -> float:
    return float(np.interp(np.log(limit), np.log(np.maximum(current, 1e-30)), gate))


def _drain_basis(
    drain: Floats, current: Floats, saturated: Floats, used: NDArray[np.bool_]
) -> tuple[Floats, float]:
    """Polynomials in the warped drain voltage that span the output curves, zero at zero."""
    curves = (current / saturated[..., None])[used]
    warp = drain / (drain + WARP_V)
    scale = 2 / float(warp.max())
    x = scale * warp - 1
    terms = np.polynomial.chebyshev.chebvander(x, DRAIN_DEGREE)[:, 1:]
    terms = terms - terms[:1]
    weights = 1 / np.maximum(np.median(curves, axis=0), 0.05)
    q, _ = np.linalg.qr(terms * weights[:, None])
    _, _, vt = np.linalg.svd((curves * weights) @ q, full_matrices=False)
    wanted = (vt[:DRAIN_TERMS] @ q.T) / weights
    coefficients = np.linalg.lstsq(terms * weights[:, None], (wanted * weights).T, rcond=None)[
        0
    ]  # (DEGREE, K), Chebyshev without the constant term
    series = np.concatenate([np.zeros((1, DRAIN_TERMS)), coefficients])
    powers = np.stack([np.polynomial.chebyshev.cheb2poly(column) for column in series.T])
    powers[:, 0] -= poly.polyval(-1.0, powers.T)  # no current without a drain voltage
    at_reference = poly.polyval(
        scale * REFERENCE_DRAIN_V / (REFERENCE_DRAIN_V + WARP_V) - 1, powers.T
    )
    powers[0] *= np.sign(at_reference[0])
    return powers, scale


def _diode(
    table: MirrorTable,
    g: int,
    thermal_v: float,
    centre: float,
    half: float,
    low: float,
    high: float,
    floor: float,
) -> Floats:
    keep = (table.diode_v > max(0.0, low - GATE_STEP_V)) & (table.diode_v <= high + GATE_STEP_V)
    v, current = table.diode_v[keep], table.diode_a[g, keep] / _NANO
    target = np.log(current / _knee(v / thermal_v))
    return poly.polyfit(
        (v - centre) / half, target, GATE_DEGREE, w=np.where(current > floor, 1.0, 0.05)
    )


def _knee(z: Floats) -> Floats:
    """1 - exp(-z) without an exponential: the drain's own part of a diode's current."""
    return np.asarray(1 - 1 / (1 + z * (1 + z / 2 * (1 + z / 3 * (1 + z / 4)))))


def _diode_error(
    table: MirrorTable, fits: Sequence[Floats], thermal_v: float, centre: Floats, half: Floats,
    high: Floats, floor: Floats,
) -> FitError:  # fmt: skip
    errors = []
    for g, fit in enumerate(fits):
        current = table.diode_a[g] / _NANO
        keep = (current > floor[g, 0]) & (table.diode_v <= high[g])
        v = table.diode_v[keep]
        model = _knee(v / thermal_v) * np.exp(poly.polyval((v - centre[g]) / half[g], fit))
        errors.append(model / current[keep] - 1)
    every = np.concatenate(errors)
    return FitError("diode", float(np.sqrt(np.mean(every**2))), float(np.abs(every).max()))


def _shift_excess(
    table: MirrorTable, gate_fit: Floats, ratio_fit: Floats, drain_values: Floats,
    centre: float, half: float, floor: float, high: float,
) -> float:  # fmt: skip
    """d ln I / d t beyond the shift of the gate, from the measured delvto sensitivity."""

    def ln_current(u: Floats) -> Floats:
        shape = drain_values[0] + drain_values[1:] @ poly.polyval(u, ratio_fit.T)
        return np.asarray(poly.polyval(u, gate_fit) + np.log(shape))

    reference = table.reference_a / _NANO
    keep = (reference > 10 * floor) & (table.gate_v < high)
    u = (table.gate_v[keep] - centre) / half
    moved = ln_current(u - SHIFT_V / half) - ln_current(u)
    measured = np.log(table.shifted_a[keep] / table.reference_a[keep])
    return float(np.mean(measured - moved) / -SHIFT_V)


def _mobility(table: MirrorTable, floor: float) -> float:
    """d ln I / d ln mulu0: 1 where the current is proportional to the mobility."""
    keep = table.reference_a / _NANO > 10 * floor
    ratio = np.log(table.mobile_a[keep] / table.reference_a[keep]) / np.log(MOBILITY)
    return float(np.mean(ratio))


def fit_switch(geometry: Geometry, table: SwitchTable, highest_a: float) -> SwitchFit:
    """Fit one switch from a femtoampere to ``highest_a``, where the gate controls the current.

    Leakage that no gate controls (gate-induced, of junctions) is left out: it is not the channel's.
    """
    source, across, gate = np.meshgrid(
        table.source_v, table.drain_source_v, table.gate_v, indexing="ij"
    )
    current = table.current_a / _NANO
    controlled = np.gradient(np.log(np.maximum(current, 1e-30)), table.gate_v, axis=2)
    keep = (current > 1e-6) & (current < highest_a / _NANO) & (controlled > _CONTROL_PER_V)
    keep &= source + across <= table.gate_v[-1] + 0.05
    vs, vd, vg = source[keep], (source + across)[keep], gate[keep]
    target = np.log(current[keep])
    half = float(table.gate_v[-1]) / 2

    def model(p: Floats) -> Floats:
        vp = poly.polyval(vg / half - 1, p[3:])
        forward, back = _ekv((vp - vs) / (2 * p[1])), _ekv((vp - vd) / (2 * p[1]))
        difference = np.maximum(forward - back, 1e-300)
        return np.asarray(p[0] + np.log(difference) + np.log1p(p[2] * (vd - vs)))

    start = np.r_[np.log(100.0), 0.026, 0.05, 0.35, 0.7, np.zeros(PINCH_DEGREE - 1)]

    def residual(p: Floats) -> Floats:
        return model(p) - target

    found = least_squares(residual, start, x_scale=np.r_[1, 0.01, np.full(PINCH_DEGREE + 2, 0.1)])
    error = np.expm1(model(found.x) - target)
    p = found.x
    return SwitchFit(
        geometry, float(np.exp(p[0])), float(p[1]), float(p[2]), p[3:], half, half,
        FitError(f"switch {geometry.text()}", float(np.sqrt(np.mean(error**2))),
                 float(np.abs(error).max())),
    )  # fmt: skip


def _ekv(x: Floats) -> Floats:
    return np.asarray(np.logaddexp(0, x) ** 2)
