"""The memory cell: what its thresholds and gain are for given bias currents, and the inverse.

``cell_loops`` measures cells. The map is close to linear; with currents in unit currents,

    beta_hi = I_thresh (t0 + t1 ln I_thresh)
    width   = w0 I_width + w1 I_thresh
    alpha   = I_gain (g0 + g1 ln I_gain)

and ``program_cells`` closes the loop: it measures the cells as programmed and corrects.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codesign.device.bench import ProcessPoint
from codesign.device.cell_loops import CellBias, Loop, measure_loops
from codesign.device.mirrors import MirrorCalibration

# Two steps of the layout grid in the shortest mirror.
_SETTLED = 1e-3
_CASES = (
    (0.2, 0.10, 0.1), (0.4, 0.20, 0.3), (0.7, 0.20, 0.6), (1.0, 0.50, 1.0), (1.0, 0.85, 0.2),
    (1.5, 0.30, 1.5), (2.0, 1.60, 2.0), (2.0, 0.40, 3.0), (3.0, 1.50, 4.0), (4.5, 3.00, 5.0),
)  # fmt: skip


@dataclass(frozen=True)
class CellMap:
    """Coefficients of the map above, and the worst relative residuals of its fit."""

    t0: float
    t1: float
    w0: float
    w1: float
    g0: float
    g1: float
    residual_beta_hi: float
    residual_width: float
    residual_alpha: float

    def effective(self, bias: CellBias) -> tuple[float, float, float]:
        """(beta_hi, width, alpha) in units that these bias currents give."""
        return (
            bias.threshold * (self.t0 + self.t1 * math.log(bias.threshold)),
            self.w0 * bias.width + self.w1 * bias.threshold,
            bias.gain * (self.g0 + self.g1 * math.log(bias.gain)),
        )

    def program(self, beta_hi: float, width: float, alpha: float) -> CellBias:
        """Bias currents (units) that give these effective values: the map, inverted."""
        threshold = _invert_log(beta_hi, self.t0, self.t1)
        gain = _invert_log(alpha, self.g0, self.g1)
        return CellBias(threshold, (width - self.w1 * threshold) / self.w0, gain)


def _invert_log(value: float, c0: float, c1: float) -> float:
    x = value / c0
    for _ in range(20):
        x = value / (c0 + c1 * math.log(x))
    return x


def fit_cell_map(point: ProcessPoint, mirrors: MirrorCalibration) -> CellMap:
    """Measure ten cells spread over the bias range and fit the map."""
    hw = point.hardware
    cases = [
        CellBias(t, w, g)
        for t, w, g in _CASES
        if max(t, w, g) <= hw.bias_max_units and min(t, w, g) >= hw.bias_min_units
    ]
    loops = measure_loops(point, mirrors, cases)
    threshold = np.array([case.threshold for case in cases])
    width = np.array([case.width for case in cases])
    gain = np.array([case.gain for case in cases])
    beta_hi = np.array([loop.beta_hi_a for loop in loops]) / hw.unit_current_a
    beta_lo = np.array([loop.beta_lo_a for loop in loops]) / hw.unit_current_a
    alpha = np.array([loop.alpha_a for loop in loops]) / hw.unit_current_a
    t0, t1 = _fit_log(threshold, beta_hi)
    g0, g1 = _fit_log(gain, alpha)
    measured_width = beta_hi - beta_lo
    columns = np.stack([width, threshold], axis=1) / threshold[:, None]
    w0, w1 = np.linalg.lstsq(columns, measured_width / threshold, rcond=None)[0]
    return CellMap(
        t0, t1, float(w0), float(w1), g0, g1,
        _worst(threshold * (t0 + t1 * np.log(threshold)), beta_hi, beta_hi),
        _worst(w0 * width + w1 * threshold, measured_width, threshold),
        _worst(gain * (g0 + g1 * np.log(gain)), alpha, alpha),
    )  # fmt: skip


def _worst(
    got: NDArray[np.float64], want: NDArray[np.float64], scale: NDArray[np.float64]
) -> float:
    return float(np.abs((got - want) / scale).max())


def _fit_log(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    slope, offset = np.polyfit(np.log(x), y / x, 1)
    return float(offset), float(slope)


def program_cells(
    point: ProcessPoint,
    mirrors: MirrorCalibration,
    cell_map: CellMap,
    targets: Sequence[tuple[float, float, float]],
    rounds: int = 4,
) -> tuple[list[CellBias], list[Loop]]:
    """Bias currents for (beta_hi, width, alpha) targets in units, and the loops they give.

    The first guess is the map; each round measures the cells with the bias mirrors they will be
    drawn with and corrects every bias by what is missing, until it is little or ``rounds`` are
    done (two suffice, but where leakage bends the map). What is left after that is the layout
    grid of the mirrors' lengths. A lower threshold or a width that is small beside beta_hi feels
    it most, so the last round shares beta_hi's error between the two. The loops returned are
    those of the last correction: their distance from the targets is a measurement, not a hope.
    """
    biases = [drawn_bias(mirrors, cell_map.program(*target)) for target in targets]
    loops = measure_loops(point, mirrors, biases, built=True)
    unit = point.hardware.unit_current_a
    for left in reversed(range(rounds)):
        last = left == 0 or _settled(loops, targets, unit)
        corrected = [
            _corrected(bias, loop, target, unit, last)
            for bias, loop, target in zip(biases, loops, targets, strict=True)
        ]
        biases = [drawn_bias(mirrors, bias) for bias in corrected]
        loops = measure_loops(point, mirrors, biases, built=True)
        if last:
            break
    return biases, loops


def _settled(
    loops: Sequence[Loop], targets: Sequence[tuple[float, float, float]], unit: float
) -> bool:
    """Whether every cell is as near its target as the layout grid brings it."""
    return all(
        max(
            abs(loop.beta_hi_a / unit / beta_hi - 1),
            abs((loop.beta_hi_a - loop.beta_lo_a) / unit - width) / beta_hi,
            abs(loop.alpha_a / unit / alpha - 1),
        )
        < _SETTLED
        for loop, (beta_hi, width, alpha) in zip(loops, targets, strict=True)
    )


def drawn_bias(mirrors: MirrorCalibration, bias: CellBias) -> CellBias:
    """The currents (units) of the mirrors these bias currents are drawn with, on the layout grid.

    Drawing the result again gives the same mirrors.
    """
    currents = (bias.threshold, bias.width, bias.gain)
    return CellBias(*(mirrors.bias_p.size(current)[2] for current in currents))


def _corrected(
    bias: CellBias, loop: Loop, target: tuple[float, float, float], iu: float, last: bool
) -> CellBias:
    beta_hi, width, alpha = target
    measured_hi, measured_lo = loop.beta_hi_a / iu, loop.beta_lo_a / iu
    missing = width - (measured_hi - measured_lo)
    if last:
        # The width whose relative error and that of beta_lo have the smallest sum of squares.
        beta_lo = max(beta_hi - width, 1e-3 * beta_hi)
        share = beta_lo**2 / (beta_lo**2 + width**2)
        return replace(bias, width=bias.width + missing + (1 - share) * (measured_hi - beta_hi))
    return CellBias(
        bias.threshold * beta_hi / measured_hi,
        bias.width + missing,
        bias.gain * alpha / (loop.alpha_a / iu),
    )
