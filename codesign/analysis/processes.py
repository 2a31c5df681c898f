"""What one process makes of a network, as named figures: from files to a table's column."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from codesign.flows import HardwareSection
from codesign.pdk import MismatchLaw

# Of a simulation's summary, as they are.
SIMULATED = (
    "samples_total", "samples_ok", "samples_failed", "decisions_agreeing", "vote_agreement",
    "vote_agreement_interval", "near_ties", "differing", "twin_accuracy", "chip_accuracy",
    "state_agreement", "state_count", "state_agreement_changed", "state_changed_count",
    "candidate_error_rms_units_same_states_below", "logit_error_rms_units",
    "logit_full_scale_units", "mean_power_w", "mean_power_cells_w", "mean_power_feedforward_w",
    "mean_power_bias_w", "mean_power_strobe_w",
    "energy_per_clip_j", "engine",
)  # fmt: skip
MAPPED = ("transistors", "gate_area_m2", "blocks", "zero_weights", "predicted_power_w")


def cell_residuals(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Programmed against measured thresholds and gains: relative rms and worst over the cells.

    ``cells_not_switching`` counts cells whose loop has no threshold; they are in no rms.
    """
    figures: dict[str, Any] = {"cells": len(cells)}
    lost = 0
    for key in ("beta_hi", "beta_lo", "alpha"):
        errors = []
        for cell in cells:
            measured = cell["measured"][f"{key}_a"]
            if measured is None:
                lost += 1
            else:
                errors.append(measured / cell["programmed"][f"{key}_a"] - 1)
        figures |= _spread(f"cell_{key}_residual", errors)
    return figures | {"cells_not_switching": lost}


def weight_errors(mapping: pd.DataFrame) -> dict[str, Any]:
    """Expected against learned weights: relative rms and worst over the devices."""
    devices = mapping[(mapping["role"] == "weight") & (mapping["m"] > 0)]
    return {"weights": len(devices)} | _spread("weight_error", devices["relative_error"].tolist())


def mirror_sigmas(
    hardware: HardwareSection, law: MismatchLaw, volts: Mapping[str, float]
) -> dict[str, float]:
    """Standard deviation of one mirror branch by the process's law, in weak inversion.

    ``volts``: by polarity, the change of the gate voltage that changes the current e-fold (slope
    factor times kT/q). The unit is ``weight_grid`` unit devices, the cell one cell device:
    sigma(I)/I = sqrt((sigma_vth / volts)^2 + sigma_k^2).
    """
    figures: dict[str, float] = {}
    for block, w_m, l_m, m in (
        ("unit", hardware.unit_w_m, hardware.unit_l_m, hardware.weight_grid),
        ("cell", hardware.cell_w_m, hardware.cell_l_m, 1),
    ):
        for polarity, letter in (("nmos", "n"), ("pmos", "p")):
            vth = law.sigma_vth_v(polarity, w_m, l_m, m)
            k = law.sigma_k(polarity, w_m, l_m, m)
            figures[f"sigma_vth_{block}_{letter}_v"] = vth
            figures[f"sigma_current_{block}_{letter}"] = math.hypot(vth / volts[polarity], k)
    return figures


def _spread(name: str, errors: Sequence[float]) -> dict[str, float | None]:
    if not errors:
        return {f"{name}_rms": None, f"{name}_max": None}
    values = np.asarray(errors, np.float64)
    return {
        f"{name}_rms": float(np.sqrt(np.mean(values**2))),
        f"{name}_max": float(np.abs(values).max()),
    }
