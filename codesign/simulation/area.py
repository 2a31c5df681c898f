"""The network in larger or smaller devices: what gate area buys and what it costs.

Mismatch falls with the square root of a device's area (Pelgrom, 1989), and every line's capacitance
grows with it. So that a result holds both, a scale is not a factor on the draws: the network is
mapped anew in mirrors of that many times the area, with trims, turns and cells measured at the new
sizes, and simulated like any design. Switches and the capacitor of the cell stay as they are: they
match nothing.

Width and length of the mirrors of weights and cells grow with the root of the scale, as far as the
models cover lengths; bias mirrors need up to twice a unit's length, so where that is too long the
width takes what the length cannot.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from codesign.circuit.export import check_limits, export_design
from codesign.device.mirrors import LAYOUT_GRID_M, longest_bias
from codesign.errors import InputError
from codesign.flows import HardwareSection
from codesign.mapping.exported import Exported, load_exported
from codesign.pdk import Pdk, find_pdk
from codesign.runs import Run

Say = Callable[[str], None]

# In unit lengths: below this there are bias currents that no number of mirrors gives.
_BIAS_LENGTHS = 2.0
# Of the smallest ratio of a bias mirror, so that its table ends beyond what is asked of it.
_MARGIN = 1.05


def scaled_hardware(hardware: HardwareSection, scale: float, pdk: Pdk) -> HardwareSection:
    """The specification with mirrors of ``scale`` times the gate area, on the layout grid.

    Raises InputError where the models of ``pdk`` do not cover such devices.
    """
    longest = pdk.limits.l_max_m
    unit_w_m, unit_l_m = _scaled(
        hardware.unit_w_m, hardware.unit_l_m, scale, longest / _BIAS_LENGTHS
    )
    cell_w_m, cell_l_m = _scaled(hardware.cell_w_m, hardware.cell_l_m, scale, longest)
    smallest = _MARGIN / (hardware.weight_grid * longest_bias(unit_l_m, longest))
    changed = hardware.model_copy(
        update={
            "unit_w_m": unit_w_m,
            "unit_l_m": unit_l_m,
            "cell_w_m": cell_w_m,
            "cell_l_m": cell_l_m,
            "bias_min_units": max(hardware.bias_min_units, smallest),
        }
    )
    try:
        check_limits(changed, pdk)
    except InputError as error:
        raise InputError(f"--area-scale {scale:g}: {error}") from error
    return changed


def _scaled(w_m: float, l_m: float, scale: float, longest_m: float) -> tuple[float, float]:
    """Width and length of ``scale`` times the area, no longer than ``longest_m`` if it grows."""
    length = l_m * math.sqrt(scale)
    if scale > 1:
        length = max(l_m, min(length, longest_m))
    return _snap(w_m * l_m * scale / length), _snap(length)


def _snap(length_m: float) -> float:
    return round(round(length_m / LAYOUT_GRID_M) * LAYOUT_GRID_M, 12)


def variant_of(scale: float) -> str:
    """What names of folders of a scaled design end in; nothing for the design itself."""
    return "" if scale == 1 else f"_area{scale:g}"


def scaled_run(run: Run, scale: float, pdk_root: Path | None, say: Say) -> Run:
    """The run with its network in mirrors of ``scale`` times the gate area of its design.

    The scaled design is written beside the run's own, ``RUN/design_area<scale>``, unless it is
    there already. Raises InputError (no design, sizes out of the models' limits) and
    EnvironmentMissing.
    """
    if scale == 1:
        return run
    own = load_exported(run)
    pdk = find_pdk(own.hardware.pdk, pdk_root)
    hardware = scaled_hardware(own.hardware, scale, pdk)
    scaled = replace(run, variant=variant_of(scale))
    if not _is_there(scaled, hardware, pdk):
        say(
            f"area scale {scale:g}: mapping the network to unit mirrors of "
            f"{_size(hardware.unit_w_m, hardware.unit_l_m)} and cells of "
            f"{_size(hardware.cell_w_m, hardware.cell_l_m)}"
        )
        export_design(scaled, hardware, pdk_root, say)
    needed_s = settling_frame_s(load_exported(scaled))
    if needed_s > hardware.frame_s:
        say(
            f"area scale {scale:g}: at {hardware.unit_current_a * 1e9:g} nA the slowest line wants "
            f"frames of {needed_s * 1e3:.3g} ms, and they are {hardware.frame_s * 1e3:g} ms: "
            "settling is part of the result"
        )
    return scaled


def settling_frame_s(exported: Exported) -> float:
    """The frame in which the slowest line of a design settles, by its range plan: its own frame, or
    a longer one (seconds)."""
    return float(exported.facts["ranges"]["suggestion"]["frame_s"])


def _is_there(run: Run, hardware: HardwareSection, pdk: Pdk) -> bool:
    """Whether the scaled design on disk is the one that would be made now.

    One that is missing, damaged or of other weights is not: it is made again.
    """
    try:
        found = load_exported(run)
    except InputError:
        return False
    return found.hardware == hardware and found.facts["pdk"].get("digest") == pdk.digest


def _size(w_m: float, l_m: float) -> str:
    return f"{w_m * 1e6:g} um / {l_m * 1e6:g} um"
