"""Sign paths: what a positive and a negative term go through, their gain and their delay.

A signal flows in a diode of one kind and its copies are of either kind, so terms of one sign pass a
turn that the others do not:

    P diode, positive   P copy                       inputs and states
    P diode, negative   turn to an N line, N copy
    N diode, positive   turn to a P line, P copy     sums and candidates
    N diode, negative   N copy

The trims make every gain 1 at one current; what is left elsewhere, and how much later the longer
path arrives, is measured here.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from codesign.device.bench import ProcessPoint
from codesign.device.cache import cached
from codesign.device.copies import Copy, Kind, Size, measure_copies
from codesign.device.mirrors import MirrorCalibration
from codesign.device.path_delays import PATHS, Delays, charges_per_gate, path_delays
from codesign.device.turns import TurnTable

CURRENTS_A = tuple(float(f"{current:.3g}") for current in np.geomspace(5e-11, 1e-8, 8))


@dataclass(frozen=True)
class SignPaths:
    """Measured at one process point; currents in ampere.

    ``gain[path][k]``: at ``current_a[k]``, one length for all turns; ``trimmed[path][k]``: with a
    turn trimmed for that current. ``delays[path]``: for a step to one unit, ``LOAD_GATES`` unit
    gates on each line. ``charge_per_gate_c``: Q of one unit gate, of P and N lines.
    """

    current_a: tuple[float, ...]
    gain: dict[str, tuple[float, ...]]
    trimmed: dict[str, tuple[float, ...]]
    delays: dict[str, Delays]
    charge_per_gate_c: dict[str, float]

    def gain_error(self, native: str, current_a: float, trimmed_at_a: float) -> float:
        """Worst relative gain error of a diode's paths at a current, trimmed at another.

        Between and beyond the measured currents errors are linear in the logarithm.
        """
        logs = np.log(self.current_a)

        def error(values: tuple[float, ...], at: float) -> float:
            x = np.log(at)
            k = int(np.clip(np.searchsorted(logs, x) - 1, 0, len(logs) - 2))
            slope = (values[k + 1] - values[k]) / (logs[k + 1] - logs[k])
            return float(values[k] + slope * (x - logs[k]))

        errors = [
            error(gain, current_a) - error(gain, trimmed_at_a)
            for path, gain in self.gain.items()
            if path.startswith(native)
        ]
        return max(errors, key=abs)


def sign_paths(point: ProcessPoint, mirrors: MirrorCalibration, turns: TurnTable) -> SignPaths:
    """Measure (or recall) the paths of a process point.

    Raises EnvironmentMissing when ngspice cannot measure them.
    """
    return cached("paths", point.key(), lambda: _measure(point, mirrors, turns), asdict, paths_of)


def paths_of(stored: dict[str, Any]) -> SignPaths:
    """Paths as ``dataclasses.asdict`` left them."""
    tuples = {
        name: {path: tuple(values) for path, values in stored[name].items()}
        for name in ("gain", "trimmed")
    }
    delays = {path: Delays(**values) for path, values in stored["delays"].items()}
    return SignPaths(
        **{**stored, **tuples, "delays": delays, "current_a": tuple(stored["current_a"])}
    )


def _measure(point: ProcessPoint, mirrors: MirrorCalibration, turns: TurnTable) -> SignPaths:
    exact = {
        trimmed: _gains(point, mirrors, turns, np.array(CURRENTS_A), trimmed)
        for trimmed in (False, True)
    }
    return SignPaths(
        CURRENTS_A,
        {path: tuple(map(float, values)) for path, values in exact[False].items()},
        {path: tuple(map(float, values)) for path, values in exact[True].items()},
        path_delays(point, mirrors),
        charges_per_gate(point),
    )


def _gains(
    point: ProcessPoint,
    mirrors: MirrorCalibration,
    turns: TurnTable,
    currents_a: np.ndarray[Any, np.dtype[np.float64]],
    trimmed: bool,
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Gain of each path at each current: that of its copies, one after the other."""
    hw = point.hardware
    units = currents_a / hw.unit_current_a
    kinds: tuple[Kind, ...] = ("p_to_sum", "n_to_sum", "n_to_p")
    copies = []
    for kind in kinds:
        for level in map(float, units):
            l_m = getattr(mirrors, kind).l_m
            if kind == "n_to_p" and trimmed:
                l_m = turns.length(level)
            size = Size(hw.unit_w_m, l_m, hw.weight_grid)
            copies.append(Copy(kind, size, level, level))
    table = measure_copies(point, copies).reshape(len(kinds), len(units))
    by_kind = dict(zip(kinds, table, strict=True))
    return {path: np.prod([by_kind[kind] for kind in steps], axis=0)
            for path, steps in PATHS.items()}  # fmt: skip
