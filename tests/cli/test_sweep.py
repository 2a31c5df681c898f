"""``codesign sweep`` as typed: runs, ranking, resumption, refusals, failures, interruption."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from codesign.cli.main import main
from codesign.flows import Flow
from codesign.runs import Run
from codesign.training import is_finished, train

SHORT = ["--set", "training.steps=20", "--set", "training.evaluate_every=10",
         "--set", "training.starts=2"]  # fmt: skip
GRID = ["sweep", "digits", "--over", "network.state_dim=2,3", "--seeds", "2", "--jobs", "1", *SHORT]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.glob("*/model.safetensors")}


def test_a_sweep_ranks_by_validation_and_takes_finished_runs(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*GRID, "--run", "s"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "s\n"
    folder = elsewhere / "s"
    runs = pd.read_parquet(folder / "runs.parquet")
    assert runs["run"].tolist() == [f"state_dim-{d}_seed-{seed}" for d in (2, 3) for seed in (0, 1)]
    for row in runs.to_dict("records"):
        run = Run(folder / row["run"])
        assert is_finished(run)
        assert run.flow().network.state_dim == row["network.state_dim"]
        assert run.flow().seed == row["seed"]
        metrics = json.loads(run.metrics_file.read_text())
        for split in ("validation", "test"):
            figure = metrics["splits"][split]["balanced_accuracy"]
            assert row[f"{split}_balanced_accuracy"] == figure
    board = pd.read_parquet(folder / "leaderboard.parquet")
    means = runs.groupby("network.state_dim")["validation_balanced_accuracy"].mean()
    assert board["network.state_dim"].tolist() == list(means.sort_values(ascending=False).index)
    assert board["rank"].tolist() == [1, 2]
    first = runs[runs["network.state_dim"] == board["network.state_dim"][0]]
    assert board["test_mean"][0] == first["test_balanced_accuracy"].mean()
    assert board["test_worst"][0] == first["test_balanced_accuracy"].min()
    assert "never by test" in " ".join(printed.err.split())
    page = (folder / "sweep.html").read_text()
    assert "never by test" in page
    assert "state_dim-3_seed-1" in page
    assert "2 combinations of 1 key" in page
    assert "1 keys" not in page

    before = written(folder)
    more = [*GRID, "--run", "s"]
    more[more.index("network.state_dim=2,3")] = "network.state_dim=2,3,4"
    assert main(more) == 0
    assert {name: time for name, time in written(folder).items() if name in before} == before
    assert len(written(folder)) == 6
    assert len(pd.read_parquet(folder / "leaderboard.parquet")) == 3

    capsys.readouterr()
    assert main([*GRID, "--run", "s", "--set", "training.learning_rate=0.01"]) == 2
    said = capsys.readouterr().err
    assert "state_dim-2_seed-0 (and 3 more) holds a finished model of a different flow" in said
    assert "--force" in said


def test_a_failed_run_is_reported_and_stops_no_other(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = elsewhere / "s" / "state_dim-2_seed-1"
    assert main([*GRID[:3], "network.state_dim=3", *GRID[4:], "--run", "s"]) == 0
    blocked.write_text("a file where a run folder should be")
    capsys.readouterr()
    assert main([*GRID, "--run", "s"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "state_dim-2_seed-1: " in said
    assert "is a file, not a run folder" in said
    assert "1 of 4 runs failed" in said
    runs = pd.read_parquet(elsewhere / "s" / "runs.parquet").set_index("run")
    assert runs["status"].tolist() == ["trained", "failed", "kept", "kept"]
    board = pd.read_parquet(elsewhere / "s" / "leaderboard.parquet").to_dict("records")
    half = next(row for row in board if row["network.state_dim"] == 2)
    assert (half["finished"], half["failed"]) == (1, 1)
    own = runs.to_dict("index")["state_dim-2_seed-0"]
    assert half["test_mean"] == own["test_balanced_accuracy"]
    assert "is a file, not a run folder" in (elsewhere / "s" / "sweep.html").read_text()
    blocked.unlink()
    assert main([*GRID, "--run", "s"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--over", "network.state_dimm=4,8"], "did you mean 'state_dim'?"),
        (["--over", "network.state_dim=4,x"], "network.state_dim = x"),
        (["--over", "network.state_dim="], "empty value"),
        (["--over", "network.state_dim=4..8"], "--random N"),
        (["--scheduler", "host:1"], "give the address of a Dask scheduler"),
    ],
)
def test_wrong_usage_is_named_before_anything_is_written(
    arguments: list[str], said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "digits", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (elsewhere / "runs").exists()


def test_missing_recordings_are_one_error(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "kws_yes", "--over", "network.state_dim=4,8"]) == 2
    assert "--data" in capsys.readouterr().err
    assert not (elsewhere / "runs").exists()


def test_a_folder_of_something_else_is_left_alone(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "s").mkdir()
    (elsewhere / "s" / "notes.txt").write_text("mine")
    assert main([*GRID, "--run", "s"]) == 2
    assert "not a sweep" in capsys.readouterr().err


def test_an_interrupted_sweep_keeps_what_it_has(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(flow: Flow, *_others: Any, **_more: Any) -> Run:
        if flow.seed == 1:
            raise KeyboardInterrupt
        return train(flow, *_others, **_more)

    monkeypatch.setattr("codesign.search.execute.train", interrupt)
    arguments = ["sweep", "digits", "--seeds", "2", "--jobs", "1", *SHORT, "--run", "s"]
    assert main(arguments) == 130
    kept = written(elsewhere / "s")
    assert len(kept) == 1
    monkeypatch.undo()
    monkeypatch.chdir(elsewhere)
    assert main(arguments) == 0
    assert kept.items() < written(elsewhere / "s").items()


@pytest.mark.slow
def test_a_killed_sweep_is_continued_by_workers_to_the_same_result(elsewhere: Path) -> None:
    """Killed with two workers at work; its workers end with it; continued by one process."""
    arguments = [
        "sweep", "digits", "--seeds", "2", "--set", "network.state_dim=2",
        "--set", "training.steps=120", "--set", "training.evaluate_every=5",
        "--set", "training.starts=1", "--run", "s", "--jobs", "2",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "codesign", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 100
    while not list((elsewhere / "s").glob("*/training/*.safetensors")):
        assert process.poll() is None, "it finished before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)  # the pipe closes when the last worker has gone
    assert process.returncode == 130
    assert "Traceback" not in said
    begun = list((elsewhere / "s").glob("*/training/*.safetensors"))
    assert begun
    assert main([*arguments, "--jobs", "1"]) == 0
    assert main([*arguments, "--run", "whole", "--jobs", "1"]) == 0
    for run in (elsewhere / "whole").glob("*seed-*"):
        other = elsewhere / "s" / run.name
        assert (run / "model.safetensors").read_bytes() == (
            other / "model.safetensors"
        ).read_bytes()


@pytest.mark.slow
def test_a_cluster_gives_the_same_models(elsewhere: Path) -> None:
    pytest.importorskip("distributed")
    assert main([*GRID, "--run", "a"]) == 0
    assert main([*GRID, "--run", "b", "--scheduler", "local:2"]) == 0
    for run in (elsewhere / "a").glob("*seed-*"):
        other = elsewhere / "b" / run.name / "model.safetensors"
        assert (run / "model.safetensors").read_bytes() == other.read_bytes()
    assert not (elsewhere / "b" / "work").exists()
