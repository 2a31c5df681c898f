"""Training from a flow to a run folder: files, reuse, refusal, interruption, worker count."""

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
import torch

from codesign.checkpoint import load_model
from codesign.decision import decide
from codesign.errors import InputError
from codesign.flows import Flow, dump_flow, parse_flow
from codesign.runs import Run
from codesign.testset import load_test_split
from codesign.training import is_finished, train
from codesign.training.run import groups_of


def flow(name: str = "small", seed: int = 0, **training: Any) -> Flow:
    sections = {"steps": 40, "evaluate_every": 10, "starts": 2, **training}
    return parse_flow(
        {"name": name, "seed": seed, "network": {"state_dim": 4}, "training": sections}, "test"
    )


def results(run: Run) -> tuple[bytes, dict[str, Any], pd.DataFrame]:
    """Weights, metrics without the clock, history."""
    metrics = json.loads(run.metrics_file.read_text())
    del metrics["wall_s"]
    return run.weights_file.read_bytes(), metrics, pd.read_parquet(run.history_file)


def assert_equal_runs(one: Run, two: Run) -> None:
    first, second = results(one), results(two)
    assert first[0] == second[0]
    assert first[1] == second[1]
    pd.testing.assert_frame_equal(first[2], second[2], check_exact=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(flow(), tmp_path_factory.mktemp("runs") / "a", jobs=1)


def test_metrics_are_those_of_the_stored_model(trained: Run) -> None:
    metrics = json.loads(trained.metrics_file.read_text())
    model, test = load_model(trained), load_test_split(trained)
    with torch.no_grad():
        decisions = decide(model.network(test.inputs).logits, model.decision)
    accuracy = float((decisions == test.labels).double().mean())
    assert metrics["splits"]["test"]["accuracy"] == accuracy
    assert metrics["splits"]["test"]["count"] == len(test) == sum(map(sum, metrics["confusion"]))
    total = sum(parameter.numel() for parameter in model.network.parameters())
    assert metrics["parameters"]["total"] == total
    assert sum(metrics["parameters"].values()) == 2 * total
    kept = [start for start in metrics["starts"] if start["selected"]]
    assert len(metrics["starts"]) == 2
    assert len(kept) == 1
    assert kept[0]["test_balanced_accuracy"] == metrics["splits"]["test"]["balanced_accuracy"]
    best = max(start["validation_balanced_accuracy"] for start in metrics["starts"])
    assert kept[0]["validation_balanced_accuracy"] == best
    assert metrics["splits"]["validation"]["balanced_accuracy"] == best
    assert metrics["memoryless"]["starts"] == 1
    assert metrics["memoryless"]["steps_per_start"] == 40
    assert metrics["memoryless"]["test"]["count"] == len(test)


def test_the_stored_model_is_what_the_chip_can_hold(trained: Run) -> None:
    model, recipe = load_model(trained), trained.flow()
    for name, value in model.network.state_dict().items():
        if ".cell." in name:
            assert float(value.min()) >= recipe.hardware.bias_min_units
            assert float(value.max()) <= recipe.hardware.bias_max_units
        else:
            steps = value * model.weight_grid
            assert torch.equal(steps, steps.round())
            assert float(value.abs().max()) <= recipe.training.weight_limit


def test_the_history_has_a_row_per_start_and_validation(trained: Run) -> None:
    history = pd.read_parquet(trained.history_file)
    assert sorted(set(history["model"])) == ["memoryless", "network"]
    network = history[history["model"] == "network"]
    assert network.groupby("start")["step"].apply(list).tolist() == [[10, 20, 30, 40]] * 2
    assert network.groupby("start")["seed"].nunique().tolist() == [1, 1]
    assert network["seed"].nunique() == 2
    assert (history[history["on_grid"]]["eps"] == 0).all()
    assert history["on_grid"].any()
    assert not (trained.path / "training").exists()


def test_the_result_does_not_depend_on_the_workers(tmp_path: Path, trained: Run) -> None:
    assert len(groups_of(flow())) == 2
    assert_equal_runs(train(flow(), tmp_path / "b", jobs=2), trained)


def test_a_finished_run_is_reused_and_kept_from_other_flows(tmp_path: Path) -> None:
    run = train(flow(), tmp_path / "run", jobs=1)
    written = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()}
    assert train(flow(), run.path).path == run.path
    with pytest.raises(InputError, match=r"finished model of a different flow.*--force"):
        train(flow(seed=1), run.path)
    assert {p: p.stat().st_mtime_ns for p in run.path.rglob("*") if p.is_file()} == written
    for stale in (run.design_dir, run.sim_dir(), run.report_dir):
        stale.mkdir(parents=True)
        (stale / "file").write_text("of the earlier model")
    before = run.weights_file.read_bytes()
    train(flow(seed=1), run.path, jobs=1, force=True)
    assert run.weights_file.read_bytes() != before
    assert run.flow() == flow(seed=1)
    assert not run.design_dir.exists()
    assert not (run.path / "sim").exists()
    assert not run.report_dir.exists()


def test_a_finished_run_with_a_damaged_model_is_not_reused(tmp_path: Path) -> None:
    run = train(flow(), tmp_path / "run", jobs=1)
    run.weights_file.write_bytes(run.weights_file.read_bytes()[:100])
    with pytest.raises(InputError, match="truncated"):
        train(flow(), run.path)
    assert is_finished(train(flow(), run.path, jobs=1, force=True))


def test_an_interruption_loses_nothing(tmp_path: Path, trained: Run) -> None:
    target = tmp_path / "run"

    def interrupt(done: int, total: int, note: str) -> None:
        if done >= total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(flow(), target, jobs=1, on_progress=interrupt)
    assert not is_finished(Run(target))
    kept = list((target / "training").glob("*.safetensors"))
    assert kept
    steps: list[int] = []
    run = train(flow(), target, jobs=1, on_progress=lambda done, total, note: steps.append(done))
    assert steps[0] > 0  # it continued
    assert_equal_runs(run, trained)


KILLED = flow("killed", steps=300, starts=9)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(KILLED, tmp_path_factory.mktemp("runs") / "whole", jobs=1)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_command_leaves_what_the_next_continues(
    how: signal.Signals, tmp_path: Path, uninterrupted: Run
) -> None:
    """Killed with two workers at work; continued by one; as if nothing had happened."""
    file, run = tmp_path / "flow.toml", tmp_path / "run"
    file.write_text(dump_flow(KILLED))
    process = subprocess.Popen(
        [sys.executable, "-m", "codesign", "train", str(file), "--run", str(run), "--jobs", "2"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 100
    while not (run / "training" / "network-000.safetensors").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, how)
    # The pipe closes when the last worker has gone: none outlives the command.
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0, "it finished before it could be killed"
    assert "Traceback" not in said
    assert not is_finished(Run(run))
    steps: list[int] = []
    train(KILLED, run, jobs=1, on_progress=lambda done, total, note: steps.append(done))
    assert steps[0] > 0
    assert_equal_runs(Run(run), uninterrupted)


def test_groups_hold_every_start_once() -> None:
    specs = groups_of(flow(starts=19))
    starts = [start for spec in specs if spec.kind == "network" for start in spec.starts]
    assert starts == list(range(19))
    control = [start for spec in specs if spec.kind == "memoryless" for start in spec.starts]
    assert control == list(range(5))
    assert len({spec.name for spec in specs}) == len(specs)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_missing_device_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"training\.device = cuda"):
        train(flow(device="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_cuda(tmp_path: Path, trained: Run) -> None:
    run = train(flow(device="cuda"), tmp_path / "run", jobs=1)
    scores = [json.loads(r.metrics_file.read_text())["splits"]["test"] for r in (run, trained)]
    assert scores[0]["count"] == scores[1]["count"]
    load_model(run)


def test_memory_pays_on_the_shipped_recipe(tmp_path: Path) -> None:
    """The shipped digits, shortened: well above chance, and above the control without memory."""
    recipe = parse_flow(
        {
            "task": {"name": "digits", "classes": [0, 1, 4, 7]},
            "training": {"steps": 300, "starts": 4},
        },
        "test",
    )
    metrics = json.loads(train(recipe, tmp_path / "run", jobs=1).metrics_file.read_text())
    reached = metrics["splits"]["test"]["balanced_accuracy"]
    assert reached > 0.85
    assert reached > metrics["memoryless"]["test"]["balanced_accuracy"] + 0.1
