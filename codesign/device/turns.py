"""Turns trimmed for the current they carry.

An N copy into a P diode sees the supply less a P diode's voltage and an N diode's: less voltage the
more current flows, so its gain falls by about 0.8 % per decade. One length cannot be right for
all currents; a turn that carries 0.1 units is cut longer than one that carries 5.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign.device.bench import ProcessPoint
from codesign.device.copies import Copy, Size, measure_copies
from codesign.device.mirrors import LAYOUT_GRID_M

_UNITS = np.geomspace(0.02, 32, 17)
_SPAN = np.linspace(0.94, 1.10, 9)
# Turns of currents within a half octave share a length: 0.1 % of gain, and few geometries.
_STEPS_PER_OCTAVE = 2


@dataclass(frozen=True)
class TurnTable:
    """Length of the copying device of a turn against the current (units) at which its gain is 1."""

    units: tuple[float, ...]
    l_m: tuple[float, ...]

    def length(self, units: float) -> float:
        """Length for a turn that carries about ``units``, on the layout grid."""
        inside = min(max(units, self.units[0]), self.units[-1])
        step = round(math.log2(inside) * _STEPS_PER_OCTAVE) / _STEPS_PER_OCTAVE
        wanted = float(np.interp(step, np.log2(self.units), self.l_m))
        return round(round(wanted / LAYOUT_GRID_M) * LAYOUT_GRID_M, 12)


def measure_turns(point: ProcessPoint) -> TurnTable:
    """Measure the table in one operating point of ngspice.

    Raises EnvironmentMissing when ngspice cannot measure it.
    """
    hw = point.hardware
    lengths = hw.unit_l_m * _SPAN
    copies = [
        Copy("n_to_p", Size(hw.unit_w_m, float(l_m), hw.weight_grid), float(units), float(units))
        for units in _UNITS
        for l_m in lengths
    ]
    gains = measure_copies(point, copies).reshape(len(_UNITS), len(lengths))
    trimmed = [float(np.interp(1.0, gain[::-1], lengths[::-1])) for gain in gains]
    return TurnTable(tuple(map(float, _UNITS)), tuple(trimmed))


def turns_of(stored: dict[str, Any]) -> TurnTable:
    """A table as ``dataclasses.asdict`` left it."""
    return TurnTable(tuple(stored["units"]), tuple(stored["l_m"]))
