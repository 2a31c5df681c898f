"""The cell map: cells with ideal bias currents, and how well the fitted formulas describe them."""

import numpy as np
import pandas as pd

from codesign.device.calibrate import Calibration, Values
from codesign.device.cell_loops import CellBias, measure_loops
from codesign.device.sweeps.sweep import Sweep
from codesign.flows import HardwareSection

SCHEMA = 1
# Cells side by side in one deck: its run time grows faster than their number.
_CHUNK = 12
_THRESHOLDS = 6
_WIDTHS = (0.1, 0.4, 0.9)


def spread_cells(hardware: HardwareSection) -> list[Values]:
    """(beta_hi, width, alpha) in units over the bias range: thresholds evenly in their logarithm,
    widths from a tenth to nine tenths of them, gains in another order than the thresholds."""
    low, high = hardware.bias_min_units, hardware.bias_max_units
    thresholds = np.geomspace(max(2 * low, 0.1), high, _THRESHOLDS)
    gains = np.geomspace(low, high, _THRESHOLDS * len(_WIDTHS))
    targets = []
    for k, (threshold, part) in enumerate((t, part) for t in thresholds for part in _WIDTHS):
        # Seven steps at a time visits every gain once, far ones after one another.
        gain = gains[7 * k % len(gains)]
        targets.append((float(threshold), max(float(threshold * part), low), float(gain)))
    return targets


def measure(calibration: Calibration) -> dict[str, Sweep]:
    """``cell_map``: bias currents, what was measured, what the map says, relative errors."""
    point, unit = calibration.point, calibration.point.hardware.unit_current_a
    biases = [CellBias(*target) for target in spread_cells(point.hardware)]
    rows = []
    for start in range(0, len(biases), _CHUNK):
        chunk = biases[start : start + _CHUNK]
        loops = measure_loops(point, calibration.mirrors, chunk)
        for bias, loop in zip(chunk, loops, strict=True):
            hi, width, alpha = calibration.cell_map.effective(bias)
            measured = (loop.beta_hi_a / unit, loop.beta_lo_a / unit)
            rows.append(
                {
                    "threshold_bias_units": bias.threshold,
                    "width_bias_units": bias.width,
                    "gain_bias_units": bias.gain,
                    "beta_hi_units": measured[0],
                    "beta_lo_units": measured[1],
                    "width_units": measured[0] - measured[1],
                    "alpha_units": loop.alpha_a / unit,
                    "map_beta_hi_units": hi,
                    "map_width_units": width,
                    "map_alpha_units": alpha,
                }
            )
    table = pd.DataFrame(rows)
    figures: dict[str, float] = {}
    for name in ("beta_hi", "width", "alpha"):
        error = table[f"map_{name}_units"] / table[f"{name}_units"] - 1
        table[f"{name}_map_error"] = error
        figures[f"map_{name}_error_rms"] = float(np.sqrt(np.mean(error**2)))
        figures[f"map_{name}_error_worst"] = float(error.abs().max())
    coefficients = calibration.cell_map
    for key in ("t0", "t1", "w0", "w1", "g0", "g1"):
        figures[f"map_{key}"] = float(getattr(coefficients, key))
    return {"cell_map": Sweep(table, figures)}
