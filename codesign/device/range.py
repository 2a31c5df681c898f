"""Which line currents the devices support, and whether a specification stays within them.

Four things end the range of a line's current: below, a trimmed copy's gain leaves its value at the
unit current, and leakage of an idle node becomes a part of the signal; above, the gain leaves again
(headroom is part of that: the copies are measured into their real destinations), and devices leave
weak inversion, where mirrors, mismatch and time constants follow other laws.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.flows import HardwareSection

# A copy may change by this much from its gain at the unit current; leakage may be as much.
GAIN_CHANGE = 0.01
LEAKAGE_SHARE = 0.01
# Unit devices whose drains end on a typical idle node.
IDLE_DEVICES = 32
# gm/I down to this part of its weak inversion value: the middle of moderate inversion.
INVERSION_SHARE = 0.5
_KINDS = ("p_to_sum", "n_to_sum", "n_to_p", "p_to_readout", "n_to_readout")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CurrentRange:
    """Line currents (ampere) that unit devices support, and each limit by its cause.

    ``cell_high_a``: the largest bias current of a cell mirror in weak inversion.
    """

    gain_low_a: float
    leakage_low_a: float
    gain_high_a: float
    inversion_high_a: float
    cell_high_a: float

    @property
    def low_a(self) -> float:
        return max(self.gain_low_a, self.leakage_low_a)

    @property
    def high_a(self) -> float:
        return min(self.gain_high_a, self.inversion_high_a)

    @property
    def low_cause(self) -> str:
        return "leakage" if self.leakage_low_a >= self.gain_low_a else "gain"

    @property
    def high_cause(self) -> str:
        return "gain" if self.gain_high_a <= self.inversion_high_a else "inversion"

    def figures(self) -> dict[str, float]:
        """The limits under the names of ``characterization.json``."""
        return {
            "range_low_a": self.low_a,
            "range_high_a": self.high_a,
            "range_gain_low_a": self.gain_low_a,
            "range_leakage_low_a": self.leakage_low_a,
            "range_gain_high_a": self.gain_high_a,
            "range_inversion_high_a": self.inversion_high_a,
            "range_cell_high_a": self.cell_high_a,
        }


def supported_range(
    hardware: HardwareSection, lines: pd.DataFrame, leakage: pd.DataFrame
) -> CurrentRange:
    """The range from the tables of the sweeps ``current_range`` and ``leakage``.

    A limit the table does not reach is the table's end. The leakage is that of the process point's
    own temperature.
    """
    current = lines["input_a"].to_numpy(float)
    unit = hardware.unit_current_a
    gains = [lines[f"{kind}_gain"].to_numpy(float) for kind in _KINDS]
    changes = [np.abs(g / np.interp(np.log(unit), np.log(current), g) - 1) for g in gains]
    low, high = _inside(current, np.max(changes, axis=0), GAIN_CHANGE, unit)
    here = leakage[np.isclose(leakage["temperature_c"], hardware.temperature_c)]
    idle = here[(here["device"] == "unit") & (here["drain_v"] == here["drain_v"].max())]
    leak = float(idle["leakage_a"].max()) * IDLE_DEVICES / hardware.weight_grid
    return CurrentRange(
        gain_low_a=low,
        leakage_low_a=leak / LEAKAGE_SHARE,
        gain_high_a=high,
        inversion_high_a=_weak_inversion(lines, current, "unit", unit),
        cell_high_a=_weak_inversion(lines, current, "cell", unit),
    )


def check_range(
    hardware: HardwareSection, supported: CurrentRange, largest_units: float | None = None
) -> tuple[str, ...]:
    """What of a hardware specification lies outside the supported range: one sentence each.

    ``largest_units`` is the largest line current a network needs, if it is known.
    """
    unit = hardware.unit_current_a
    found = []
    if not supported.low_a <= unit <= supported.high_a:
        found.append(
            f"hardware.unit_current_a = {unit:g} is outside the {_amperes(supported.low_a)} to "
            f"{_amperes(supported.high_a)} that unit devices support here."
        )
    smallest = hardware.bias_min_units * unit
    if smallest < supported.low_a:
        found.append(
            f"hardware.bias_min_units = {hardware.bias_min_units:g} is {_amperes(smallest)}, below "
            f"the {_amperes(supported.low_a)} that are supported here ({supported.low_cause}); "
            "raise it or hardware.unit_current_a."
        )
    largest = hardware.bias_max_units * unit
    if largest > supported.cell_high_a:
        found.append(
            f"hardware.bias_max_units = {hardware.bias_max_units:g} is {_amperes(largest)}, above "
            f"the {_amperes(supported.cell_high_a)} up to which cell mirrors are in weak "
            "inversion; lower it or hardware.unit_current_a, or widen hardware.cell_w_m."
        )
    if largest_units is not None and largest_units * unit > supported.high_a:
        found.append(
            f"A line carries {largest_units:g} units, {_amperes(largest_units * unit)}, above the "
            f"{_amperes(supported.high_a)} that are supported here ({supported.high_cause}); "
            "lower hardware.unit_current_a."
        )
    return tuple(found)


def _inside(current: Floats, change: Floats, limit: float, start_a: float) -> tuple[float, float]:
    """The ends of the stretch around ``start_a`` in which ``change`` stays below ``limit``."""
    middle = int(np.argmin(np.abs(np.log(current / start_a))))
    below = np.flatnonzero(change[: middle + 1] > limit)
    above = np.flatnonzero(change[middle:] > limit)
    low = _crossing(current, change, int(below[-1]), limit) if len(below) else current[0]
    high = (
        _crossing(current, change, middle + int(above[0]) - 1, limit) if len(above) else current[-1]
    )
    return float(low), float(high)


def _crossing(current: Floats, change: Floats, k: int, limit: float) -> float:
    """Where ``change`` passes ``limit`` between points k and k + 1, in the logarithm of current."""
    k = min(max(k, 0), len(current) - 2)
    first, second = float(change[k]), float(change[k + 1])
    share = 0.5 if first == second else float(np.clip((limit - first) / (second - first), 0, 1))
    return float(current[k] * (current[k + 1] / current[k]) ** share)


def _weak_inversion(lines: pd.DataFrame, current: Floats, device: str, start_a: float) -> float:
    """The largest current at which both polarities keep ``INVERSION_SHARE`` of their best gm/I.

    The best is looked for from a tenth of ``start_a`` on: where a hot device leaks more than it is
    given, its diode's voltage says nothing of gm.
    """
    shown = current >= 0.1 * start_a
    highest = []
    for name in ("nmos", "pmos"):
        gate = lines[f"{device}_{name}_gate_v"].to_numpy(float)
        slope = np.gradient(gate[shown], np.log(current[shown]))
        fallen = 1 - slope.min() / slope
        highest.append(_inside(current[shown], fallen, 1 - INVERSION_SHARE, start_a)[1])
    return float(min(highest))


def _amperes(value: float) -> str:
    return f"{value * 1e9:.3g} nA" if value >= 1e-10 else f"{value * 1e12:.3g} pA"
