"""What ``simulate --mc`` learns of drawn chips, with real devices and either engine."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from codesign.circuit.export import export_design
from codesign.circuit.flat import read_flat_network
from codesign.cli.main import main
from codesign.engine import batched
from codesign.engine.graph import Unsupported
from codesign.pdk import find_pdk
from codesign.runs import Run
from codesign.simulation import drawn_chips
from codesign.simulation.confirm import confirm_slopes
from codesign.simulation.drawn_chips import TABLES
from codesign.simulation.run import Options, simulate
from codesign.simulation.sensitivity import measure_clip, one_at_a_time
from codesign.simulation.setting import set_up
from tests.engine.circuits import need_compiler
from tests.trained import made_up_run

pytestmark = pytest.mark.ngspice

CHIPS = 60
# On the first clip the engines' nominal logits differ by 1 %: a ReLU of this network ends there
# with next to no current, and the slope is that of a corner. On the second they agree to 0.1 %.
CLIP = 1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    need_compiler()
    run = made_up_run(tmp_path_factory.mktemp("run") / "small", seed=14)
    export_design(run)
    return run


@pytest.fixture(scope="module")
def figures(run: Run) -> dict[str, Any]:
    options = Options(chips=CHIPS, clips=2, engine="batched", jobs=2, judge=0, fresh=True)
    return simulate(run, options)


def _table(run: Run, name: str) -> pd.DataFrame:
    return pd.read_parquet(run.sim_dir("mc") / f"{name}.parquet")


def test_all_tables_and_figures_come_by_default(run: Run, figures: dict[str, Any]) -> None:
    assert (figures["chip_analysis"], figures["chip_analysis_corner"]) == ("done", "typical")
    sensitivity = _table(run, "sensitivity")
    pdk = find_pdk("gf180mcu")
    transistors = len(read_flat_network(run.design_dir, pdk.nmos, pdk.pmos).mosfets)
    assert figures["sensitivity_devices"] == transistors
    assert sensitivity.groupby("clip_id").size().eq(2 * transistors).all()
    assert len(figures["sensitivity_clips"]) == sensitivity["clip_id"].nunique() == 2
    for clip in figures["sensitivity_clips"]:
        assert clip["chips"] == CHIPS
        assert sum(role["part"] for role in clip["roles"]) == pytest.approx(1.0)
    assert _table(run, "worst_chips")["chip"].nunique() == len(figures["worst_chips"]) == 10
    two = _table(run, "twosample")
    assert set(two["n_transistors"]) == set(two["n_twin"]) == {CHIPS}
    assert figures["twin_stands_in"] in ("yes", "within limits", "no")
    assert figures["twin_decisions_compared"] == 2 * CHIPS
    assert _table(run, "suppression_chips")["chip"].nunique() == CHIPS


def test_each_chip_is_compared_with_its_own_twin(run: Run, figures: dict[str, Any]) -> None:
    """The same draws give the same candidates; margins too, where no state of this network, which
    has no room about its thresholds, decides otherwise."""
    rows = _table(run, "twosample")
    first = rows[rows["quantity"].str.startswith("candidate layers.0")]
    assert len(first) >= 2
    assert (first["paired_correlation"] > 0.99).all()
    assert (first["paired_error_rms"] < 0.1 * first["std_transistors"]).all()
    assert (rows.loc[rows["quantity"] == "margin", "paired_correlation"] > 0.8).all()


def test_samples_of_ngspice_are_analysed_too(
    run: Run, figures: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    part = Options(chips=3, engine="ngspice", jobs=2, judge=0, sensitivity=1, fresh=True)
    found = simulate(run, part, say=said.append)
    assert (found["engine"], found["chip_analysis"]) == ("ngspice", "done")
    assert found["sensitivity_clips"][0]["chips"] == 3
    assert all((run.sim_dir("mc") / name).is_file() for name in TABLES)

    def refuse(*_: object, **__: object) -> None:
        raise Unsupported("a loop of nine nodes")

    monkeypatch.setattr(batched.BatchedEngine, "prepare", refuse)
    found = simulate(run, part, say=said.append)
    assert "a loop of nine nodes" in found["chip_analysis"]
    assert "not available: the batched engine cannot be used here: a loop" in said[-1]
    assert not any((run.sim_dir("mc") / name).exists() for name in TABLES)


def test_few_chips_a_range_and_a_small_budget(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    quick: dict[str, Any] = {"engine": "batched", "jobs": 2, "judge": 0}
    few = simulate(run, Options(chips=10, **quick))
    assert few["chip_analysis"].startswith("fewer than 50 chips")
    assert "sensitivity_clips" not in few
    monkeypatch.setattr(drawn_chips, "WORK", 0)
    said: list[str] = []
    ranged = simulate(run, Options(chips=CHIPS, samples=(10, 30), **quick), say=said.append)
    assert any("--sensitivity 1 measures it" in text for text in said)
    assert not (run.sim_dir("mc") / "sensitivity.parquet").exists()
    assert ranged["twin_chips"] == 20  # on one clip, though nothing else was measured


def test_the_design_s_own_corner_is_needed(run: Run) -> None:
    options = Options(chips=1, corners=("ff",), engine="ngspice", jobs=1, sensitivity=1)
    found = simulate(run, options)
    assert found["chip_analysis"] == "the plan does not have the design's own corner, typical"


def test_the_option_is_about_chips(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(run.path), "--sensitivity", "1"]) == 2
    assert "--sensitivity is about chips with mismatch" in capsys.readouterr().err
    assert main(["simulate", str(run.path), "--corners", "--sensitivity", "1"]) == 2
    assert "--sensitivity and --corners do not go together" in capsys.readouterr().err


def test_ngspice_confirms_the_slopes(run: Run, figures: dict[str, Any], tmp_path: Path) -> None:
    """Two sigma either way, in both engines: of the devices that matter most three on which the
    margin depends along a straight line (at a ReLU's corner the slope is the step's)."""
    assert figures["chip_analysis"] == "done"
    setting = set_up(run, Options(chips=CHIPS, clips=2, jobs=1))
    probe, reason = drawn_chips.make_probe(setting, None, lambda _: None)
    assert probe is not None, reason
    table = measure_clip(probe, CLIP)
    vth = table[table["parameter"] == "vth"].head(20)
    index = np.array([probe.engine.instances.index(name) for name in vth["device"]])
    none = np.zeros_like(index)
    wide = [
        one_at_a_time(probe, CLIP, index, none, np.full(len(index), 2.0 * way), probe.sigma())
        for way in (-1, 1)
    ]
    slope = (wide[1].margin_units - wide[0].margin_units) / 4.0
    straight = np.abs(slope / vth["slope_units_per_sigma"].to_numpy() - 1) < 0.01
    top = vth["device"].to_numpy(object)[straight][:3]
    assert len(top) == 3
    for found in confirm_slopes(probe, setting.bench, CLIP, top.tolist(), 2.0, tmp_path):
        assert abs(found.ngspice) > 1.0
        assert found.batched == pytest.approx(found.ngspice, rel=0.01)
