"""Device tables from ngspice: drain current of exactly the geometries a design uses.

Voltages here are those of an N device; a P device is measured with every sign turned, so that both
are increasing functions of positive voltages. Currents are amperes per device (m = 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.device.bench import ProcessPoint
from codesign.device.geometry import REFERENCE_DRAIN_V, Geometry, sign_and_model
from codesign.spice.rawfile import Plot

Floats = NDArray[np.float64]

GATE_STEP_V = 0.02
# Dense where a device leaves saturation; even steps, because each is one sweep of ngspice.
_TRIODE = np.linspace(0.0, 0.2, 21)
_SATURATED_STEP_V = 0.05
_DIODE_STEP_V = 0.01
# One very wide table makes ngspice slow and its output long: so many devices per run.
_CHUNK = 64
SHIFT_V = 5e-3
MOBILITY = 1.02


@dataclass(frozen=True)
class MirrorTable:
    """Currents of devices of one polarity with the source at the bulk.

    ``current_a[g, i, j]`` at ``gate_v[i]``, ``drain_v[j]``; ``diode_a[g, i]`` with gate and drain
    at ``diode_v[i]``; ``shifted_a``, ``mobile_a`` (gate_v) the first geometry's current at 0.6 V
    with delvto = ``SHIFT_V`` against the gate, and with mulu0 = ``MOBILITY``.
    """

    gate_v: Floats
    drain_v: Floats
    current_a: Floats
    diode_v: Floats
    diode_a: Floats
    reference_a: Floats
    shifted_a: Floats
    mobile_a: Floats


@dataclass(frozen=True)
class SwitchTable:
    """Current of one geometry against gate, source and drain-source voltage, bulk at 0."""

    gate_v: Floats
    source_v: Floats
    drain_source_v: Floats
    current_a: Floats  # (source, drain_source, gate)


def mirror_table(point: ProcessPoint, geometries: Sequence[Geometry]) -> MirrorTable:
    """Measure mirrors of one polarity; raises EnvironmentMissing when ngspice cannot."""
    supply = point.hardware.supply_v
    gate = np.arange(0.0, min(1.2, supply) + 1e-9, GATE_STEP_V)
    # Beyond the supply by a little: lines may overshoot.
    drain = np.r_[_TRIODE, np.arange(0.25, supply + 0.051, _SATURATED_STEP_V)]
    diode = np.arange(0.0, gate[-1] + 1e-9, _DIODE_STEP_V)
    parts = [
        _mirrors(point, geometries[k : k + _CHUNK], gate, drain, diode)
        for k in range(0, len(geometries), _CHUNK)
    ]
    reference, shifted, mobile = _sensitivities(point, geometries[0], gate)
    return MirrorTable(
        gate, drain, np.concatenate([p[0] for p in parts]), diode,
        np.concatenate([p[1] for p in parts]), reference, shifted, mobile,
    )  # fmt: skip


def _mirrors(
    point: ProcessPoint, geometries: Sequence[Geometry], gate: Floats, drain: Floats, diode: Floats
) -> tuple[Floats, Floats]:
    sign, model = sign_and_model(point, geometries[0].polarity)
    body = "vg g 0 0\nvd dd 0 0\nvx x 0 0\n"
    for k, geometry in enumerate(geometries):
        size = f"0 0 {model} w={geometry.w_m:.9g} l={geometry.l_m:.9g}"
        body += f"mt{k} d{k} g {size}\nvt{k} dd d{k} 0\n.save i(vt{k})\n"
        body += f"md{k} y{k} x {size}\nvy{k} x y{k} 0\n.save i(vy{k})\n"
    triode, saturated = drain[: len(_TRIODE)], drain[len(_TRIODE) :]
    body += ".control\nset appendwrite\n"
    for part in (triode, saturated):
        body += f"dc {_span('vg', sign * gate)} {_span('vd', sign * part)}\nwrite out.raw\n"
    body += f"dc {_span('vx', sign * diode)}\nwrite out.raw\n.endc\n"
    plots = point.run_dc("mirror tables", body)
    tables = [
        np.stack([_grid(plot, f"i(vt{k})", len(part), len(gate)) for k in range(len(geometries))])
        for plot, part in zip(plots[:2], (triode, saturated), strict=True)
    ]
    diodes = np.stack([plots[2][f"i(vy{k})"][: len(diode)] for k in range(len(geometries))])
    return sign * np.concatenate(tables, axis=2), sign * diodes


def _sensitivities(
    point: ProcessPoint, geometry: Geometry, gate: Floats
) -> tuple[Floats, Floats, Floats]:
    sign, model = sign_and_model(point, geometry.polarity)
    size = f"g 0 0 {model} w={geometry.w_m:.9g} l={geometry.l_m:.9g}"
    changes = ("", f"delvto={sign * SHIFT_V:g}", f"mulu0={MOBILITY:g}")
    body = f"vg g 0 0\nvd dd 0 {sign * REFERENCE_DRAIN_V:g}\n"
    for k, change in enumerate(changes):
        body += f"mt{k} d{k} {size} {change}\nvt{k} dd d{k} 0\n.save i(vt{k})\n"
    body += f".control\ndc {_span('vg', sign * gate)}\nwrite out.raw\n.endc\n"
    (plot,) = point.run_dc("mismatch sensitivities", body)
    reference, shifted, mobile = (sign * plot[f"i(vt{k})"] for k in range(3))
    return reference, shifted, mobile


def switch_table(point: ProcessPoint, geometry: Geometry) -> SwitchTable:
    """Measure one switch geometry over its whole range."""
    supply = point.hardware.supply_v
    sign, model = sign_and_model(point, geometry.polarity)
    gate = np.arange(0.0, supply + 1e-9, 0.02)
    source = np.arange(0.0, supply - 0.39, 0.1)
    across = np.array([0.005, 0.02, 0.05, 0.1, 0.3, 0.8, 1.3])
    body, names = "vg g 0 0\n", []
    for i, low in enumerate(source):
        for j, over in enumerate(across):
            name = f"{i}_{j}"
            names.append(name)
            body += (
                f"vs{name} s{name} 0 {sign * low:.6g}\nvd{name} d{name} 0 {sign * (low + over):.6g}"
                f"\nm{name} d{name} g s{name} 0 {model} w={geometry.w_m:.9g} l={geometry.l_m:.9g}\n"
                f".save i(vd{name})\n"
            )
    body += f".control\ndc {_span('vg', sign * gate)}\nwrite out.raw\n.endc\n"
    (plot,) = point.run_dc("switch tables", body)
    current = np.stack([-sign * plot[f"i(vd{name})"] for name in names])
    shape = (len(source), len(across), len(gate))
    return SwitchTable(gate, source, across, current.reshape(shape))


def _span(source: str, values: Floats) -> str:
    step = (values[-1] - values[0]) / (len(values) - 1)
    # A quarter of a step further: rounding must not lose the last point, which is cut off again.
    return f"{source} {values[0]:.9g} {values[-1] + 0.25 * step:.9g} {step:.9g}"


def _grid(plot: Plot, vector: str, outer: int, inner: int) -> Floats:
    return np.asarray(plot[vector]).reshape(outer, inner).T
