"""A batched engine behind the interface: plans of chips, groups, subsets, and falling back."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from codesign.circuit.export import export_design
from codesign.errors import EnvironmentMissing, InputError
from codesign.files import read_json
from codesign.runs import Run
from codesign.simulation import engines
from codesign.simulation.run import simulate
from codesign.simulation.setting import Options
from tests.simulation.fakes import FakeEngine, UnsupportedDesign, install, stamps
from tests.trained import made_up_run

pytestmark = pytest.mark.ngspice

CHIPS = 150


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_up_run(tmp_path_factory.mktemp("run") / "small")
    export_design(run)
    return run


@pytest.fixture(autouse=True)
def groups_of_64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "GROUP", 64)


def _batched(run: Run, **changes: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"chips": CHIPS, "engine": "batched", "judge": 0, "jobs": 1}
    return simulate(run, Options(**options | {"sensitivity": 0} | changes))


def _samples(run: Run) -> pd.DataFrame:
    return pd.read_parquet(run.sim_dir("mc") / "samples.parquet")


def test_chips_with_clips(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = install(monkeypatch)
    figures = _batched(run, clips=2, fresh=True)
    assert figures["samples_total"] == figures["plan_samples"] == 2 * CHIPS
    assert figures["samples_ok"] + figures["samples_failed"] == 2 * CHIPS
    assert figures["judge_verdict"] == "skipped"
    assert figures["verdict"] == "fail"
    assert made[0].calls == [64, 64, 64, 64, 44]
    table = _samples(run)
    assert table["chip"].tolist() == [k // 2 for k in range(2 * CHIPS)]
    assert table.groupby("chip")["chip_seed"].nunique().eq(1).all()
    assert table["chip_seed"].nunique() == CHIPS
    assert table.groupby(table["sample"] % 2)["clip"].nunique().tolist() == [1, 1]
    failed = table[table["status"] != "ok"]
    assert figures["samples_failed"] == len(failed) > 0
    assert set(failed["status"]) == {"range"}
    assert failed["message"].str.contains("fitted range").all()
    assert failed[["mean_power_w", "chip_margin_units"]].isna().all(axis=None)
    ok = table[table["status"] == "ok"]
    right = (ok["chip_decision"] == ok["label"]).astype(float).groupby(ok["chip"]).mean()
    assert figures["chips"] == len(right)
    assert figures["accuracy_chip_mean"] == pytest.approx(right.mean())
    assert figures["accuracy_chip_min"] == pytest.approx(right.min())
    assert figures["accuracy_chip_p5"] == pytest.approx(np.quantile(right, 0.05))
    agreeing = ok["agree"].astype(bool).groupby(ok["chip"]).all().sum()
    assert figures["chips_all_decisions_agreeing"] == agreeing
    plan = read_json(run.sim_dir("mc") / "plan.json", "plan")
    assert plan["samples_total"] == 2 * CHIPS
    assert plan["engine"] == "batched fake 1"


def test_a_range_of_samples_equals_the_whole(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    _batched(run, fresh=True)
    whole = _samples(run)
    made = install(monkeypatch)
    figures = _batched(run, samples=(60, 70), fresh=True)
    assert (figures["samples_total"], figures["plan_samples"]) == (10, CHIPS)
    assert made[0].calls == [64, 64]
    part = _samples(run)
    pd.testing.assert_frame_equal(part, whole.iloc[60:70].reset_index(drop=True))
    again = install(monkeypatch)
    _batched(run)
    assert again[0].calls == [CHIPS - 128]
    pd.testing.assert_frame_equal(_samples(run), whole)


def test_more_chips_leave_the_first_ones_as_they_were(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    _batched(run, fresh=True)
    before, first = stamps(run.sim_dir("mc") / "groups"), _samples(run)
    made = install(monkeypatch)
    _batched(run, chips=CHIPS + 20)
    assert made[0].calls == [CHIPS + 20 - 128]
    after = stamps(run.sim_dir("mc") / "groups")
    assert [name for name in before if before[name] != after[name]] == ["group-00002.parquet"]
    pd.testing.assert_frame_equal(_samples(run).iloc[:CHIPS], first)


def test_another_fit_is_another_result(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another version of the engine left is not taken for this one's."""
    install(monkeypatch)
    _batched(run, fresh=True)

    class Newer(FakeEngine):
        @classmethod
        def prepare(cls, *arguments: Any, **keywords: Any) -> FakeEngine:
            engine = FakeEngine.prepare(*arguments, **keywords)
            engine.key = "fake 2"
            return engine

    made = install(monkeypatch, Newer)
    _batched(run)
    assert sum(made[0].calls) == CHIPS


def test_large_plans_keep_what_differs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    figures = _batched(run, fresh=True)
    folder = run.sim_dir("mc")
    assert figures["states_in_table"] == figures["logits_in_table"] == "all"
    states = pd.read_parquet(folder / "states.parquet")
    assert len(states) == figures["state_count"]
    units = pd.read_parquet(folder / "units.parquet")
    monkeypatch.setattr("codesign.simulation.results.STATE_ROWS", 700)
    monkeypatch.setattr("codesign.simulation.results._BLOCK_STATES", 100)
    small = _batched(run)
    exact = {"states_in_table", "logits_in_table", "wall_s", "seconds_per_sample"}
    exact |= {name for name in figures if name.startswith("peak_memory")}
    for name in figures.keys() - exact:
        same = pytest.approx(figures[name]) if isinstance(figures[name], float) else figures[name]
        assert small[name] == same, name
    differing = pd.read_parquet(folder / "states.parquet")
    assert small["states_in_table"].startswith("differing")
    kept = states[~states["agree"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(differing, kept.iloc[:700])
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "units.parquet"), units)
    assert units["pairs"].sum() == figures["state_count"]
    assert units["differing"].sum() == len(kept)


def test_auto_takes_ngspice_for_few_samples_and_batched_for_many(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = install(monkeypatch)
    simulate(run, Options(clips=1, judge=0))
    assert made == []
    said: list[str] = []
    simulate(run, Options(chips=65, judge=0, jobs=1, sensitivity=0), say=said.append)
    assert len(made) == 1
    assert said == ["preparing the fake"]


@pytest.mark.parametrize(
    "reason",
    [UnsupportedDesign("a loop the engine does not know"), EnvironmentMissing("no compiler")],
)
def test_auto_falls_back_with_the_reason_and_batched_does_not(
    run: Run, monkeypatch: pytest.MonkeyPatch, reason: Exception
) -> None:
    class Refusing:
        @classmethod
        def prepare(cls, *_: Any, **__: Any) -> None:
            raise reason

    install(monkeypatch, Refusing)
    monkeypatch.setattr(engines, "NGSPICE_UP_TO", 1)
    said: list[str] = []
    figures = simulate(run, Options(chips=2, jobs=2, fresh=True), say=said.append)
    assert len(said) == 1
    assert "ngspice" in said[0]
    assert str(reason) in said[0]
    assert figures["samples_ok"] == 2
    assert "judge_verdict" not in figures
    with pytest.raises(type(reason), match=str(reason)):
        simulate(run, Options(chips=2, engine="batched"))
    # Refused before anything was touched.
    assert (run.sim_dir("mc") / "summary.json").is_file()


def test_two_ngspice_chips_differ_from_each_other_and_continue(run: Run) -> None:
    options = Options(chips=2, engine="ngspice", jobs=2, fresh=True)
    figures = simulate(run, options)
    assert figures["chips"] == 2
    shards = run.sim_dir("mc") / "shards"
    before, table = stamps(shards), _samples(run)
    assert table["mean_power_w"].nunique() == 2
    simulate(run, Options(chips=3, engine="ngspice", jobs=2, samples=(1, 3)))
    after = stamps(shards)
    assert {name: after[name] for name in before} == before
    assert len(after) == 3
    pd.testing.assert_frame_equal(_samples(run).iloc[:1], table.iloc[1:].reset_index(drop=True))


def test_a_damaged_group_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    _batched(run, fresh=True)
    path = run.sim_dir("mc") / "groups" / "group-00001.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"group-00001\.parquet is damaged"):
        _batched(run)


def test_the_nominal_chip_in_batches_is_judged_too(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equations are not transistors: what stands in for the engine here is found out."""
    install(monkeypatch)
    figures = simulate(run, Options(clips=3, engine="batched", judge=2, jobs=2))
    assert (figures["engine"], figures["samples_ok"]) == ("batched", 3)
    assert figures["judge_samples_compared"] == 2
    assert figures["judge_verdict"] == "fail"
    assert 1e-3 < figures["judge_candidate_error_rms_relative"] < 0.1
    rows = pd.read_parquet(run.sim_dir() / "judge.parquet")
    assert rows["stratum"].tolist() == ["nominal", "closest"]
    assert rows["sample"].tolist()[0] == 0
    assert rows["chip"].isna().all()
