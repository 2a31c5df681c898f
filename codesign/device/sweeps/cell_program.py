"""Programmed cells: targets, the bias mirrors they were drawn with, and what was then measured.

Relative errors of beta_lo are of beta_lo itself, which is a small difference where the width is
most of beta_hi.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from codesign.device.calibrate import Calibration, Values
from codesign.device.sweeps.cell_map import spread_cells
from codesign.device.sweeps.sweep import Sweep

SCHEMA = 2
_QUANTITIES = ("beta_hi", "beta_lo", "width", "alpha")


def measure(calibration: Calibration, targets: Sequence[Values] = ()) -> dict[str, Sweep]:
    """``cell_program``; ``targets`` in units, by default spread over the bias range."""
    chosen = list(targets) or spread_cells(calibration.point.hardware)
    biases, measured = calibration.program(chosen)
    rows = []
    for target, bias, got in zip(chosen, biases, measured, strict=True):
        wanted = dict(
            zip(_QUANTITIES, (target[0], target[0] - target[1], *target[1:]), strict=True)
        )
        found = dict(zip(_QUANTITIES, (got[0], got[0] - got[1], *got[1:]), strict=True))
        row = {f"{name}_target_units": wanted[name] for name in _QUANTITIES}
        row |= {f"{name}_units": found[name] for name in _QUANTITIES}
        row |= {f"{name}_error": found[name] / wanted[name] - 1 for name in _QUANTITIES}
        rows.append(
            row
            | {
                "threshold_bias_units": bias.threshold,
                "width_bias_units": bias.width,
                "gain_bias_units": bias.gain,
            }
        )
    table = pd.DataFrame(rows)
    figures = {"cells_programmed": float(len(table))}
    for name in _QUANTITIES:
        errors = table[f"{name}_error"].to_numpy()
        figures[f"cell_{name}_error_rms"] = float(np.sqrt(np.mean(errors**2)))
        figures[f"cell_{name}_error_worst"] = float(np.abs(errors).max())
    programmed = table[[f"{name}_error" for name in ("beta_hi", "width", "alpha")]].to_numpy()
    figures["cell_error_rms"] = float(np.sqrt(np.mean(programmed**2)))
    figures["cell_error_worst"] = float(np.abs(programmed).max())
    return {"cell_program": Sweep(table, figures)}
