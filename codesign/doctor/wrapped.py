"""Are lifted cards the same devices as the subcircuits they were lifted out of? ngspice tells.

The wrapped device is the foundry's word. It and the lifted one are swept over the same gate and
drain voltages, sizes from the smallest to the largest, each in a deck of its own, because the
wrapper's library may set ``.option scale``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.errors import EnvironmentMissing
from codesign.pdk import Pdk
from codesign.pdk.links import spice_path
from codesign.spice.ngspice import run_text

TOLERANCE = 1e-4
# Below this neither deck's current is the channel's: gmin and junctions remain.
_FLOOR_A = 1e-13
_OPTIONS = ".options gmin=1e-16 abstol=1e-17 vntol=1e-8 reltol=1e-6 itl1=500\n.temp 27\n"
# A wrapper passes junctions of no size unless it is told one; a plain transistor assumes a
# drawn one. The cards are compared, so both get the same.
_NO_JUNCTION = "ad=0 as=0 pd=0 ps=0 nrd=0 nrs=0"

Size = tuple[float, float]


@dataclass(frozen=True)
class WrapperError:
    """Largest relative difference of lifted and wrapped current, where, and of how many points."""

    polarity: str
    corner: str
    error: float
    size_m: Size
    points: int


def compare_wrapped(
    program: Path, pdk: Pdk, corner: str, sizes: Sequence[Size]
) -> tuple[WrapperError, WrapperError]:
    """Lifted against wrapped N and P devices of ``sizes`` (w, l in metres) at ``corner``.

    Gate and drain in steps of a sixth of the supply; both temperatures are 27 degC. Raises
    EnvironmentMissing when either deck does not run.
    """
    assert pdk.lift is not None
    unit = pdk.lift.size_unit_m
    scale = f".option scale={unit:g}\n" if unit != 1 else ""
    original = f"{_parameters(pdk)}.lib '{spice_path(pdk.library)}' {pdk.corners[corner]}\n"
    results = []
    for polarity, sign in (("nmos", 1), ("pmos", -1)):
        model, wrapper = getattr(pdk, polarity), getattr(pdk.lift, polarity)
        lifted = "".join(
            f"m{k} d{k} g 0 0 {model} w={w:.9g} l={length:.9g} {_NO_JUNCTION}\n"
            for k, (w, length) in enumerate(sizes)
        )
        wrapped = "".join(
            f"x{k} d{k} g 0 0 {wrapper} w={w / unit:.9g} l={length / unit:.9g}\n"
            for k, (w, length) in enumerate(sizes)
        )
        ours = _sweep(program, pdk, corner, pdk.header(corner) + lifted, sign, len(sizes))
        theirs = _sweep(program, pdk, corner, original + scale + wrapped, sign, len(sizes))
        strong = np.abs(theirs) > _FLOOR_A
        error = np.where(strong, np.abs(ours - theirs) / np.maximum(np.abs(theirs), _FLOOR_A), 0.0)
        worst = int(np.argmax(error.max(axis=1)))
        results.append(
            WrapperError(polarity, corner, float(error.max()), sizes[worst], int(strong.sum()))
        )
    return results[0], results[1]


def _parameters(pdk: Pdk) -> str:
    return "".join(f".param {key}={value:g}\n" for key, value in pdk.parameters.items())


def _sweep(
    program: Path, pdk: Pdk, corner: str, devices: str, sign: int, count: int
) -> NDArray[np.float64]:
    """Drain currents (size, point) in ampere."""
    supply = min(1.8, pdk.supply_max_v)
    meters = "".join(f"v{k} dd d{k} 0\n.save i(v{k})\n" for k in range(count))
    step = sign * supply / 6
    end = step * 6.25
    deck = (
        f"* lifted and wrapped devices of {pdk.name} at {corner}\n{devices}{_OPTIONS}{meters}"
        f"vg g 0 0\nvd dd 0 0\n.control\n"
        f"dc vg {step:.9g} {end:.9g} {step:.9g} vd {step:.9g} {end:.9g} {step:.9g}\n"
        "write out.raw\nquit\n.endc\n.end\n"
    )
    outcome = run_text(program, deck, timeout_s=600.0)
    if outcome.status != "ok":
        raise EnvironmentMissing(
            f"ngspice could not compare lifted with wrapped devices of '{pdk.name}' at {corner}: "
            f"{outcome.message or outcome.status}."
        )
    plot = outcome.plots[0]
    return np.stack([np.asarray(plot[f"i(v{k})"], np.float64) for k in range(count)])
