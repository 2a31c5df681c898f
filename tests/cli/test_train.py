"""``codesign train`` as typed: what it prints, where it writes, when it trains again."""

import json
from pathlib import Path

import pytest

from codesign.cli.main import main
from codesign.runs import Run

SHORT = ["--jobs", "1", "--set", "training.steps=20", "--set", "training.evaluate_every=10",
         "--set", "training.starts=2", "--set", "network.state_dim=3"]  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_train_writes_the_run_and_prints_its_path(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *SHORT, "--seed", "7"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "runs/digits\n"
    run = Run(elsewhere / "runs" / "digits")
    recipe = run.flow()
    assert (recipe.seed, recipe.training.steps, recipe.network.state_dim) == (7, 20, 3)
    assert (run.report_dir / "index.html").is_file()
    # The training page is made from files of the run: again from them alone, it is the same.
    page = run.report_dir / "training.html"
    written = page.read_bytes()
    assert b"Balanced test accuracy" in written
    page.unlink()
    assert main(["report", "runs/digits"]) == 0
    assert capsys.readouterr().out == "runs/digits/report/index.html\n"
    assert page.read_bytes() == written
    metrics = json.loads(run.metrics_file.read_text())
    shown = " ".join(printed.err.split())
    accuracy = 100 * metrics["splits"]["test"]["balanced_accuracy"]
    without = 100 * metrics["memoryless"]["test"]["balanced_accuracy"]
    assert f"{accuracy:.1f} %" in shown
    assert f"{without:.1f} %" in shown
    margin = 100 * metrics["margin"]["fraction_within_0.05_units"]
    assert f"{margin:.1f} % of candidates within 0.05 units" in shown


def test_the_same_command_reuses_and_another_is_refused(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *SHORT, "--run", "mine"]) == 0
    weights = elsewhere / "mine" / "model.safetensors"
    content, written = weights.read_bytes(), weights.stat().st_mtime_ns
    capsys.readouterr()

    assert main(["train", *SHORT, "--run", "mine"]) == 0
    printed = capsys.readouterr()
    assert "mine is finished" in printed.err
    assert printed.out == "mine\n"

    assert main(["train", *SHORT, "--run", "mine", "--seed", "1"]) == 2
    printed = capsys.readouterr()
    assert "different flow" in printed.err
    assert "--force" in printed.err
    assert printed.out == ""
    assert weights.stat().st_mtime_ns == written

    assert main(["train", *SHORT, "--run", "mine", "--seed", "1", "--force"]) == 0
    assert weights.read_bytes() != content


@pytest.mark.parametrize("damage", ["{", "[]", '{"memoryless": {}}'])
def test_damaged_metrics_are_named(
    damage: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *SHORT, "--run", "mine"]) == 0
    (elsewhere / "mine" / "metrics.json").write_text(damage)
    capsys.readouterr()
    assert main(["train", *SHORT, "--run", "mine"]) == 2
    assert "metrics.json" in capsys.readouterr().err
