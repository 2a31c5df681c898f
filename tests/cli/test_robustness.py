"""``codesign robustness`` as typed: files, figures against a plain evaluation, messages."""

import json
from pathlib import Path

import pandas as pd
import pytest

from codesign.checkpoint import load_model
from codesign.cli.main import main
from codesign.decision import decide
from codesign.flows import parse_flow
from codesign.network import evaluate
from codesign.robustness.disturb import deviates, disturbed
from codesign.runs import Run
from codesign.testset import load_test_split
from codesign.training import train
from codesign.training.scores import balanced_accuracy


def trained(folder: Path, cell: str, seed: int = 0) -> Run:
    flow = parse_flow(
        {
            "seed": seed,
            "network": {"state_dim": 4, "cell": cell},
            "training": {"steps": 60, "evaluate_every": 20, "starts": 2},
        },
        "test",
    )
    return train(flow, folder / f"{cell}-{seed}", jobs=1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [trained(folder, "fq_bmru"), trained(folder, "fq_bmru", 1), trained(folder, "mingru")]


def test_several_runs_side_by_side(
    runs: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    paths = [str(run.path) for run in runs]
    options = ["--percent", "15,5", "--leak", "0.02", "--draws", "6", "--out", str(out)]
    assert main(["robustness", *paths, *options]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    found = json.loads((out / "robustness.json").read_text())
    assert [row["group"] for row in found["groups"] if row["kind"] == "leak"] == [
        "fq_bmru, d = 4", "mingru, d = 4",
    ]  # fmt: skip
    assert found["targets"] == []  # they are for d = 16
    draws = pd.read_parquet(out / "robustness.parquet")
    counts = draws.groupby(["run", "kind"]).size()
    assert counts[paths[2], "percent"] == 12
    assert counts[paths[2], "leak"] == counts[paths[2], "none"] == 1
    # One figure by hand: run, kind, level, draw.
    run = runs[2]
    model, split = load_model(run), load_test_split(run)
    own = {name: value.detach() for name, value in model.network.state_dict().items()}
    many, _ = disturbed(own, "percent", 15.0, deviates(own, 2, 0, range(3, 4)))
    logits = evaluate(many, split.currents(), model.network.recurrence).logits
    by_hand = float(balanced_accuracy(decide(logits[0], model.decision), split.labels, 4))
    at = draws[(draws["run"] == paths[2]) & (draws["level"] == 15) & (draws["draw"] == 3)]
    assert at["balanced_accuracy"].iloc[0] == by_hand
    stated = json.loads(run.metrics_file.read_text())["splits"]["test"]["balanced_accuracy"]
    row = next(r for r in found["runs"] if r["run"] == paths[2] and r["level"] == 15)
    assert row["clean"] == stated
    own_draws = draws[(draws["run"] == paths[2]) & (draws["level"] == 15)]["balanced_accuracy"]
    assert row["lost_mean_points"] == pytest.approx(100 * (stated - own_draws.mean()))
    page = (out / "robustness.html").read_text()
    assert "mingru, d = 4" in page
    assert page.count("<svg") >= 4


def test_a_network_that_is_not_its_metrics_is_refused(
    runs: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path / "other")
    run.path.mkdir()
    for file in runs[0].path.iterdir():
        if file.is_file():
            (run.path / file.name).write_bytes(file.read_bytes())
    metrics = json.loads(run.metrics_file.read_text())
    metrics["splits"]["test"]["balanced_accuracy"] += 0.1
    run.metrics_file.write_text(json.dumps(metrics))
    assert main(["robustness", str(run.path), "--draws", "2"]) == 2
    assert "its metrics say" in capsys.readouterr().err
    assert not (run.path / "robustness").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--percent", "5,x"], "'x' is no number above 0"),
        (["--leak", "0.01,-1"], "'-1' is no number above 0"),
        (["--percent", ""], "is no number"),
        (["--draws", "1"], "--draws"),
    ],
)
def test_levels_that_are_none_are_named(
    options: list[str], said: str, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["robustness", str(runs[0].path), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_run_named_twice_is_refused(runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["robustness", str(runs[0].path), str(runs[0].path), "--draws", "2"]) == 2
    assert "named twice" in capsys.readouterr().err


def test_targets_are_judged_for_networks_of_their_size() -> None:
    from codesign.robustness.summary import group_figures, judged, run_figures

    draws = pd.DataFrame(
        [
            {"group": "a", "run": run, "kind": kind, "level": level, "draw": k,
             "balanced_accuracy": value}
            for run in ("r", "s")
            for kind, level, values in (
                ("none", 0.0, [0.98]), ("percent", 15.0, [0.97, 0.95]), ("leak", 0.02, [0.975]),
            )
            for k, value in enumerate(values)
        ]
    )  # fmt: skip
    groups = group_figures(run_figures(draws))
    found = {item["name"]: item for item in judged(groups, {"a": ("fq_bmru", 16)})}
    mean = found["mean lost to parameter noise"]
    assert mean["lost_points"] == pytest.approx(2.0)
    assert not mean["met"]
    fifth = found["5th percentile lost to parameter noise"]
    assert fifth["lost_points"] == pytest.approx(2.9)
    assert fifth["met"]
    assert found["mean lost to a constant leak"]["met"]
    assert not judged(groups, {"a": ("fq_bmru", 8)})
    assert not judged(groups, {"a": ("mingru", 16)})
