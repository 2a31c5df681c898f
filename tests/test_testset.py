"""The test clips of a run come back as they were; damaged ones are refused by name."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from codesign.errors import InputError
from codesign.runs import Run
from codesign.tasks.base import Split
from codesign.testset import load_test_split, save_test_split

INPUTS = torch.linspace(0, 1, 24).view(4, 3, 2)
LABELS, IDS = torch.tensor([0, 1, 1, 0]), ("a", "ü/b", "c 3", "d")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "run")
    save_test_split(run, Split(INPUTS, LABELS, IDS))
    return run


def test_round_trip(run: Run) -> None:
    found = load_test_split(run)
    assert torch.equal(found.inputs, INPUTS)
    assert torch.equal(found.labels, LABELS)
    assert found.ids == IDS
    assert len(list(run.path.iterdir())) == 2


def test_clips_that_are_views_of_more(tmp_path: Path) -> None:
    run = Run(tmp_path)
    save_test_split(run, Split(INPUTS.flip(0)[::2].mT, LABELS[::2], IDS[::2]))
    assert torch.equal(load_test_split(run).inputs, INPUTS[[3, 1]].mT)


def _refused(run: Run) -> str:
    with pytest.raises(InputError) as caught:
        load_test_split(run)
    return str(caught.value)


@pytest.mark.parametrize("name", ["test_inputs.safetensors", "test_clips.json"])
def test_a_missing_file(run: Run, name: str) -> None:
    (run.path / name).unlink()
    assert name in _refused(run)


@pytest.mark.parametrize("kept", [0, 8, 60, -1])
def test_truncated_clips(run: Run, kept: int) -> None:
    path = run.path / "test_inputs.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    message = _refused(run)
    assert f"{path} is damaged" in message
    assert "codesign train" in message


def test_a_pickle_is_not_opened(run: Run) -> None:
    torch.save({"inputs": INPUTS, "labels": LABELS}, run.path / "test_inputs.safetensors")
    assert "is damaged" in _refused(run)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ('["a", "b"', "not valid JSON"),
        (json.dumps(["a", "b"]), "ids must name every clip"),
        ("7", "is damaged"),
        ("null", "is damaged"),
    ],
)
def test_damaged_names(run: Run, names: str, said: str) -> None:
    (run.path / "test_clips.json").write_text(names)
    assert said in _refused(run)


def _with(inputs: Tensor = INPUTS, labels: Tensor = LABELS) -> dict[str, Tensor]:
    return {"inputs": inputs, "labels": labels}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: {"inputs": INPUTS}, "labels"),
        (lambda: _with(inputs=INPUTS - 2), "finite and non-negative"),
        (lambda: _with(inputs=INPUTS * torch.nan), "finite and non-negative"),
        (lambda: _with(inputs=(INPUTS + 1) / 0), "finite and non-negative"),
        (lambda: _with(inputs=INPUTS.double()), "float32"),
        (lambda: _with(inputs=INPUTS[0]), "float32 [N, T, n_in]"),
        (lambda: _with(labels=LABELS[:3]), "labels must be int64 [N]"),
        (lambda: _with(labels=LABELS.float()), "labels must be int64 [N]"),
    ],
)
def test_clips_that_cannot_be_currents(
    run: Run, make: Callable[[], dict[str, Tensor]], said: str
) -> None:
    save_file(make(), run.path / "test_inputs.safetensors")
    message = _refused(run)
    assert "is damaged" in message
    assert said in message
