"""Sign paths measured on the real process, and the law by which lines charge."""

from pathlib import Path

import numpy as np
import pytest

from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import calibrate
from codesign.device.charging import reached, rise_s, slowest_a, tail_a
from codesign.device.path_delays import LOAD_GATES, PATHS
from codesign.device.paths import SignPaths, sign_paths
from codesign.flows import HardwareSection
from codesign.pdk import find_pdk
from codesign.spice.ngspice import find_ngspice, ngspice_version

CHARGE_C = 5e-14


@pytest.fixture(scope="module")
def paths() -> SignPaths:
    hw, ngspice = HardwareSection(), find_ngspice()
    point = ProcessPoint(find_pdk(hw.pdk), hw, ngspice, ngspice_version(ngspice))
    calibration = calibrate(point)
    return sign_paths(point, calibration.mirrors, calibration.turns)


def test_the_law_of_a_rise_and_its_inverse_agree() -> None:
    for current_a in (5e-11, 1e-9, 8e-9):
        time_s = rise_s(CHARGE_C, current_a, current_a / 50)
        assert reached(CHARGE_C, current_a, current_a / 50, time_s) == pytest.approx(0.98)
    assert rise_s(CHARGE_C, 1e-9, 2e-9) == 0


def test_the_law_solves_its_equation() -> None:
    """Euler steps of dI/dt = I (I_in - I) / Q arrive where the formulas say."""
    level, dt = 1e-11, 1e-7
    for _ in range(2000):
        level += dt * level * (1e-9 - level) / CHARGE_C
    assert level / 1e-9 == pytest.approx(reached(CHARGE_C, 1e-9, 1e-11, 2e-4), rel=1e-2)
    level = 5e-9
    for _ in range(50000):
        level -= dt * level**2 / CHARGE_C
    assert level == pytest.approx(tail_a(CHARGE_C, 5e-3), rel=1e-2)


def test_the_slowest_current_settles_just_in_time() -> None:
    start = tail_a(CHARGE_C, 0.1)
    current = slowest_a(CHARGE_C, 3e-3, start)
    assert rise_s(CHARGE_C, current, start) == pytest.approx(3e-3, rel=1e-3)
    assert rise_s(CHARGE_C, current * 1.1, start) < 3e-3


@pytest.mark.ngspice
def test_paths_of_both_signs_agree_at_one_unit_and_trimmed_at_every_current(
    paths: SignPaths,
) -> None:
    currents = np.array(paths.current_a)
    assert (currents[0], currents[-1]) == (5e-11, 1e-8)
    unit = int(np.argmin(np.abs(np.log(currents / 1e-9))))
    for path in PATHS:
        assert paths.gain[path][unit] == pytest.approx(1, abs=5e-4)
        assert np.abs(np.array(paths.trimmed[path]) - 1).max() < 2.5e-3
    # The turn to a P line is what depends on the current; nothing else does as much.
    assert np.ptp(paths.gain["n_positive"]) > 0.01
    assert np.ptp(paths.gain["n_negative"]) < 1e-3
    assert paths.gain_error("n", 1e-8, 1e-9) == pytest.approx(-0.009, abs=2e-3)
    assert abs(paths.gain_error("n", 1e-9, 1e-9)) < 1e-9


@pytest.mark.ngspice
def test_a_turn_takes_time_and_the_law_says_how_much(paths: SignPaths) -> None:
    for short, long in (("p_positive", "p_negative"), ("n_negative", "n_positive")):
        assert paths.delays[short].up_s < paths.delays[long].up_s
        assert paths.delays[short].down_s < paths.delays[long].down_s
    gates = LOAD_GATES + 2 * HardwareSection().weight_grid
    for path in ("p_positive", "n_negative"):
        charge = gates * paths.charge_per_gate_c[path[0]]
        # 2 % of the step from a tenth is 1.8 % of the unit.
        law = rise_s(charge, 1e-9, 1e-10, 0.018)
        assert paths.delays[path].up_s == pytest.approx(law, rel=0.15)


@pytest.mark.ngspice
def test_what_was_measured_is_what_is_remembered(
    paths: SignPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hw, ngspice = HardwareSection(), find_ngspice()
    point = ProcessPoint(find_pdk(hw.pdk), hw, ngspice, ngspice_version(ngspice))
    calibration = calibrate(point)
    again = sign_paths(point, calibration.mirrors, calibration.turns)
    assert again == paths
