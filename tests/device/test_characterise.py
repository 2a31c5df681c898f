"""The sweeps in real ngspice: do they show the physics they are said to show, and agree?"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.cli.main import main
from codesign.device import bench
from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import Calibration, calibrate
from codesign.device.cell_loops import Alteration, CellBias, measure_loops
from codesign.device.characterise import Characterization, characterise
from codesign.device.characterization_files import (
    TARGETS,
    read_characterization,
    write_characterization,
)
from codesign.device.sweeps import leakage, sensitivities
from codesign.errors import InputError
from codesign.flows import HardwareSection
from codesign.pdk import find_pdk
from codesign.report.characterization import render_characterization
from codesign.spice.ngspice import find_ngspice, ngspice_version
from tests.report.pages import Page
from tests.trained import made_up_run

# Both ends of the bias range, and a lower threshold that is a small difference.
CELLS = [(0.1, 0.05, 5.0), (0.6, 0.54, 0.05), (2.0, 1.0, 0.7), (5.0, 2.5, 2.0)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Characterization]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODESIGN_CACHE", str(tmp_path_factory.mktemp("cache")))
        ngspice = find_ngspice()
        section = HardwareSection()
        point = ProcessPoint(find_pdk(section.pdk), section, ngspice, ngspice_version(ngspice))
        yield characterise(calibrate(point), CELLS)


@pytest.mark.ngspice
def test_weights_and_cells_meet_their_targets(measured: Characterization) -> None:
    for name, (limit, what) in TARGETS.items():
        assert measured.figures[name] <= limit, what
    program = measured.sweeps["cell_program"].table
    assert len(program) == len(CELLS)
    np.testing.assert_allclose(program["beta_hi_target_units"], [cell[0] for cell in CELLS])
    # Measured, not copied: a value on the layout grid is never exactly its target.
    assert (program[["beta_hi_error", "width_error", "alpha_error"]].abs() > 0).all(axis=None)
    assert program["beta_lo_error"].abs().max() < 0.005


@pytest.mark.ngspice
def test_every_weight_and_destination_is_there(measured: Characterization) -> None:
    table = measured.sweeps["unit_ratio"].table
    assert set(table["temperature_c"]) == {-20.0, 27.0, 85.0}
    assert set(table["m"]) == set(range(1, 33))
    assert table["kind"].nunique() == 5
    assert len(table) == 3 * 32 * 5
    np.testing.assert_allclose(table["output_units"], table["m"] / 8, rtol=0.01)


@pytest.mark.ngspice
def test_a_copy_saturates_and_then_rises(measured: Characterization) -> None:
    table = measured.sweeps["mirror_transfer"].table
    assert table["input_a"].min() == pytest.approx(5e-11, rel=1e-3)
    assert table["input_a"].max() == pytest.approx(2e-8, rel=1e-3)
    assert (table.loc[table["drain_v"] == 0, "gain"].abs() < 1e-3).all()
    saturated = table[table["drain_v"] >= 0.3]
    for _, curve in saturated.groupby(["polarity", "device", saturated["input_a"].round(14)]):
        assert (np.diff(curve["gain"]) > 0).all()
    figures = measured.figures
    for device in ("unit", "cell"):
        slopes = [
            figures[f"{polarity}_{device}_output_conductance_percent_per_v"]
            for polarity in ("nmos", "pmos")
        ]
        assert 0 < slopes[1] < slopes[0] < 6


@pytest.mark.ngspice
def test_a_time_constant_is_c_n_vt_over_i(measured: Characterization) -> None:
    table = measured.sweeps["time_constant"].table
    # The transient's capacitance against that of the terminals' small-signal currents.
    np.testing.assert_allclose(table["small_signal_f"], table["capacitance_f"], rtol=0.08)
    for _, line in table.groupby("polarity"):
        charge = line["tau_s"] * line["current_a"]
        assert line["tau_s"].max() / line["tau_s"].min() > 50
        assert charge.max() / charge.min() < 1.4
        # The tail knows the line, not the current it came from; and it is the charge C n V_T.
        assert line["tail_charge_c"].max() / line["tail_charge_c"].min() < 1.06
        smallest = line.iloc[int(line["current_a"].argmin())]
        assert smallest["tail_charge_c"] == pytest.approx(smallest["charge_c"], rel=0.1)


@pytest.mark.ngspice
def test_the_tail_falls_as_one_over_t(measured: Characterization) -> None:
    tails = measured.sweeps["discharge"].table
    for _, tail in tails.groupby(["polarity", "start_a"]):
        late = tail[tail["current_a"] < 0.02 * tail["start_a"]]
        slope = np.polyfit(np.log(late["time_s"]), np.log(late["current_a"]), 1)[0]
        assert slope == pytest.approx(-1, abs=0.05)


@pytest.mark.ngspice
def test_gmin_is_told_apart_from_leakage(measured: Characterization) -> None:
    table = measured.sweeps["leakage"].table
    for device, count in (("unit", 8), ("cell", 1), ("switch", 1)):
        part = table[(table["device"] == device) & (table["drain_v"] > 0)]
        # The conductance is across the drain's junction, once per device.
        expected = count * leakage.GMIN_S * part["drain_v"]
        np.testing.assert_allclose(part["gmin_a"], expected, rtol=0.02)
    top = table[table["drain_v"] == table["drain_v"].max()]
    for _, device in top.groupby(["polarity", "device"]):
        assert (np.diff(device.sort_values("temperature_c")["leakage_a"]) > 0).all()


@pytest.mark.ngspice
def test_mirror_sensitivities_are_those_of_weak_inversion(measured: Characterization) -> None:
    table = measured.sweeps["mirror_sensitivity"].table
    thermal = 8.617e-5 * 300.15
    np.testing.assert_allclose(table["dlni_dlnmulu0"], 1, atol=0.01)
    slope_factor = 1 / (thermal * table["dlni_ddelvto_per_v"].abs())
    assert slope_factor.between(1.2, 2.2).all()
    assert (np.sign(table["dlni_ddelvto_per_v"]) == np.where(table["polarity"] == "n", -1, 1)).all()
    # The slope of the transient's line is the same n, found from a voltage.
    lines = measured.sweeps["time_constant"].table
    line = lines[(lines["polarity"] == "n") & (lines["current_a"] == 5e-11)].iloc[0]
    mirror = table[(table["polarity"] == "n") & (table["device"] == "unit")].iloc[0]
    at_mirror = 1 / (thermal * abs(mirror["dlni_ddelvto_per_v"]))
    assert line["slope_factor"] == pytest.approx(at_mirror, rel=0.05)


@pytest.mark.ngspice
def test_each_transistor_moves_what_it_should(measured: Characterization) -> None:
    table = measured.sweeps["cell_sensitivity"].table.set_index("device")
    threshold, gain = table["dln_beta_hi_ddelvto_per_v"], table["dln_alpha_ddelvto_per_v"]
    # A mirror's two devices cancel: m2 copies mthr, m5 copies mgain.
    assert threshold["m2"] == pytest.approx(-threshold["mthr"], rel=0.02)
    assert gain["m5"] == pytest.approx(-gain["mgain"], rel=0.02)
    assert abs(gain["m2"]) < 1e-3 * abs(threshold["m2"])
    assert abs(threshold["m5"]) < 1e-3 * abs(gain["m5"])
    # A threshold feels m1, m2 and mthr; all else together hardly.
    sigma = table["beta_hi_sigma"]
    three = math.sqrt(sum(sigma[name] ** 2 for name in ("m1", "m2", "mthr")))
    assert measured.figures["cell_beta_hi_sigma"] == pytest.approx(three, rel=0.01)
    assert 0.02 < three < 0.05


@pytest.mark.ngspice
def test_first_order_holds_for_a_change_of_its_own_sigma(measured: Characterization) -> None:
    """A shift of one sigma, measured, against sensitivity times sigma."""
    calibration = measured.calibration
    law, hardware = calibration.point.pdk.mismatch, calibration.point.hardware
    sigma_v = law.sigma_vth_v("nmos", hardware.cell_w_m, hardware.cell_l_m)
    bias = calibration.cell_map.program(*sensitivities.CELL_TARGET)
    nominal, shifted = measure_loops(
        calibration.point,
        calibration.mirrors,
        [bias] * 2,
        altered=[None, Alteration("m2", sigma_v)],
    )
    table = measured.sweeps["cell_sensitivity"].table.set_index("device")
    expected = math.exp(table["dln_beta_hi_ddelvto_per_v"]["m2"] * sigma_v)
    assert shifted.beta_hi_a / nominal.beta_hi_a == pytest.approx(expected, abs=2e-4)
    assert expected < 0.99


@pytest.mark.ngspice
def test_a_transistor_a_cell_does_not_have_is_refused(measured: Characterization) -> None:
    calibration = measured.calibration
    with pytest.raises(ValueError, match="no transistor 'm99'"):
        measure_loops(
            calibration.point, calibration.mirrors, [CellBias(1, 0.5, 1)],
            altered=[Alteration("m99", 1e-3)],
        )  # fmt: skip


@pytest.mark.ngspice
def test_the_second_time_nothing_is_measured(
    measured: Characterization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_ngspice(*_: object, **__: object) -> None:
        raise AssertionError("ngspice was run")

    monkeypatch.setattr(bench, "run_text", no_ngspice)
    again = characterise(measured.calibration, CELLS)
    assert again.key == measured.key
    assert again.figures == measured.figures
    for name, sweep in measured.sweeps.items():
        assert again.sweeps[name].table.equals(sweep.table), name
    colder = measured.calibration.point.hardware.model_copy(update={"temperature_c": 0.0})
    other: Calibration = replace(
        measured.calibration, point=replace(measured.calibration.point, hardware=colder)
    )
    with pytest.raises(AssertionError, match="ngspice was run"):
        characterise(other, CELLS)


@pytest.mark.ngspice
def test_what_is_written_is_what_was_measured(measured: Characterization, tmp_path: Path) -> None:
    facts = write_characterization(tmp_path, measured, {"time_utc": "2026-01-01T00:00:00+00:00"})
    stored = read_characterization(tmp_path)
    assert stored.facts == facts
    assert facts["figures"] == measured.figures
    assert facts["hash"] == measured.key
    for name, sweep in measured.sweeps.items():
        assert stored.tables[name].equals(sweep.table), name
        # A number without a unit in its name is a count, a ratio or a name.
        plain = {"m", "readers", "gain", "error", "polarity", "device", "kind"}
        for column in sweep.table.columns:
            assert column in plain or column.endswith(UNITS), f"{name}.{column}"
    html = render_characterization(stored)
    page = Page(html)
    assert html == render_characterization(stored)
    assert "All targets met" in page.text("verdict")
    assert {"weights", "cells", "mirrors", "range", "time", "leakage", "mismatch", "noise"} <= {
        element.attributes.get("id") for element in page.all("section")
    }
    assert not re.search(r">[^<]*\bnan\b[^<]*<", html)
    for outside in ("http://", "https://", "src=", "url(http"):
        assert outside not in html


UNITS = (
    "_a", "_v", "_s", "_f", "_c", "_hz", "_units", "_a2_per_hz", "_per_v", "_dlnmulu0", "_sigma",
    "_error", "_gain", "_factor", "sigma_mulu0",
)  # fmt: skip


@pytest.mark.ngspice
def test_damaged_files_are_told(measured: Characterization, tmp_path: Path) -> None:
    write_characterization(tmp_path, measured, {})
    table = tmp_path / "leakage.parquet"
    table.write_bytes(table.read_bytes()[:100])
    with pytest.raises(InputError, match=r"leakage\.parquet"):
        read_characterization(tmp_path)
    (tmp_path / "characterization.json").write_text('{"schema": 0}')
    with pytest.raises(InputError, match="schema"):
        read_characterization(tmp_path)


@pytest.mark.ngspice
@pytest.mark.usefixtures("measured")
def test_the_command_measures_the_cells_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made_up_run(tmp_path / "run")
    out = tmp_path / "out"
    assert main(["characterize", str(run.path), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(out / "characterization.html")
    assert printed.err.count("met ") == 4
    facts = json.loads((out / "characterization.json").read_text())
    assert facts["run"] == "run"
    assert facts["figures"]["cells_programmed"] == 4
    assert all(target["met"] for target in facts["targets"].values())
    for name in facts["tables"]:
        assert (out / f"{name}.parquet").is_file()
