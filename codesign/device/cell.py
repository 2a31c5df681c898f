"""The memory cell: what its thresholds and gain are for given bias currents, and the inverse.

The cell is measured as the network uses it: the candidate arrives as the current of a summing
node and goes through its turn to a P line; the state leaves through a unit mirror into a summing
node; a strobed cell has its strobe held high.

The whole S-shaped characteristic is traced in one DC sweep: a stiff feedback makes the decision
node v0 follow the sweep and supplies whatever candidate current that takes. The curve is single
valued in v0, its unstable branch included, so the solver never jumps; its folds are the
thresholds. (Sweeping the candidate instead, up and down, makes Newton leave the branch early:
the result moved by 0.8 % with the other cells in the deck.)

The map is close to linear; with currents in unit currents,

    beta_hi = I_thresh (t0 + t1 ln I_thresh)
    width   = w0 I_width + w1 I_thresh
    alpha   = I_gain (g0 + g1 ln I_gain)

and ``program_cells`` closes the loop: it measures the cells as programmed and corrects.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.device.bench import ProcessPoint
from codesign.device.mirrors import MirrorCalibration
from codesign.errors import EnvironmentMissing
from codesign.spice.rawfile import Plot

V0_STEP_V = 0.01
# Feedback: the candidate is I_thresh for this much difference between the sweep and v0.
SERVO_V = 0.02
_CASES = (
    (0.2, 0.10, 0.1), (0.4, 0.20, 0.3), (0.7, 0.20, 0.6), (1.0, 0.50, 1.0), (1.0, 0.85, 0.2),
    (1.5, 0.30, 1.5), (2.0, 1.60, 2.0), (2.0, 0.40, 3.0), (3.0, 1.50, 4.0), (4.5, 3.00, 5.0),
)  # fmt: skip


@dataclass(frozen=True)
class CellBias:
    """The currents that program a cell, in unit currents (of the unit current)."""

    threshold: float
    width: float
    gain: float

    @property
    def hold(self) -> float:
        """Middle of the hysteresis window: what a strobed cell sees between its strobes."""
        return self.threshold - self.width / 2


@dataclass(frozen=True)
class Loop:
    """The S-shaped characteristic of a cell along v0, and what it shows; currents in ampere."""

    v0_v: NDArray[np.float64]
    candidate_a: NDArray[np.float64]
    state_a: NDArray[np.float64]
    beta_hi_a: float
    beta_lo_a: float
    alpha_a: float


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


def measure_loops(
    point: ProcessPoint, mirrors: MirrorCalibration, biases: Sequence[CellBias]
) -> list[Loop]:
    """Characteristics of cells with these bias currents, measured side by side in ngspice.

    Raises EnvironmentMissing when the simulator fails or a cell is not bistable.
    """
    hw = point.hardware
    body = f"vsweep sweep 0 0\nvstb stb 0 {hw.supply_v:g}\nvstbn stbn 0 0\nvrst rst 0 0\n"
    body += "".join(_cell_bench(point, mirrors, k, bias) for k, bias in enumerate(biases))
    end = hw.supply_v - 2 * SERVO_V
    body += f".control\ndc vsweep 0 {end:.6g} {V0_STEP_V}\nwrite out.raw\n.endc\n"
    (plot,) = point.run_dc("cell hysteresis", body)
    return [_loop(plot, k, bias) for k, bias in enumerate(biases)]


def _cell_bench(point: ProcessPoint, mirrors: MirrorCalibration, k: int, bias: CellBias) -> str:
    hw = point.hardware
    iu = hw.unit_current_a
    nmos, pmos = point.pdk.nmos, point.pdk.pmos
    unit = f"w={hw.unit_w_m:.6g} l={hw.unit_l_m:.6g} m={hw.weight_grid}"
    mirror = f"w={hw.cell_w_m:.6g} l={hw.cell_l_m:.6g}"
    turn = f"wu={hw.unit_w_m:.6g} lu={hw.unit_l_m:.6g} mu={hw.weight_grid}"
    text = (
        f"gc{k} vdd s{k} sweep xc{k}.v0 {bias.threshold * iu / SERVO_V:.9g}\n"
        f"mrelu{k} s{k} s{k} 0 0 {nmos} {unit}\n"
        f"xturn{k} s{k} c{k} vdd 0 turn_n_to_p {turn} lt={mirrors.n_to_p.l_m:.6g}\n"
        f"it{k} vdd thr{k} {bias.threshold * iu:.9g}\nmt{k} thr{k} thr{k} 0 0 {nmos} {mirror}\n"
        f"iw{k} vdd wid{k} {bias.width * iu:.9g}\nmw{k} wid{k} wid{k} 0 0 {nmos} {mirror}\n"
        f"ig{k} vdd gain{k} {bias.gain * iu:.9g}\nmg{k} gain{k} gain{k} 0 0 {nmos} {mirror}\n"
    )
    if hw.cell == "strobed":
        text += (
            f"ih{k} hold{k} 0 {bias.hold * iu:.9g}\n"
            f"mh{k} hold{k} hold{k} vdd vdd {pmos} {mirror}\n"
            f"xc{k} c{k} h{k} thr{k} wid{k} gain{k} hold{k} stb stbn rst vdd 0 "
            f"bmru_strobed {point.sizes()}\n"
        )
    else:
        text += f"xc{k} c{k} h{k} thr{k} wid{k} gain{k} rst vdd 0 bmru_async {point.sizes()}\n"
    return text + (
        f"mr{k} o{k} h{k} vdd vdd {pmos} w={hw.unit_w_m:.6g} "
        f"l={mirrors.p_to_sum.l_m:.6g} m={hw.weight_grid}\nmo{k} o{k} o{k} 0 0 {nmos} {unit}\n"
        f".save v(xc{k}.v0)\n.save @mrelu{k}[id]\n.save @mo{k}[id]\n"
    )


def _loop(plot: Plot, k: int, bias: CellBias) -> Loop:
    v0, candidate, state = plot[f"v(xc{k}.v0)"], plot[f"@mrelu{k}[id]"], plot[f"@mo{k}[id]"]
    slope = np.sign(np.diff(candidate))
    folds = np.flatnonzero(slope[1:] != slope[:-1]) + 1
    # Two folds, a maximum then a minimum: anything else is not a hysteresis.
    if len(folds) != 2 or slope[0] < 0:
        raise EnvironmentMissing(
            f"A cell with I_thresh = {bias.threshold:.3g}, I_width = {bias.width:.3g} and I_gain = "
            f"{bias.gain:.3g} unit currents is not bistable at this process point; change "
            "hardware.unit_current_a, supply_v or the device sizes."
        )
    beta_hi, beta_lo = (_vertex(candidate, int(fold)) for fold in folds)
    return Loop(v0, candidate, state, beta_hi, beta_lo, float(state[-1]))


def _vertex(y: NDArray[np.float64], k: int) -> float:
    """Value at the vertex of the parabola through three equally spaced points around ``k``."""
    left, middle, right = (float(value) for value in y[k - 1 : k + 2])
    curvature = left - 2 * middle + right
    return middle if curvature == 0 else middle - (right - left) ** 2 / (8 * curvature)


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
    rounds: int = 2,
) -> tuple[list[CellBias], list[Loop]]:
    """Bias currents for (beta_hi, width, alpha) targets in units, and the loops they give.

    The first guess is the map; each round measures the programmed cells and corrects every bias
    by what is missing. The loops returned are those of the last correction, so that their
    distance from the targets is a measurement, not a hope.
    """
    biases = [cell_map.program(*target) for target in targets]
    loops = measure_loops(point, mirrors, biases)
    for _ in range(rounds):
        biases = [
            _corrected(bias, loop, target, point.hardware.unit_current_a)
            for bias, loop, target in zip(biases, loops, targets, strict=True)
        ]
        loops = measure_loops(point, mirrors, biases)
    return biases, loops


def _corrected(
    bias: CellBias, loop: Loop, target: tuple[float, float, float], iu: float
) -> CellBias:
    beta_hi, width, alpha = target
    measured_width = (loop.beta_hi_a - loop.beta_lo_a) / iu
    return CellBias(
        bias.threshold * beta_hi / (loop.beta_hi_a / iu),
        bias.width + width - measured_width,
        bias.gain * alpha / (loop.alpha_a / iu),
    )
