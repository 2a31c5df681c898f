"""Chips in larger devices: the design that is made, its limits, and the table over scales."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from codesign.circuit.export import export_design
from codesign.cli.main import main
from codesign.device.bench import ProcessPoint
from codesign.device.mirrors import RatioTable, longest_bias, measure_mirrors
from codesign.errors import InputError
from codesign.files import read_json
from codesign.flows import HardwareSection
from codesign.mapping.exported import load_exported
from codesign.pdk import find_pdk
from codesign.runs import Run
from codesign.simulation import area
from codesign.simulation.area import scaled_hardware, scaled_run, variant_of
from codesign.simulation.areas import COPIED, candidate_spread, simulate_areas
from codesign.simulation.run import simulate
from codesign.simulation.setting import Options
from codesign.spice.ngspice import find_ngspice, ngspice_version
from tests.simulation.fakes import install
from tests.trained import made_up_run

HARDWARE = HardwareSection()
PDK = find_pdk("generic180")


def _area(hardware: HardwareSection, device: str) -> float:
    return float(getattr(hardware, f"{device}_w_m") * getattr(hardware, f"{device}_l_m"))


@pytest.mark.parametrize("scale", [0.7, 2.0, 4.0, 10.0, 16.0])
def test_gate_area_grows_by_the_scale(scale: float) -> None:
    changed = scaled_hardware(HARDWARE, scale, PDK)
    for device in ("unit", "cell"):
        # To the layout grid, 5 nm.
        assert _area(changed, device) == pytest.approx(scale * _area(HARDWARE, device), rel=5e-3)
    assert _area(changed, "switch") == _area(HARDWARE, "switch")
    assert changed.v0_capacitance_f == HARDWARE.v0_capacitance_f
    # Mismatch follows the area alone.
    law = PDK.mismatch
    before, after = (law.sigma_vth_v("nmos", h.unit_w_m, h.unit_l_m) for h in (HARDWARE, changed))
    assert before / after == pytest.approx(math.sqrt(scale), rel=5e-3)


def test_width_and_length_grow_alike_until_bias_mirrors_would_be_too_long() -> None:
    four, sixteen = (scaled_hardware(HARDWARE, scale, PDK) for scale in (4, 16))
    assert (four.unit_w_m, four.unit_l_m) == (2.4e-6, 2e-5)
    assert (four.cell_w_m, four.cell_l_m) == (8e-6, 2e-5)
    assert sixteen.unit_l_m == PDK.limits.l_max_m / 2
    assert sixteen.cell_l_m == 4e-5
    # What a bias mirror can still give is what cells are asked for.
    span = longest_bias(sixteen.unit_l_m, PDK.limits.l_max_m)
    assert span == 2.0
    grid = HARDWARE.weight_grid
    table = RatioTable((1e-5, 1e-5 * span), (1 / grid, 1 / grid / span))
    for current in (sixteen.bias_min_units, 0.1, 0.13, 0.19, 0.24, 0.26, 1.0):
        assert table.size(current)[2] == pytest.approx(current, rel=1e-2)


def test_sizes_beyond_the_models_are_refused() -> None:
    with pytest.raises(InputError, match=r"--area-scale 300: hardware.unit_w_m = .* 'generic180'"):
        scaled_hardware(HARDWARE, 300, PDK)


def test_the_same_candidates_on_chips_are_told_from_what_all_share(tmp_path: Path) -> None:
    rows = [
        {"sample": 2 * chip + clip, "layer": 0, "unit": unit, "frame": 0,
         "twin_candidate_units": 1.0 + unit, "chip_candidate_units": 1.4 + unit - 0.2 * chip}
        for chip in range(2) for clip in range(2) for unit in range(3)
    ]  # fmt: skip
    # What is off on every chip says nothing.
    rows += [
        {**row, "unit": unit, "twin_candidate_units": 0.0, "chip_candidate_units": 1e-9}
        for row in rows for unit in range(3, 9)
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(tmp_path / "states.parquet")
    pd.DataFrame({"sample": range(4), "clip": [0, 1, 0, 1]}).to_parquet(
        tmp_path / "samples.parquet"
    )
    found = candidate_spread(tmp_path)
    assert found["sigma_units"] == pytest.approx(0.1 * math.sqrt(2))
    assert found["offset_units"] == pytest.approx(0.3)


def test_area_and_process_are_of_chips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up_run(tmp_path / "small")
    for option in (["--area-scale", "4"], ["--process-variation"]):
        assert main(["simulate", str(run.path), *option]) == 2
        assert "add --mc CHIPS" in capsys.readouterr().err
    assert main(["simulate", str(run.path), "--mc", "2", "--area-scale", "1,0"]) == 2
    assert "list of area factors" in capsys.readouterr().err
    with pytest.raises(InputError, match="add --mc"):
        simulate_areas(run, Options(), (4.0,), lambda *_: None, lambda _: None)


@pytest.mark.ngspice
def test_mirrors_of_the_longest_channels_are_as_exact_as_short_ones() -> None:
    """The bias mirrors of a unit at half the longest channel, measured up to that channel."""
    hardware = scaled_hardware(HARDWARE, 16, PDK)
    ngspice = find_ngspice()
    mirrors = measure_mirrors(ProcessPoint(PDK, hardware, ngspice, ngspice_version(ngspice)))
    assert mirrors.bias_p.l_m[-1] == pytest.approx(PDK.limits.l_max_m)
    for table in (mirrors.bias_p, mirrors.bias_n):
        assert np.all(np.diff(table.ratio) < 0)
        # Any current from the smallest up can be drawn.
        for current in np.geomspace(hardware.bias_min_units, 4.0, 60):
            assert table.size(float(current))[2] == pytest.approx(current, rel=2e-3)
    for trim in (mirrors.p_to_sum, mirrors.n_to_sum, mirrors.n_to_p):
        assert trim.gain == pytest.approx(1, abs=1e-3)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_up_run(tmp_path_factory.mktemp("run") / "small")
    export_design(run)
    return run


def _copied_design(run: Run, hardware: HardwareSection, *_: object) -> Path:
    """Stands in for the export of a scaled design, which measures for half a minute: the same
    devices under the scaled specification."""
    shutil.copytree(replace(run, variant="").design_dir, run.design_dir, dirs_exist_ok=True)
    path = run.design_dir / "design.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "hardware": hardware.model_dump()}))
    return run.design_dir


@pytest.mark.ngspice
def test_scales_side_by_side(exported: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's own design and plan stay as they are; the scaled ones lie beside them."""
    install(monkeypatch)
    monkeypatch.setattr(area, "export_design", _copied_design)
    own = {path: path.read_bytes() for path in exported.design_dir.rglob("*") if path.is_file()}
    options = Options(chips=40, engine="batched", judge=0, jobs=1)
    said: list[str] = []
    seen: list[dict[str, Any]] = []
    rows = simulate_areas(exported, options, (4.0, 1.0), lambda *_: None, said.append, seen.append)
    assert [row["area_scale"] for row in rows] == [1.0, 4.0]
    assert [row["plan"] for row in rows] == ["mc", "mc_area4"] == [f["plan"] for f in seen]
    for row, figures in zip(rows, seen, strict=True):
        assert {name: figures.get(name) for name in COPIED} == {name: row[name] for name in COPIED}
        assert row["samples_ok"] + row["samples_failed"] == 40
    tables = [pd.read_parquet(exported.sim_dir(row["plan"]) / "samples.parquet") for row in rows]
    # The same chips on the same clips.
    pd.testing.assert_frame_equal(
        tables[0][["sample", "chip_seed", "clip"]], tables[1][["sample", "chip_seed", "clip"]]
    )
    stored = read_json(exported.sim_dir("area_scale.json"), "areas")
    assert stored == rows
    table = pd.read_parquet(exported.sim_dir("area_scale.parquet"))
    assert table["vote_agreement_low"].tolist() == [r["vote_agreement_interval"][0] for r in rows]
    assert own == {
        path: path.read_bytes() for path in exported.design_dir.rglob("*") if path.is_file()
    }
    scaled = replace(exported, variant=variant_of(4.0))
    assert load_exported(scaled).hardware.unit_l_m == 2e-5
    # It is there now: made again only if what it was made from changes.
    scaled_run(exported, 4.0, None, said.append)
    assert sum("mapping the network" in text for text in said) == 1
    # Damaged, it is made again, for no other command would.
    (scaled.design_dir / "design.json").write_text("{")
    scaled_run(exported, 4.0, None, said.append)
    assert load_exported(scaled).hardware.unit_l_m == 2e-5
    assert sum("mapping the network" in text for text in said) == 2


@pytest.mark.ngspice
def test_process_variation_is_a_plan_of_its_own(
    exported: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    options = Options(chips=40, engine="batched", judge=0, jobs=1)
    plain = simulate(exported, options)
    varied = simulate(exported, replace(options, process=True))
    assert (plain["plan"], varied["plan"]) == ("mc", "mc_process")
    plans = [
        read_json(exported.sim_dir(name) / "plan.json", "plan") for name in ("mc", "mc_process")
    ]
    assert plans[0]["digest"] != plans[1]["digest"]
    assert [plan["varied"]["process"] for plan in plans] == [False, True]
    tables = [
        pd.read_parquet(exported.sim_dir(p) / "samples.parquet") for p in ("mc", "mc_process")
    ]
    # The same chips by name, on other wafers.
    assert tables[0]["chip_seed"].equals(tables[1]["chip_seed"])
    assert not tables[0]["status"].equals(tables[1]["status"])
