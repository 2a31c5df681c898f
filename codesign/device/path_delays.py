"""Sign paths in time: a step of the signal, and when each path has followed it.

Lines charge from their own current (``codesign.device.charging``), so the charge of one unit gate,
read from the rise of a loaded line, says how fast any line is.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign.device.bench import ProcessPoint
from codesign.device.copies import Kind
from codesign.device.mirrors import MirrorCalibration

# What a term passes, in order; the first letter of a name is the diode its signal flows in.
PATHS: dict[str, tuple[Kind, ...]] = {
    "p_positive": ("p_to_sum",),
    "p_negative": ("p_to_sum", "n_to_sum"),
    "n_positive": ("n_to_p", "p_to_sum"),
    "n_negative": ("n_to_sum",),
}
# Unit gates on each line of the bench, beside its own diode.
LOAD_GATES = 48
_STEP_FROM = 0.1
# Of the time before the step down: when the step up comes, and how long both take.
_STEP_AT, _EDGE = 0.02, 2e-4
_SETTLED = 0.02
# A charge is read from the time between these parts of a unit.
_CHARGE_FROM_TO = (0.2, 0.9)


@dataclass(frozen=True)
class Delays:
    """Times (s) of one path to within 2 % of a step: up from a tenth, down to a tenth."""

    up_s: float
    down_s: float


def path_delays(point: ProcessPoint, mirrors: MirrorCalibration) -> dict[str, Delays]:
    """Delays of every path for a step to one unit.

    Raises EnvironmentMissing when ngspice cannot measure them.
    """
    body = "".join(_path_bench(point, mirrors, path) for path in PATHS)
    time, output = _step(point, body, {path: f"@mout_{path}[id]" for path in PATHS})
    up, down = _halves(point, time)
    return {
        path: Delays(_settling(time[up], current[up]), _settling(time[down], current[down]))
        for path, current in output.items()
    }


def charges_per_gate(point: ProcessPoint) -> dict[str, float]:
    """Q of one unit gate, from the rise of a loaded line of each kind."""
    body = "".join(
        _line(point, kind, f"line_{kind}", stimulus=True)
        + _device(
            point, kind, f"out_{kind}", f"line_{kind}", f"end_{kind}", point.hardware.unit_l_m
        )
        + f"vend_{kind} end_{kind} 0 {point.hardware.supply_v / 2:g}\n"
        for kind in ("p", "n")
    )
    time, output = _step(point, body, {kind: f"@mout_{kind}[id]" for kind in ("p", "n")})
    gates = LOAD_GATES + 2 * point.hardware.weight_grid
    rising, _ = _halves(point, time)
    charges = {}
    for kind, current in output.items():
        level = current[rising] / current[rising][-1]
        start, end = (float(np.interp(x, level, time[rising])) for x in _CHARGE_FROM_TO)
        odds = [x / (1 - x) for x in _CHARGE_FROM_TO]
        elapsed_c = (end - start) * point.hardware.unit_current_a
        charges[kind] = elapsed_c / math.log(odds[1] / odds[0]) / gates
    return charges


def _halves(
    point: ProcessPoint, time: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Which instants belong to the step up and which to the step down."""
    end = (1 - _STEP_AT) * _step_s(point)
    return time < end, time >= end


def _path_bench(point: ProcessPoint, mirrors: MirrorCalibration, path: str) -> str:
    kind = path[0]
    node = f"in_{path}"
    text = _line(point, kind, node, stimulus=True)
    *turns, last = PATHS[path]
    for step in turns:
        kind = "n" if kind == "p" else "p"
        turned = f"turned_{path}"
        text += _device(point, step[0], f"turn_{path}", node, turned, getattr(mirrors, step).l_m)
        text += _line(point, kind, turned, stimulus=False)
        node = turned
    text += f"iheld_{path} vdd held_{path} {point.hardware.unit_current_a:.9g}\n"
    text += _device(point, "n", f"held_{path}", f"held_{path}", f"held_{path}",
                    point.hardware.unit_l_m)  # fmt: skip
    text += f"eend_{path} end_{path} 0 held_{path} 0 1\n"
    return text + _device(
        point, last[0], f"out_{path}", node, f"end_{path}", getattr(mirrors, last).l_m
    )


def _line(point: ProcessPoint, kind: str, node: str, stimulus: bool) -> str:
    """A line with its load; with a stimulus its current steps up to a unit and down again."""
    hw = point.hardware
    text = _device(point, kind, node, node, node, hw.unit_l_m)
    rail = "vdd" if kind == "p" else "0"
    model = point.pdk.pmos if kind == "p" else point.pdk.nmos
    text += (
        f"mload_{node} {rail} {node} {rail} {rail} {model} "
        f"w={hw.unit_w_m:.9g} l={hw.unit_l_m:.9g} m={LOAD_GATES}\n"
    )
    if stimulus:
        ends = f"{node} 0" if kind == "p" else f"vdd {node}"
        unit, step = hw.unit_current_a, _step_s(point)
        low = _STEP_FROM * unit
        text += (
            f"i{node} {ends} pwl(0 {low:.9g} {_STEP_AT * step:.9g} {low:.9g} "
            f"{(_STEP_AT + _EDGE) * step:.9g} {unit:.9g} {step:.9g} {unit:.9g} "
            f"{(1 + _EDGE) * step:.9g} {low:.9g})\n"
        )
    return text


def _device(point: ProcessPoint, kind: str, name: str, gate: str, drain: str, l_m: float) -> str:
    hw = point.hardware
    rail, model = ("vdd", point.pdk.pmos) if kind == "p" else ("0", point.pdk.nmos)
    return (
        f"m{name} {drain} {gate} {rail} {rail} {model} "
        f"w={hw.unit_w_m:.9g} l={l_m:.9g} m={hw.weight_grid}\n"
    )


def _step_s(point: ProcessPoint) -> float:
    """Half of the run: long beside the settling of a line at a tenth of a unit."""
    return 0.012 * 1e-9 / point.hardware.unit_current_a


def _step(
    point: ProcessPoint, body: str, vectors: dict[str, str]
) -> tuple[np.ndarray[Any, Any], dict[str, np.ndarray[Any, Any]]]:
    """Run the steps; time from the first step on, and the named currents (ampere, positive)."""
    step = _step_s(point)
    saves = "".join(f".save {vector}\n" for vector in vectors.values())
    span = f"{step / 2000:.6g} {2 * step:.6g} 0 {step / 1000:.6g}"
    control = f".control\ntran {span}\nwrite out.raw\n.endc\n"
    (plot,) = point.run_dc("sign paths", f"{body}{saves}{control}")
    time = np.asarray(plot.scale, dtype=np.float64)
    grid = np.linspace(_STEP_AT * step, 2 * step, 20000)
    return grid - grid[0], {
        name: np.interp(grid, time, np.abs(plot[vector])) for name, vector in vectors.items()
    }


def _settling(time: np.ndarray[Any, Any], current: np.ndarray[Any, Any]) -> float:
    """Time after which the current stays within 2 % of the step of its last value."""
    size = abs(current[-1] - current[0])
    outside = np.flatnonzero(np.abs(current - current[-1]) > _SETTLED * size)
    return float(time[outside[-1] + 1] - time[0]) if len(outside) else 0.0
