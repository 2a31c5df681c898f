"""Unit-device ratios: how far a weight of m / grid is from what it says, at real destinations.

The trims (one length per kind of copy) are those of the nominal point and stay as they are when the
temperature changes, as on a chip. The reference diode carries one unit current. The destination is
where such a weight puts its current: a node whose diode carries m / grid units, or the readout.
"""

import numpy as np
import pandas as pd

from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import Calibration
from codesign.device.copies import KINDS, Copy, Size, measure_copies
from codesign.device.mirrors import MirrorCalibration
from codesign.device.sweeps.sweep import Sweep, at_temperature

SCHEMA = 1
TEMPERATURES_C = (-20.0, 27.0, 85.0)
# Weights up to this many units.
LARGEST_UNITS = 4


def measure(calibration: Calibration) -> dict[str, Sweep]:
    """``unit_ratio``: temperature_c, kind, m, weight_units, output_units, error (relative)."""
    nominal = calibration.point.hardware.temperature_c
    temperatures = sorted({*TEMPERATURES_C, nominal})
    table = pd.concat(
        [
            _measure(at_temperature(calibration.point, temperature), calibration.mirrors)
            for temperature in temperatures
        ],
        ignore_index=True,
    )
    return {"unit_ratio": Sweep(table, _figures(table, nominal))}


def _measure(point: ProcessPoint, mirrors: MirrorCalibration) -> pd.DataFrame:
    hw = point.hardware
    counts = range(1, LARGEST_UNITS * hw.weight_grid + 1)
    cases = [(kind, m) for kind in KINDS for m in counts]
    copies = [
        Copy(
            kind,
            Size(hw.unit_w_m, getattr(mirrors, kind).l_m, m),
            destination_units=m / hw.weight_grid,
        )
        for kind, m in cases
    ]
    gains = measure_copies(point, copies)
    table = pd.DataFrame(
        {
            "temperature_c": hw.temperature_c,
            "kind": [kind for kind, _ in cases],
            "m": [m for _, m in cases],
            "weight_units": [m / hw.weight_grid for _, m in cases],
            "output_units": gains,
        }
    )
    table["error"] = table["output_units"] / table["weight_units"] - 1
    return table


def _figures(table: pd.DataFrame, nominal_c: float) -> dict[str, float]:
    at_nominal = table[table["temperature_c"] == nominal_c]
    over = table[table["temperature_c"].isin(TEMPERATURES_C)]
    figures = {
        "weight_error_rms_nominal": float(np.sqrt(np.mean(at_nominal["error"] ** 2))),
        "weight_error_worst_nominal": float(at_nominal["error"].abs().max()),
        "weight_error_worst_over_temperature": float(over["error"].abs().max()),
    }
    for kind, part in at_nominal.groupby("kind"):
        figures[f"weight_error_rms_nominal_{kind}"] = float(np.sqrt(np.mean(part["error"] ** 2)))
    for kind, part in over.groupby("kind"):
        figures[f"weight_error_worst_over_temperature_{kind}"] = float(part["error"].abs().max())
    return figures
