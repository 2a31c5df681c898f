"""Noise: drain current densities of the mirror devices at signal currents (``device.noise``)."""

import numpy as np
import pandas as pd

from codesign.device.calibrate import Calibration
from codesign.device.noise import CHARGE_C, Geometry, measure_noise
from codesign.device.sweeps.sweep import Sweep

SCHEMA = 1
CURRENTS_A = tuple(float(i) for i in np.geomspace(1e-11, 1e-8, 7))
FREQUENCIES_HZ = tuple(float(f) for f in np.geomspace(0.1, 1e5, 13))


def measure(calibration: Calibration) -> dict[str, Sweep]:
    """``noise_density``: polarity, device, current_a, frequency_hz, density_a2_per_hz, ...

    Densities are those of one device (m = 1), from the fit whose worst error is in ``figures``.
    """
    hw = calibration.point.hardware
    names = [(polarity, device) for polarity in ("nmos", "pmos") for device in ("unit", "cell")]
    sizes = {"unit": (hw.unit_w_m, hw.unit_l_m), "cell": (hw.cell_w_m, hw.cell_l_m)}
    fits = measure_noise(calibration.point, [Geometry(p, *sizes[d]) for p, d in names])
    rows, figures = [], {}
    for (polarity, device), fit in zip(names, fits, strict=True):
        name = f"{polarity}_{device}"
        figures[f"{name}_white_over_shot"] = fit.white_factor
        figures[f"{name}_noise_fit_error"] = fit.error
        flicker, white = (
            fit.flicker_a2_per_hz(hw.unit_current_a),
            fit.white_a2_per_hz(hw.unit_current_a),
        )
        if flicker > 0:
            figures[f"{name}_noise_corner_hz"] = float((flicker / white) ** (1 / fit.slope))
        rows += [
            {
                "polarity": polarity,
                "device": device,
                "current_a": current,
                "frequency_hz": frequency,
                "density_a2_per_hz": fit.density_a2_per_hz(frequency, current),
                "shot_a2_per_hz": 2 * CHARGE_C * current,
            }
            for current in CURRENTS_A
            for frequency in FREQUENCIES_HZ
        ]
    return {"noise_density": Sweep(pd.DataFrame(rows), figures)}
