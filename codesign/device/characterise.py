"""A whole characterisation: every sweep of a process point, each remembered by what it depends on.

The key of a sweep holds the process point (PDK files, device sizes, supply, temperature, corner,
ngspice), the cell and the sweep's own version; that of the cells also their targets.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

from codesign.device.cache import cached
from codesign.device.calibrate import Calibration, Values
from codesign.device.range import CurrentRange, supported_range
from codesign.device.sweeps import (
    cell_map,
    cell_program,
    current_range,
    leakage,
    mirror_transfer,
    noise_densities,
    sensitivities,
    time_constants,
    unit_ratio,
)
from codesign.device.sweeps.sweep import Sweep, pack, unpack

# In the order of the page: name of the group, what it measures, where.
GROUPS: dict[str, tuple[str, ModuleType]] = {
    "mirror_transfer": ("mirrors against current and drain voltage", mirror_transfer),
    "unit_ratio": ("ratios of unit devices", unit_ratio),
    "current_range": ("copies from 1 pA to 1 uA", current_range),
    "cell_map": ("the cell's map", cell_map),
    "cell_program": ("programmed cells", cell_program),
    "time_constants": ("capacitances and time constants", time_constants),
    "leakage": ("leakage", leakage),
    "sensitivities": ("mismatch sensitivities", sensitivities),
    "noise_densities": ("noise densities", noise_densities),
}


@dataclass(frozen=True)
class Characterization:
    """All sweeps of one process point, by the name of their table.

    ``key`` is the hash of everything they depend on.
    """

    calibration: Calibration
    sweeps: dict[str, Sweep]
    current_range: CurrentRange
    key: str

    @property
    def figures(self) -> dict[str, float]:
        """Every headline figure, by its stable name."""
        merged: dict[str, float] = {}
        for sweep in self.sweeps.values():
            merged |= sweep.figures
        return merged | self.current_range.figures()


def characterise(
    calibration: Calibration,
    targets: Sequence[Values] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Characterization:
    """Measure (or recall) every sweep at a calibrated process point.

    ``targets``: (beta_hi, width, alpha) of cells in units, by default spread over the bias range;
    ``progress`` is told what is being measured. Raises EnvironmentMissing when ngspice or the
    models cannot do it.
    """
    sweeps: dict[str, Sweep] = {}
    keys = []
    for name, (title, _) in GROUPS.items():
        progress(f"measuring {title}")
        chosen = targets if name == "cell_program" else ()
        sweeps |= measure_group(calibration, name, chosen)
        keys.append(_key(calibration, name, chosen))
    key = hashlib.sha256(json.dumps(keys).encode()).hexdigest()
    limits = supported_range(
        calibration.point.hardware, sweeps["current_range"].table, sweeps["leakage"].table
    )
    return Characterization(calibration, sweeps, limits, key)


def measure_group(
    calibration: Calibration, name: str, targets: Sequence[Values] = ()
) -> dict[str, Sweep]:
    """The sweeps of one group of ``GROUPS``, measured or remembered."""
    module = GROUPS[name][1]

    def measure() -> dict[str, Sweep]:
        if name == "cell_program":
            return cell_program.measure(calibration, targets)
        measured: dict[str, Sweep] = module.measure(calibration)
        return measured

    return cached(f"sweep_{name}", _key(calibration, name, targets), measure, pack, unpack)


def measured_range(calibration: Calibration) -> CurrentRange:
    """The range of line currents the devices of a process point support, measured or remembered."""
    lines = measure_group(calibration, "current_range")["current_range"].table
    idle = measure_group(calibration, "leakage")["leakage"].table
    return supported_range(calibration.point.hardware, lines, idle)


def _key(calibration: Calibration, name: str, targets: Sequence[Values]) -> str:
    point = calibration.point
    facts = [name, GROUPS[name][1].SCHEMA, point.key(), point.hardware.cell, list(targets)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
