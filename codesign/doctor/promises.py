"""What an adapter promises of a process, each promise tried in ngspice.

``check_models`` says whether the models load and conduct like transistors at a corner. Here are
the rest: that corners are called what they are, that every size within the limits has a model at
every corner, that mismatch and noise reach the simulator, that lifted cards are the wrapped
devices, and that the memory cell works.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import calibrate
from codesign.device.cell_loops import CellBias, measure_loops
from codesign.device.noise import Geometry, measure_noise
from codesign.doctor.models import THERMAL_V, DeviceCheck
from codesign.doctor.wrapped import TOLERANCE, Size, compare_wrapped
from codesign.errors import EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.pdk import Pdk
from codesign.pdk.adapter import TYPICAL
from codesign.spice.ngspice import Outcome, run_text

_SHIFT_V = 5e-3
_MOBILITY = 1.05
# Within the limits, and inside the last bin: many end before the largest size.
_INSIDE = 0.999
# In units: a cell in the middle of the bias range.
_CELL = CellBias(1.0, 0.5, 1.0)


@dataclass(frozen=True)
class Promise:
    """One promise: whether it holds and what was seen."""

    name: str
    holds: bool
    detail: str


def check_promises(
    point: ProcessPoint, checks: Mapping[str, tuple[DeviceCheck, DeviceCheck]]
) -> Iterator[Promise]:
    """Try every promise of ``point.pdk`` with the sizes and the supply of ``point.hardware``.

    ``checks`` are the device checks of the corners to try, by corner. Promises are yielded as
    they are tried; a promise that cannot be tried does not hold.
    """
    program, pdk, hardware = point.ngspice, point.pdk, point.hardware
    yield _names(checks)
    for corner in checks:
        yield _limits(program, pdk, corner, hardware)
    yield _mismatch(point, checks[next(iter(checks))])
    yield _noise(point)
    if pdk.lift is not None:
        for corner in checks:
            yield _lifted(program, pdk, corner, _sizes(pdk, hardware))
    yield _cell(point)


def _names(checks: Mapping[str, tuple[DeviceCheck, DeviceCheck]]) -> Promise:
    """Slow devices need more gate drive; the first letter of a corner is the N device."""
    wrong = []
    typical = checks.get(TYPICAL)
    compared = 0
    for corner, devices in checks.items():
        if typical is None or len(corner) != 2 or set(corner) - {"s", "f"}:
            continue
        for letter, device, reference in zip(corner, devices, typical, strict=True):
            compared += 1
            slower = device.vgs_v > reference.vgs_v
            if slower != (letter == "s"):
                word = {"s": "slower", "f": "faster"}[letter]
                wrong.append(f"{corner}: {device.model} is not {word} than at {TYPICAL}")
    detail = "; ".join(wrong) or f"{compared} devices on the side of {TYPICAL} their corner says"
    return Promise("corner names", not wrong, detail)


def _limits(program: Path, pdk: Pdk, corner: str, hardware: HardwareSection) -> Promise:
    """The four extremes of size, both polarities, biased on: each must have a model and conduct."""
    limits = pdk.limits
    sizes = [
        (w, length)
        for w in (limits.w_min_m, limits.w_max_m * _INSIDE)
        for length in (limits.l_min_m, limits.l_max_m * _INSIDE)
    ]
    name = f"limits at {corner}"
    outcome = _on(program, pdk, corner, hardware, sizes)
    if outcome.status == "ok":
        currents = [abs(float(outcome.plots[0][f"i(v{k})"][0])) for k in range(2 * len(sizes))]
        if min(currents) > 1e-9:
            span = f"{min(currents):.2g} to {max(currents):.2g} A"
            return Promise(name, True, f"4 extremes of size, N and P, conduct {span} when on")
    # One size without a model fails the whole deck: one by one they can be named.
    bad = [size for size in sizes if not _conducts(_on(program, pdk, corner, hardware, [size]))]
    named = ", ".join(f"{w * 1e6:g} um / {length * 1e6:g} um" for w, length in bad)
    return Promise(name, False, f"no model, or none that conducts, for {named or 'all together'}")


def _conducts(outcome: Outcome) -> bool:
    return outcome.status == "ok" and all(
        abs(float(outcome.plots[0][f"i(v{k})"][0])) > 1e-9 for k in range(2)
    )


def _on(
    program: Path, pdk: Pdk, corner: str, hardware: HardwareSection, sizes: Sequence[Size]
) -> Outcome:
    """Devices with the whole supply at gate and drain; ``i(v<k>)``, N and P by turns."""
    supply = hardware.supply_v
    body = "".join(
        f"m{2 * k} dn{k} n 0 0 {pdk.nmos} w={w:.9g} l={length:.9g}\nv{2 * k} n dn{k} 0\n"
        f"m{2 * k + 1} dp{k} p 0 0 {pdk.pmos} w={w:.9g} l={length:.9g}\nv{2 * k + 1} p dp{k} 0\n"
        for k, (w, length) in enumerate(sizes)
    )
    return run_text(
        program,
        f"* extremes of size of {pdk.name} at {corner}\n{pdk.header(corner)}.temp 27\n{body}"
        f"vn n 0 {supply:g}\nvp p 0 {-supply:g}\n.control\nop\nwrite out.raw\nquit\n.endc\n.end\n",
        timeout_s=120.0,
    )


def _mismatch(point: ProcessPoint, checks: tuple[DeviceCheck, DeviceCheck]) -> Promise:
    """delvto and mulu0 must move a device as the matching law assumes, or draws change nothing."""
    hardware, pdk = point.hardware, point.pdk
    size = f"w={hardware.unit_w_m:.9g} l={hardware.unit_l_m:.9g}"
    body = ""
    for k, (model, check, sign) in enumerate(((pdk.nmos, checks[0], 1), (pdk.pmos, checks[1], -1))):
        body += f"vg{k} g{k} 0 {sign * check.vgs_v:.9g}\nvd{k} dd{k} 0 {sign * check.vgs_v:.9g}\n"
        for j, change in enumerate(("", f"delvto={sign * _SHIFT_V:g}", f"mulu0={_MOBILITY:g}")):
            body += f"m{k}{j} d{k}{j} g{k} 0 0 {model} {size} {change}\nv{k}{j} dd{k} d{k}{j} 0\n"
    try:
        (plot,) = point.run_dc("mismatch parameters", body + ".control\nop\nwrite out.raw\n.endc\n")
    except EnvironmentMissing as error:
        return Promise("mismatch", False, str(error))
    said, holds = [], True
    for k, (check, letter) in enumerate(zip(checks, "NP", strict=True)):
        base, shifted, faster = (abs(float(plot[f"i(v{k}{j})"][0])) for j in range(3))
        volts = -_SHIFT_V / math.log(shifted / base) if shifted != base else math.inf
        gain = math.log(faster / base) / math.log(_MOBILITY)
        law = pdk.mismatch
        polarity = check.polarity
        sigma = math.hypot(
            law.sigma_vth_v(polarity, hardware.unit_w_m, hardware.unit_l_m) / volts,
            law.sigma_k(polarity, hardware.unit_w_m, hardware.unit_l_m),
        )
        # e-fold per slope factor kT/q; proportional to the mobility, but for a few per cent.
        holds &= 0.8 < volts / (check.slope_factor * THERMAL_V) < 1.25 and 0.8 < gain < 1.2
        said.append(
            f"{letter}: e-fold per {volts * 1e3:.1f} mV of delvto, mulu0 to the power {gain:.2f}, "
            f"sigma(I) of one unit device {100 * sigma:.1f} %"
        )
    return Promise("mismatch", holds, "; ".join(said))


def _noise(point: ProcessPoint) -> Promise:
    hardware = point.hardware
    geometries = [
        Geometry(polarity, hardware.unit_w_m, hardware.unit_l_m) for polarity in ("nmos", "pmos")
    ]
    try:
        densities = measure_noise(point, geometries)
    except EnvironmentMissing as error:
        return Promise("noise", False, str(error))
    said = [
        f"{letter}: white {density.white_factor:.2f} x 2qI, "
        + (f"flicker 1/f^{density.slope:.2f}" if density.flicker > 0 else "no flicker noise")
        for letter, density in zip("NP", densities, strict=True)
    ]
    return Promise("noise", all(d.white_factor > 0.1 for d in densities), "; ".join(said))


def _sizes(pdk: Pdk, hardware: HardwareSection) -> list[Size]:
    limits = pdk.limits
    extremes = [
        (w, length)
        for w in (limits.w_min_m, limits.w_max_m * 0.99)
        for length in (limits.l_min_m, limits.l_max_m * 0.99)
    ]
    used = [
        (getattr(hardware, f"{device}_w_m"), getattr(hardware, f"{device}_l_m"))
        for device in ("unit", "cell", "switch")
    ]
    return extremes + used


def _lifted(program: Path, pdk: Pdk, corner: str, sizes: Sequence[Size]) -> Promise:
    name = f"lifted at {corner}"
    try:
        results = compare_wrapped(program, pdk, corner, sizes)
    except EnvironmentMissing as error:
        return Promise(name, False, str(error))
    worst = max(result.error for result in results)
    points = sum(result.points for result in results)
    return Promise(
        name,
        worst < TOLERANCE and points > 0,
        f"{points} currents equal the wrapped devices' to {worst:.1e}",
    )


def _cell(point: ProcessPoint) -> Promise:
    """The cell as the network uses it: bistable, its thresholds where its currents put them."""
    unit = point.hardware.unit_current_a
    try:
        (loop,) = measure_loops(point, calibrate(point).mirrors, [_CELL])
    except EnvironmentMissing as error:
        return Promise("memory cell", False, str(error))
    found = (
        loop.beta_hi_a / (_CELL.threshold * unit),
        (loop.beta_hi_a - loop.beta_lo_a) / (_CELL.width * unit),
        loop.alpha_a / (_CELL.gain * unit),
    )
    return Promise(
        "memory cell",
        all(0.7 < ratio < 1.4 for ratio in found),
        "bistable; threshold, width and state are {:.3f}, {:.3f}, {:.3f} of their currents before "
        "calibration".format(*found),
    )
