"""How near to a threshold counts as near: from the measured cells, the design, the process."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.analysis.causes import Limits
from codesign.analysis.yardstick import Yardstick
from codesign.errors import InputError
from codesign.files import read_json
from codesign.flows import HardwareSection
from codesign.pdk.adapter import MismatchLaw

# Below threshold d(ln I) / dV is 1 / (slope * kT/q); the slope of a MOS transistor lies between
# 1.2 and 1.6, and how wide three sigma are need not be known better.
_SLOPE = 1.4
_BOLTZMANN_V_PER_K = 8.617333262e-5
_CELL = re.compile(r"layers\.(\d+)\.cell\.\w+\[(\d+)\]$")


def limits_of(
    yardstick: Yardstick,
    hardware: HardwareSection,
    unrepresentable: Sequence[Mapping[str, Any]],
    cells_file: Path | None,
    law: MismatchLaw | None,
) -> Limits:
    """What cells decide by. ``cells_file`` has the cells of the nominal chip as measured, None
    where they were not; ``law`` is the mismatch of chips that are drawn; ``unrepresentable`` are
    parameters of the design that no device carries.

    Raises InputError when the file is damaged.
    """
    high, alpha = yardstick.cells("beta_hi"), yardstick.cells("alpha")
    unsound = np.zeros(high.shape, bool)
    for item in unrepresentable:
        match = _CELL.match(str(item.get("parameter")))
        if match:
            unsound[int(match.group(1)), int(match.group(2))] = True
    return Limits.of(
        high,
        high - yardstick.cells("width"),
        alpha,
        None if cells_file is None else _measured(cells_file, high.shape, yardstick.unit_current_a),
        0.0 if law is None else threshold_sigma(hardware, law),
        unsound,
    )


def threshold_sigma(hardware: HardwareSection, law: MismatchLaw) -> float:
    """Relative standard deviation of a cell's threshold: the mirror that makes its bias current,
    the diode that receives it and the transistor of the cell that copies it."""
    thermal_v = _BOLTZMANN_V_PER_K * (hardware.temperature_c + 273.15)
    bias = ("pmos", hardware.unit_w_m, hardware.unit_l_m, hardware.weight_grid)
    cell = ("nmos", hardware.cell_w_m, hardware.cell_l_m, 1)
    square = 0.0
    for device in (bias, cell, cell):
        square += (law.sigma_vth_v(*device) / (_SLOPE * thermal_v)) ** 2 + law.sigma_k(*device) ** 2
    return float(square**0.5)


def _measured(
    path: Path, shape: tuple[int, ...], unit_a: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """beta_hi and beta_lo in units; NaN for a cell without a window."""
    found = np.full((2, *shape), np.nan)
    try:
        for cell in read_json(path, "the measured cells"):
            for k, name in enumerate(("beta_hi_a", "beta_lo_a")):
                value = cell["measured"][name]
                if value is not None:
                    found[k, cell["layer"], cell["unit"]] = value / unit_a
    except (KeyError, IndexError, TypeError) as error:
        raise InputError(
            f"{path} does not hold the measured cells of this design ({type(error).__name__}); "
            "delete it and simulate again."
        ) from error
    return found[0], found[1]
