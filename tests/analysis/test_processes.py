"""Columns of the process table, from made-up cells and mappings."""

import math

import pandas as pd
import pytest

from codesign.analysis.processes import cell_residuals, mirror_sigmas, weight_errors
from codesign.flows import HardwareSection
from codesign.pdk import MismatchLaw
from codesign.pdk.adapter import PairConstants


def _cell(hi: float | None, lo: float, alpha: float) -> dict[str, dict[str, float | None]]:
    programmed = {"beta_hi_a": 2e-9, "beta_lo_a": 1e-9, "alpha_a": 1e-9}
    return {
        "programmed": dict(programmed),
        "measured": {"beta_hi_a": hi, "beta_lo_a": lo, "alpha_a": alpha},
    }


def test_residuals_are_relative_and_a_cell_without_threshold_is_counted() -> None:
    figures = cell_residuals([_cell(2.02e-9, 1e-9, 0.97e-9), _cell(None, 1.04e-9, 1e-9)])
    assert figures["cells"] == 2
    assert figures["cells_not_switching"] == 1
    assert figures["cell_beta_hi_residual_rms"] == pytest.approx(0.01)
    assert figures["cell_beta_lo_residual_rms"] == pytest.approx(0.04 / math.sqrt(2))
    assert figures["cell_alpha_residual_max"] == pytest.approx(0.03)


def test_weights_without_a_device_are_in_no_error() -> None:
    mapping = pd.DataFrame(
        {
            "role": ["weight", "weight", "weight", "bias"],
            "m": [8, 0, 3, 4],
            "relative_error": [0.003, 0.9, -0.004, 0.5],
        }
    )
    figures = weight_errors(mapping)
    assert figures["weights"] == 2
    assert figures["weight_error_rms"] == pytest.approx(math.sqrt((9 + 16) / 2) * 1e-3)
    assert figures["weight_error_max"] == pytest.approx(0.004)


def test_the_sigma_of_a_branch_is_threshold_and_factor_together() -> None:
    law = MismatchLaw(
        nmos=PairConstants(a_vt_v_m=5e-9, a_k_m=1e-8), pmos=PairConstants(a_vt_v_m=0, a_k_m=1e-8)
    )
    hardware = HardwareSection()
    figures = mirror_sigmas(hardware, law, {"nmos": 0.035, "pmos": 0.04})
    area = 2 * 8 * hardware.unit_w_m * hardware.unit_l_m
    assert figures["sigma_vth_unit_n_v"] == pytest.approx(5e-9 / math.sqrt(area))
    assert figures["sigma_current_unit_n"] == pytest.approx(
        math.hypot(5e-9 / 0.035, 1e-8) / math.sqrt(area)
    )
    assert figures["sigma_current_unit_p"] == pytest.approx(1e-8 / math.sqrt(area))
