"""The supported range from tables on paper, and what is said of a specification outside it."""

import numpy as np
import pandas as pd
import pytest

from codesign.device.range import CurrentRange, check_range, supported_range
from codesign.flows import HardwareSection

CURRENT_A = np.geomspace(1e-12, 1e-6, 121)
THERMAL_V = 0.0259


def _lines(percent_per_decade: float = 0.5, inversion_a: float = 1e-7) -> pd.DataFrame:
    """One kind of copy drifts with the logarithm of its current, devices follow the EKV law."""
    table = pd.DataFrame({"input_a": CURRENT_A})
    for kind in ("p_to_sum", "n_to_sum", "p_to_readout", "n_to_readout"):
        table[f"{kind}_gain"] = 1.0
    table["n_to_p_gain"] = 1 - 0.01 * percent_per_decade * np.log10(CURRENT_A / 1e-9)
    gate = 2 * 1.4 * THERMAL_V * np.log(np.expm1(np.sqrt(CURRENT_A / inversion_a)))
    for device in ("unit", "cell"):
        for polarity in ("nmos", "pmos"):
            table[f"{device}_{polarity}_gate_v"] = 1 + gate
    return table


def _leakage(leak_a: float) -> pd.DataFrame:
    return pd.DataFrame(
        {"temperature_c": [27.0, 85.0], "device": "unit", "drain_v": 1.8,
         "leakage_a": [leak_a, 100 * leak_a]}
    )  # fmt: skip


def test_a_drift_of_one_percent_is_the_end() -> None:
    supported = supported_range(HardwareSection(), _lines(1.0), _leakage(1e-16))
    assert supported.low_a == pytest.approx(1e-10, rel=0.03)
    assert supported.high_a == pytest.approx(1e-8, rel=0.03)
    assert (supported.low_cause, supported.high_cause) == ("gain", "gain")


def test_leakage_sets_the_lower_end_when_it_is_large() -> None:
    supported = supported_range(HardwareSection(), _lines(0.1), _leakage(2e-13))
    # 32 drains of a device of which 8 leak 0.2 pA: 0.8 pA, of which a signal is 100 times.
    assert supported.low_a == pytest.approx(8e-11)
    assert supported.low_cause == "leakage"


def test_inversion_sets_the_upper_end_when_mirrors_are_perfect() -> None:
    """EKV: gm n V_T / I = (1 - exp(-sqrt(i))) / sqrt(i), a half at i = 2.54."""
    supported = supported_range(HardwareSection(), _lines(0.0, 1e-7), _leakage(1e-16))
    assert supported.high_cause == "inversion"
    assert supported.high_a == pytest.approx(2.54e-7, rel=0.1)
    assert supported.gain_high_a == pytest.approx(CURRENT_A[-1])


def test_what_is_outside_is_named_with_what_to_do() -> None:
    supported = CurrentRange(2e-11, 1e-11, 2e-8, 1e-7, 8e-8)
    hardware = HardwareSection()
    assert check_range(hardware, supported, 15) == ()
    (line,) = check_range(hardware, supported, 26)
    assert "26 units, 26 nA" in line
    assert "20 nA" in line
    assert "(gain)" in line
    (low,) = check_range(HardwareSection(unit_current_a=2.5e-10), supported)
    assert "bias_min_units = 0.05 is 12.5 pA, below the 20 pA" in low
    unit, bias = check_range(HardwareSection(unit_current_a=3e-8), supported)
    assert "unit_current_a = 3e-08 is outside" in unit
    assert "bias_max_units = 5 is 150 nA, above the 80 nA" in bias
