"""The memory cell in ngspice: the whole hysteresis of cells with given bias currents.

The cell is measured as the network uses it: the candidate arrives as the current of a summing
node and goes through its turn to a P line; the state leaves through a unit mirror into a summing
node; a strobed cell has its strobe held high. Its bias currents are either ideal or, ``built``,
those of the mirrors the design will have, layout grid included.

The whole S-shaped characteristic is traced in one DC sweep: a stiff feedback makes the decision
node v0 follow the sweep and supplies whatever candidate current that takes. The curve is single
valued in v0, its unstable branch included, so the solver never jumps; its folds are the
thresholds. (Sweeping the candidate instead, up and down, makes Newton leave the branch early:
the result moved by 0.8 % with the other cells in the deck.)
"""

import re
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


class NotBistable(EnvironmentMissing):
    """A cell without a hysteresis at this process point."""


# Some five standard deviations of a cell's threshold. Measured with mismatch: at 0.15 no state of
# 12800 differed from those held in the middle (docs/strobe.md).
HOLD_MARGIN = 0.2


@dataclass(frozen=True)
class CellBias:
    """The currents that program a cell, in unit currents (of the unit current)."""

    threshold: float
    width: float
    gain: float

    @property
    def hold(self) -> float:
        """What a strobed cell sees between its strobes: a current inside its hysteresis window.

        Power asks for a small one, mismatch of the threshold for a distance from both ends: it is
        the middle of the window, or ``HOLD_MARGIN`` of the threshold above the lower end if that
        is less.
        """
        return self.threshold - max(self.width / 2, self.width - HOLD_MARGIN * self.threshold)


@dataclass(frozen=True)
class Alteration:
    """A change of one transistor: one of the cell's own, named as in ``netlists/``, or a bias
    diode (``mthr``, ``mwid``, ``mgain``, ``mhold``).

    ``delvto_v`` and ``mulu0`` as in BSIM: a threshold shift in volt and a factor of the mobility.
    """

    device: str
    delvto_v: float = 0.0
    mulu0: float = 1.0


@dataclass(frozen=True)
class Loop:
    """The S-shaped characteristic of a cell along v0, and what it shows; currents in ampere."""

    v0_v: NDArray[np.float64]
    candidate_a: NDArray[np.float64]
    state_a: NDArray[np.float64]
    beta_hi_a: float
    beta_lo_a: float
    alpha_a: float


def measure_loops(
    point: ProcessPoint,
    mirrors: MirrorCalibration,
    biases: Sequence[CellBias],
    built: bool = False,
    altered: Sequence[Alteration | None] = (),
) -> list[Loop]:
    """Characteristics of cells with these bias currents, measured side by side in ngspice.

    ``built``: the currents come from the bias mirrors a design would draw for them, else from
    ideal sources. ``altered``: one changed transistor per cell, or None, for sensitivities.
    Raises EnvironmentMissing when the simulator fails or a cell is not bistable.
    """
    hw = point.hardware
    body = f"vsweep sweep 0 0\nvstb stb 0 {hw.supply_v:g}\nvstbn stbn 0 0\nvrst rst 0 0\n"
    if built:
        body += _reference(point, mirrors)
    changes = altered or [None] * len(biases)
    for k, (bias, change) in enumerate(zip(biases, changes, strict=True)):
        text = _cell_bench(point, mirrors, k, bias)
        text += (_bias_mirrors if built else _bias_sources)(point, mirrors, k, bias)
        body += text if change is None else _altered(point, text, k, change)
    end = hw.supply_v - 2 * SERVO_V
    body += f".control\ndc vsweep 0 {end:.6g} {V0_STEP_V}\nwrite out.raw\n.endc\n"
    (plot,) = point.run_dc("cell hysteresis", body)
    return [_loop(plot, k, bias) for k, bias in enumerate(biases)]


def _cell_bench(point: ProcessPoint, mirrors: MirrorCalibration, k: int, bias: CellBias) -> str:
    """Cell ``k`` between its summing node, the diodes of its biases and its reader."""
    hw = point.hardware
    nmos, pmos = point.pdk.nmos, point.pdk.pmos
    unit = f"w={hw.unit_w_m:.6g} l={hw.unit_l_m:.6g} m={hw.weight_grid}"
    mirror = f"w={hw.cell_w_m:.6g} l={hw.cell_l_m:.6g}"
    turn = f"wu={hw.unit_w_m:.6g} lu={hw.unit_l_m:.6g} mu={hw.weight_grid}"
    strobe = f"hold{k} stb stbn rst" if hw.cell == "strobed" else "rst"
    text = (
        f"gc{k} vdd s{k} sweep xc{k}.v0 {bias.threshold * hw.unit_current_a / SERVO_V:.9g}\n"
        f"mrelu{k} s{k} s{k} 0 0 {nmos} {unit}\n"
        f"xturn{k} s{k} c{k} vdd 0 turn_n_to_p {turn} lt={mirrors.n_to_p.l_m:.6g}\n"
    )
    for name in ("thr", "wid", "gain"):
        text += f"m{name}{k} {name}{k} {name}{k} 0 0 {nmos} {mirror}\n"
    if hw.cell == "strobed":
        text += f"mhold{k} hold{k} hold{k} vdd vdd {pmos} {mirror}\n"
    return text + (
        f"xc{k} c{k} h{k} thr{k} wid{k} gain{k} {strobe} vdd 0 bmru_{hw.cell} {point.sizes()}\n"
        f"mr{k} o{k} h{k} vdd vdd {pmos} w={hw.unit_w_m:.6g} "
        f"l={mirrors.p_to_sum.l_m:.6g} m={hw.weight_grid}\nmo{k} o{k} o{k} 0 0 {nmos} {unit}\n"
        f".save v(xc{k}.v0)\n.save @mrelu{k}[id]\n.save @mo{k}[id]\n"
    )


def _bias_sources(point: ProcessPoint, _: MirrorCalibration, k: int, bias: CellBias) -> str:
    iu = point.hardware.unit_current_a
    text = (
        f"it{k} vdd thr{k} {bias.threshold * iu:.9g}\n"
        f"iw{k} vdd wid{k} {bias.width * iu:.9g}\n"
        f"ig{k} vdd gain{k} {bias.gain * iu:.9g}\n"
    )
    return text + (f"ih{k} hold{k} 0 {bias.hold * iu:.9g}\n" if _strobed(point) else "")


def _reference(point: ProcessPoint, mirrors: MirrorCalibration) -> str:
    """The reference lines of a network: one unit current as a P line and as an N line."""
    hw = point.hardware
    unit = f"wu={hw.unit_w_m:.6g} lu={hw.unit_l_m:.6g} mu={hw.weight_grid}"
    return (
        f"iref refp 0 {hw.unit_current_a:.9g}\nxline refp vdd line_p {unit}\n"
        f"xrefn refp refn vdd 0 turn_p_to_n {unit} lt={mirrors.p_to_sum.l_m:.6g}\n"
    )


def _bias_mirrors(point: ProcessPoint, mirrors: MirrorCalibration, k: int, bias: CellBias) -> str:
    w_m, pmos, nmos = point.hardware.unit_w_m, point.pdk.pmos, point.pdk.nmos
    text = ""
    currents = (bias.threshold, bias.width, bias.gain)
    for name, current in zip(("thr", "wid", "gain"), currents, strict=True):
        m, l_m, _ = mirrors.bias_p.size(current)
        text += f"mb{name}{k} {name}{k} refp vdd vdd {pmos} w={w_m:.6g} l={l_m:.9g} m={m}\n"
    if _strobed(point):
        m, l_m, _ = mirrors.bias_n.size(max(bias.hold, mirrors.bias_n.smallest))
        text += f"mbhold{k} hold{k} refn 0 0 {nmos} w={w_m:.6g} l={l_m:.9g} m={m}\n"
    return text


def _strobed(point: ProcessPoint) -> bool:
    return point.hardware.cell == "strobed"


def _altered(point: ProcessPoint, text: str, k: int, change: Alteration) -> str:
    """The bench of cell ``k`` with one transistor changed: inside the cell, or a bias diode."""
    suffix = f" delvto={change.delvto_v:.9g} mulu0={change.mulu0:.9g}"
    name = f"bmru_{point.hardware.cell}"
    library = point.library()
    start = library.index(f".subckt {name} ")
    block = library[start : library.index(f".ends {name}", start)]
    changed, inside = re.subn(rf"(?m)^({change.device} .*)$", rf"\1{suffix}", block)
    if inside:
        own = changed.replace(f".subckt {name} ", f".subckt {name}_{k} ", 1)
        return f"{own}.ends\n" + text.replace(f" {name} ", f" {name}_{k} ", 1)
    changed, beside = re.subn(rf"(?m)^({change.device}{k} .*)$", rf"\1{suffix}", text)
    if not beside:
        raise ValueError(f"a cell has no transistor '{change.device}'")
    return changed


def _loop(plot: Plot, k: int, bias: CellBias) -> Loop:
    v0, candidate, state = plot[f"v(xc{k}.v0)"], plot[f"@mrelu{k}[id]"], plot[f"@mo{k}[id]"]
    found = folds(candidate)
    if found is None:
        raise NotBistable(
            f"A cell with I_thresh = {bias.threshold:.3g}, I_width = {bias.width:.3g} and I_gain = "
            f"{bias.gain:.3g} unit currents is not bistable at this process point; change "
            "hardware.unit_current_a, supply_v or the device sizes."
        )
    beta_hi, beta_lo = found
    return Loop(v0, candidate, state, beta_hi, beta_lo, float(state[-1]))


def folds(candidate: NDArray[np.float64]) -> tuple[float, float] | None:
    """The thresholds (upper, lower) of a candidate along equal steps of v0: its two folds, a
    maximum and then a minimum. None for anything else, which is not a hysteresis."""
    slope = np.sign(np.diff(candidate))
    turns = np.flatnonzero(slope[1:] != slope[:-1]) + 1
    if len(turns) != 2 or slope[0] < 0:
        return None
    return _vertex(candidate, int(turns[0])), _vertex(candidate, int(turns[1]))


def _vertex(y: NDArray[np.float64], k: int) -> float:
    """Value at the vertex of the parabola through three equally spaced points around ``k``."""
    left, middle, right = (float(value) for value in y[k - 1 : k + 2])
    curvature = left - 2 * middle + right
    return middle if curvature == 0 else middle - (right - left) ** 2 / (8 * curvature)
