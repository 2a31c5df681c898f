"""Samples on a Dask cluster: equal to those of local workers, a killed worker included."""

import sys
from pathlib import Path

import pandas as pd
import pytest

from codesign.circuit.export import export_design
from codesign.errors import EnvironmentMissing, InputError
from codesign.runs import Run
from codesign.simulation.cluster import check_scheduler, cluster_workers
from codesign.simulation.execution_options import ExecutionOptions
from codesign.simulation.manifest import value_digest
from codesign.simulation.run import Options, simulate
from tests.simulation.fake_ngspice import install
from tests.trained import made_up_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_up_run(tmp_path_factory.mktemp("run") / "small")
    export_design(run)
    return run


def _options(scheduler: str | None) -> Options:
    return Options(
        chips=8, engine="ngspice", jobs=2, sensitivity=0, fresh=True,
        execution=ExecutionOptions(scheduler=scheduler),
    )  # fmt: skip


@pytest.mark.ngspice
def test_a_worker_killed_on_a_cluster_costs_no_sample(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    fake = install(monkeypatch, tmp_path)
    simulate(run, _options(None))
    tables = ("samples", "states", "logits", "units", "roots")
    expected = [value_digest(run.sim_dir("mc") / f"{name}.parquet") for name in tables]
    # At its first run sample 3 kills the worker that runs it.
    fake.set({3: ["worker", "ok"], 5: ["kill", "ok"]})
    said: list[str] = []
    figures = simulate(run, _options("local:2"), say=said.append)
    found = [value_digest(run.sim_dir("mc") / f"{name}.parquet") for name in tables]
    assert found == expected
    assert fake.runs()[3] == fake.runs()[5] == 2
    assert figures["samples_retried"] == 1  # a sample is not to blame for a worker's death
    timings = pd.read_parquet(run.sim_dir("mc") / "timings.parquet")
    assert timings["attempts"].tolist() == [1, 1, 1, 1, 1, 2, 1, 1]
    assert any(text.startswith("Dask: 2 samples at a time") for text in said)


@pytest.mark.ngspice
def test_the_batched_engine_takes_no_scheduler(run: Run) -> None:
    options = Options(chips=8, engine="batched", execution=ExecutionOptions(scheduler="local"))
    with pytest.raises(InputError, match=r"--scheduler is for ngspice.*--engine ngspice"):
        simulate(run, options)


@pytest.mark.parametrize("scheduler", ["here", "tcp://host", "local:0", "local:x", "host:8786"])
def test_what_is_no_scheduler_is_refused(scheduler: str) -> None:
    with pytest.raises(InputError, match=f"--scheduler {scheduler}: give the address"):
        check_scheduler(scheduler)


def test_without_dask_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(EnvironmentMissing, match=r"pip install 'codesign\[cluster\]'") as raised,
        cluster_workers("local", 1, tmp_path, print),
    ):
        pass
    assert raised.value.exit_code == 3


def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("codesign.simulation.cluster._ANSWERS_WITHIN_S", 0.5)
    with (
        pytest.raises(
            EnvironmentMissing, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"
        ),
        cluster_workers("tcp://127.0.0.1:9", 1, tmp_path, print),
    ):
        pass
