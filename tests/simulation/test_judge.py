"""ngspice judges a batched engine: the same engine passes, another one fails loudly."""

import json
import shutil
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from codesign.circuit.export import export_design
from codesign.circuit.testbench import EXACT_OPTIONS
from codesign.cli.main import main
from codesign.runs import Run
from codesign.simulation.draws import Draws, draw_mismatch
from codesign.simulation.run import simulate
from codesign.simulation.sample import Job, run_sample, shard_path
from codesign.simulation.setting import Options, set_up
from codesign.simulation.traces import Traces, join, read_traces
from tests.simulation.fakes import FakeResult, install, stamps, stepped_waves
from tests.trained import made_up_run

pytestmark = pytest.mark.ngspice

CHIPS = 3


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_up_run(tmp_path_factory.mktemp("run") / "small")
    export_design(run)
    return run


@dataclass
class Answers:
    """An engine that has ngspice's own answers, bent on purpose.

    Chips are told by their first draw. ``error`` bends currents; ``flip`` turns the last state of
    layer 1, unit 0 over: always, or while no device was changed (which makes it marginal).
    """

    instances: tuple[str, ...]
    traces: dict[float, Traces]
    mulu0: dict[float, NDArray[np.float64]]
    error: float = 0.0
    power_error: float = 0.0
    flip: str = ""
    key: str = "answers"

    def run(
        self, _inputs: object, clip: NDArray[np.int64], draws: Draws | None,
        chip: NDArray[np.int64], *, threads: int, waves: int = 0,
    ) -> FakeResult:  # fmt: skip
        assert threads >= 1
        found = []
        for row in chip:
            name = 0.0 if draws is None else float(draws.delvto_v[row, 0])
            changed = draws is not None and bool((draws.mulu0[row] != self.mulu0[name]).any())
            traces = self.traces[name]
            states = traces.states_a.copy()
            if self.flip == "always" or (self.flip == "marginal" and not changed):
                states[0, 1, 0, -1] = 2e-9 - states[0, 1, 0, -1]
            found.append(replace(traces, states_a=states))
        whole = join(found)
        return FakeResult(
            whole.candidates_a * np.float32(1 + self.error), whole.states_a, whole.logits_a,
            # The engine knows the network alone; the strobe generator is counted by the plan.
            whole.power_w[:, :3] * (1 + self.power_error), whole.status, whole.message, 0.01,
        )  # fmt: skip

    def waves_of(self, result: FakeResult, row: int) -> pd.DataFrame:
        return stepped_waves(result, row)


@pytest.fixture(scope="module")
def truth(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """ngspice's traces of the chips of the plan, and of the nominal one."""
    folder = tmp_path_factory.mktemp("truth")
    for part in ("shards", "logs", "work"):
        (folder / part).mkdir()
    setting = set_up(run, Options(chips=CHIPS, clips=1))
    bench = replace(setting.bench, options=EXACT_OPTIONS)
    mosfets = bench.network.mosfets
    traces, mulu0 = {}, {}
    for planned in (setting.plan.nominal(), *map(setting.plan.sample, range(CHIPS))):
        inputs = setting.inputs_units()[planned.clip]
        assert run_sample(Job(bench, planned, inputs, folder, False)) == "ok"
        seeds = [] if planned.chip_seed is None else [planned.chip_seed]
        draws = draw_mismatch(mosfets, bench.law, seeds)
        first = float(draws.delvto_v[0, 0]) if seeds else 0.0
        mulu0[first] = draws.mulu0[0] if seeds else np.ones(len(mosfets))
        found = read_traces(shard_path(folder, planned.sample))
        assert found is not None
        traces[first] = found
    return Answers(tuple(device.name for device in mosfets), traces, mulu0)


def _prepared(monkeypatch: pytest.MonkeyPatch, engine: Answers) -> None:
    class Ready:
        @classmethod
        def prepare(cls, *_: Any, **__: Any) -> Answers:
            return engine

    install(monkeypatch, Ready)


def _judged(run: Run, judge: int = 4) -> dict[str, Any]:
    options = Options(chips=CHIPS, engine="batched", judge=judge, jobs=2)
    figures = simulate(run, options)
    written = json.loads((run.sim_dir("mc") / "summary.json").read_text())
    assert {name: written[name] for name in written if name.startswith("judge")} == {
        name: figures[name] for name in figures if name.startswith("judge")
    }
    return figures


def test_the_same_answers_pass(run: Run, truth: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    _prepared(monkeypatch, truth)
    figures = _judged(run)
    assert figures["judge_verdict"] == "pass"
    assert figures["judge_samples"] == figures["judge_samples_compared"] == 4
    assert figures["judge_candidate_error_rms_relative"] == 0
    assert figures["judge_states_compared"] == 4 * 2 * 2 * 3
    assert figures["judge_states_differing"] == figures["judge_decisions_differing"] == 0
    folder = run.sim_dir("mc")
    rows = pd.read_parquet(folder / "judge.parquet")
    assert rows["stratum"].tolist() == ["nominal", "random", "closest", "closest"]
    assert sorted(rows["sample"]) == [-1, 0, 1, 2]
    samples = pd.read_parquet(folder / "samples.parquet")
    margins = samples.set_index("sample")["chip_margin_units"]
    assert rows["sample"].tolist()[2:] == margins.sort_values().index.tolist()[:2]
    stored = json.loads((folder / "judge.json").read_text())
    assert stored["judge_verdict"] == "pass"
    assert stored["tolerances"]["candidate_error_rms_relative"] == 2e-3
    # Again: ngspice's part is kept, and two samples are enough if two are asked for.
    before = stamps(folder / "judge" / "shards")
    assert _judged(run, judge=2)["judge_samples"] == 2
    assert stamps(folder / "judge" / "shards") == before


@pytest.mark.parametrize(
    ("bent", "verdict", "reason"),
    [
        ({"error": 5e-4}, "pass", ""),
        ({"error": 3e-3}, "fail", "candidates' rms error 0.003 is above 0.002"),
        ({"power_error": -5e-3}, "fail", "power's error 0.005 is above 0.004"),
        ({"flip": "always"}, "fail", "no small change of a mirror explains"),
        ({"flip": "marginal"}, "pass", ""),
    ],
)
def test_what_is_beyond_tolerance_fails(
    run: Run, truth: Answers, monkeypatch: pytest.MonkeyPatch,
    bent: dict[str, Any], verdict: str, reason: str,
) -> None:  # fmt: skip
    _prepared(monkeypatch, replace(truth, key=str(bent), **bent))
    figures = _judged(run)
    assert (figures["judge_verdict"], len(figures["judge_reasons"])) == (verdict, bool(reason))
    assert reason in "; ".join(figures["judge_reasons"])
    differing = 4 if "flip" in bent else 0
    assert figures["judge_states_differing"] == differing
    assert figures["judge_states_marginal"] == (differing if bent.get("flip") == "marginal" else 0)


def test_the_command_fails_loudly(
    run: Run, truth: Answers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _prepared(monkeypatch, replace(truth, key="bent", error=0.01))
    arguments = ["simulate", str(run.path), "--mc", str(CHIPS), "--engine", "batched"]
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "judge: FAIL: 4 of 4 samples compared with ngspice" in printed.err
    assert "codesign: The batched engine does not agree with ngspice" in printed.err
    assert printed.out.strip() == str(run.sim_dir("mc"))
    assert main([*arguments, "--judge", "0"]) == 0
    assert "judge: NOT RUN (--judge 0)" in capsys.readouterr().err
    summary = json.loads((run.sim_dir("mc") / "summary.json").read_text())
    assert (summary["judge_verdict"], summary["verdict"]) == ("skipped", "fail")


def test_a_sample_ngspice_cannot_finish_is_not_a_pass(
    run: Run, truth: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    _prepared(monkeypatch, truth)
    shutil.rmtree(run.sim_dir("mc"), ignore_errors=True)
    options = Options(chips=CHIPS, engine="batched", jobs=2, timeout_s=1e-3)
    figures = simulate(run, options)
    assert figures["judge_verdict"] == "fail"
    assert figures["judge_reasons"] == ["no sample ended well in both engines"]
    rows = pd.read_parquet(run.sim_dir("mc") / "judge.parquet")
    assert set(rows["status_ngspice"]) == {"timeout"}
    assert all((run.sim_dir("mc") / log).is_file() for log in rows["log_ngspice"])
