"""The comparison of strategies is arithmetic on measured gains."""

import pandas as pd
import pytest

from codesign.analysis.strategies import (
    path_errors,
    static_error_units,
    strategy_lines,
    summarise_strategy,
)

ROWS = pd.DataFrame(
    {
        "instance": ["a", "b", "c", "d"],
        "path": ["up", "up", "down", "down"],
        "signal": ["x0_0", "x0_1", "x0_0", ""],
        "into": ["c0_0", "c0_0", "c0_1", "c0_1"],
        "positive": [True, False, False, True],
        "wanted": [1.0, 0.5, 2.0, 0.25],
        "gain_27c": [1.01, 0.5, 2.0, 0.25],
        "gain_-20c": [1.01, 0.51, 2.0, 0.25],
        "gain_85c": [1.02, 0.5, 1.9, 0.25],
    }
)


def test_errors_are_relative_to_what_was_wanted_and_drifts_to_nominal() -> None:
    found = summarise_strategy(ROWS, 27.0, (-20.0, 85.0))
    assert found["devices_measured"] == 4
    assert found["error_rms"] == pytest.approx(0.005)
    assert (found["error_worst"], found["error_worst_instance"]) == (pytest.approx(0.01), "a")
    assert found["drift"]["-20"] == pytest.approx({"rms": 0.01, "worst": 0.02})
    assert found["error_over_temperature"]["85"]["worst"] == pytest.approx(0.05)
    assert found["error_over_temperature_worst"] == pytest.approx(0.05)
    assert not found["meets"]


def test_a_strategy_meets_the_promise_when_both_limits_hold() -> None:
    good = ROWS.assign(**{"gain_27c": ROWS["wanted"] * 1.004, "gain_-20c": ROWS["wanted"] * 0.991,
                          "gain_85c": ROWS["wanted"] * 1.009})  # fmt: skip
    assert summarise_strategy(good, 27.0, (-20.0, 85.0))["meets"]
    loose = good.assign(gain_27c=ROWS["wanted"] * 1.006)
    assert not summarise_strategy(loose, 27.0, (-20.0, 85.0))["meets"]
    drifting = good.assign(gain_85c=ROWS["wanted"] * 1.011)
    assert not summarise_strategy(drifting, 27.0, (-20.0, 85.0))["meets"]


def test_paths_are_told_apart() -> None:
    errors = path_errors(ROWS, 27.0)
    assert errors["up"] == pytest.approx({"devices": 2, "mean": 0.005, "rms": 0.01 / 2**0.5})
    assert errors["down"]["rms"] == 0


def test_gain_errors_add_up_in_a_sum_with_sign_and_current() -> None:
    units = {"x0_0": 2.0, "x0_1": 4.0}
    assert static_error_units(ROWS, 27.0, units) == pytest.approx({"c0_0": 0.02, "c0_1": 0.0})
    # At -20 C the negative term is too large by 0.01 and takes 4 units away.
    assert static_error_units(ROWS, -20.0, units)["c0_0"] == pytest.approx(0.02 - 0.04)


def test_the_table_for_people_marks_the_designs_own() -> None:
    item = {
        "name": "k/8", "title": "unit devices", "not_representable": 0, "gate_area_m2": 1e-9,
        "predicted_power_w": 5e-7, **summarise_strategy(ROWS, 27.0, (-20.0, 85.0)),
    }  # fmt: skip
    lines = strategy_lines({"temperatures_c": [-20.0, 85.0], "used": "k/8", "strategies": [item]})
    assert "unit devices *" in lines[1]
    for figure in ("0.500%", "1.000%", "2.00%", "5.00%", "1,000", "500"):
        assert figure in lines[1]
