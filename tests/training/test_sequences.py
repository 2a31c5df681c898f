"""Token tasks and labels per frame go through training, its workers and its files."""

import math
from pathlib import Path

import pytest
import torch

from codesign.errors import InputError
from codesign.files import read_json
from codesign.flows import Flow, parse_flow
from codesign.tasks import load_task
from codesign.testset import load_test_split
from codesign.training import pool
from codesign.training.run import train

FAST = {"starts": 1, "steps": 20, "evaluate_every": 20, "batch_size": 16}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))


def _characters(**training: object) -> Flow:
    return parse_flow(
        {
            "name": "text",
            "task": {"name": "characters", "frames": 16, "warmup_frames": 4},
            "network": {"state_dim": 4, "layers": 1},
            "training": {**FAST, "decision": "every_frame", "margin_weight": 0.0, **training},
        },
        "test",
    )


def _listops(**training: object) -> Flow:
    return parse_flow(
        {
            "name": "listops",
            "task": {
                "name": "listops", "min_tokens": 5, "max_tokens": 20, "train_clips": 60,
                "validation_clips": 20, "test_clips": 20,
            },
            "network": {"state_dim": 4, "layers": 1},
            "training": {**FAST, **training},
        },
        "test",
    )  # fmt: skip


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "input.txt").write_text("abcd abcd\n" * 200)
    return tmp_path


def test_a_text_is_learned_per_frame(tmp_path: Path, text: Path) -> None:
    flow = _characters(steps=250, evaluate_every=50, leak_start=0.0, grid_fraction=0.9)
    run = train(flow, tmp_path / "run", text, jobs=1)
    metrics = read_json(run.metrics_file, "metrics")
    test = load_test_split(run)
    assert test.lines == 6
    assert test.per_frame
    scored = int((test.labels >= 0).sum())
    assert sum(map(sum, metrics["confusion"])) == scored < test.labels.numel()
    right = sum(row[k] for k, row in enumerate(metrics["confusion"]))
    assert metrics["splits"]["test"]["accuracy"] == pytest.approx(right / scored)
    # Of abcd abcd\n all but what follows d is told by the last character alone.
    assert metrics["splits"]["test"]["accuracy"] > 0.7
    loss = metrics["splits"]["test"]["loss"]
    assert loss < 1.0
    assert metrics["splits"]["test"]["bits_per_frame"] == pytest.approx(loss / math.log(2))


def test_tokens_in_training(tmp_path: Path) -> None:
    run = train(_listops(), tmp_path / "run", jobs=1)
    test = load_test_split(run)
    assert (test.lines, test.inputs.dtype) == (15, torch.int8)


def test_workers_get_the_same_data(tmp_path: Path, text: Path) -> None:
    for folder, flow in ((tmp_path / "l", _listops()), (tmp_path / "t", _characters())):
        data = load_task(flow.task, text, 0)
        pool._save_data(folder, data)
        found = pool._load_data(folder)
        assert found.class_names == data.class_names
        for one, two in ((found.train, data.train), (found.validation, data.validation)):
            assert (one.lines, one.inputs.dtype) == (two.lines, two.inputs.dtype)
            assert torch.equal(one.inputs, two.inputs)
            assert torch.equal(one.labels, two.labels)


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        (_characters(decision="last_frame"), "label for every frame; take every_frame"),
        (_listops(decision="every_frame"), "label for every clip, not every frame"),
        (_listops(decision="last_k:999"), "average at most that many, or take mean_logit"),
    ],
)
def test_a_rule_that_does_not_fit_the_labels(
    tmp_path: Path, text: Path, flow: Flow, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        train(flow, tmp_path / "run", text)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_tokens_on_cuda(tmp_path: Path, text: Path) -> None:
    for name, flow in (("text", _characters(device="cuda")), ("list", _listops(device="cuda"))):
        run = train(flow, tmp_path / name, text, jobs=1)
        assert read_json(run.metrics_file, "metrics")["splits"]["test"]["count"] > 0
