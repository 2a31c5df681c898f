"""All strategies of a small run, measured on the real process, side by side."""

import json
from pathlib import Path

import pandas as pd
import pytest

from codesign.circuit.export import export_design
from codesign.circuit.strategies import STRATEGIES, TEMPERATURES_C, compare_strategies
from codesign.errors import InputError
from codesign.mapping.exported import load_exported
from codesign.runs import Run
from tests.trained import made_up_run


def test_without_a_design_there_is_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="export-netlist"):
        compare_strategies(made_up_run(tmp_path / "run"))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_up_run(tmp_path_factory.mktemp("strategies") / "run")
    export_design(run)
    compare_strategies(run)
    return run


@pytest.mark.ngspice
def test_unit_devices_hold_what_is_promised_and_single_devices_do_not(compared: Run) -> None:
    found = json.loads((compared.design_dir / "strategies.json").read_text())
    by_name = {item["name"]: item for item in found["strategies"]}
    assert list(by_name) == [strategy.name for strategy in STRATEGIES]
    assert found["used"] == "k/8"
    for name in ("k/8", "k/16", "continuous"):
        item = by_name[name]
        assert item["error_rms"] <= 0.005
        assert item["error_over_temperature_worst"] <= 0.01
        assert item["meets"]
        assert item["not_representable"] == 0
    assert by_name["single"]["error_rms"] <= 0.005
    assert max(d["worst"] for d in by_name["single"]["drift"].values()) > 0.03
    assert not by_name["single"]["meets"]
    # Twice the unit devices for a unit weight: almost twice the area, the same current.
    areas = {name: item["gate_area_feedforward_m2"] for name, item in by_name.items()}
    assert areas["k/16"] == pytest.approx(2 * areas["k/8"], rel=0.01)
    powers = [item["predicted_power_w"] for item in by_name.values()]
    assert max(powers) == pytest.approx(min(powers), rel=5e-3)
    assert set(found["sign_paths"]["gain"]) == {
        "p_positive", "p_negative", "n_positive", "n_negative",
    }  # fmt: skip


@pytest.mark.ngspice
def test_every_device_of_every_strategy_has_a_row(compared: Run) -> None:
    rows = pd.read_parquet(compared.design_dir / "strategies.parquet")
    facts = load_exported(compared).facts
    gains = [f"gain_{value:g}c" for value in (27.0, *TEMPERATURES_C)]
    assert (rows[gains] > 0).all(axis=None)
    for strategy in STRATEGIES:
        part = rows[rows["strategy"] == strategy.name]
        skips = part["instance"].str.contains("xskip").sum()
        learned = facts["parameter_rows"] - facts["zero_weights"]
        cells = 3 * facts["shape"]["layers"] * facts["shape"]["state_dim"]
        assert len(part) - skips == learned - cells
        assert part["instance"].is_unique


@pytest.mark.ngspice
def test_a_new_design_has_no_old_comparison(compared: Run) -> None:
    export_design(compared)
    assert not (compared.design_dir / "strategies.json").exists()
