"""A model file comes back bit for bit, and a damaged or hostile one is refused by name."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from codesign.checkpoint import Model, load_model, save_model
from codesign.errors import InputError
from codesign.network import FirstQuadrantNetwork
from codesign.rules import MEAN_LOGIT
from codesign.runs import Run
from tests.trained import made_up_run

Tensors = dict[str, Tensor]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_up_run(tmp_path / "run")


def _refused(run: Run) -> str:
    with pytest.raises(InputError) as caught:
        load_model(run)
    return str(caught.value)


def _edit_header(run: Run, **changes: object) -> None:
    header = json.loads(run.model_file.read_text())
    run.model_file.write_text(json.dumps(header | changes))


def _edit_tensors(run: Run, change: Callable[[Tensors], object]) -> None:
    tensors = load_file(run.weights_file)
    change(tensors)
    save_file(tensors, run.weights_file)


def test_round_trip_bit_for_bit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = FirstQuadrantNetwork(5, 3, 2, 4)
    awkward = torch.tensor([-0.0, torch.finfo(torch.float32).tiny / 8, 1 / 3])
    network.load_state_dict(network.state_dict() | {"projection.bias": awkward})
    run = Run(tmp_path / "run")
    save_model(run, Model(network, ("a", "b", "ü", ""), MEAN_LOGIT, 16))
    found = load_model(run)
    assert (found.inputs, found.state_dim, found.layers, found.classes) == (5, 3, 2, 4)
    assert found.class_names == ("a", "b", "ü", "")
    assert (found.decision, found.weight_grid) == (MEAN_LOGIT, 16)
    assert not found.network.training
    before, after = network.state_dict(), found.network.state_dict()
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert after[name].dtype == torch.float32
        assert torch.equal(value.view(torch.int32), after[name].view(torch.int32)), name
    weights, header = run.weights_file.read_bytes(), run.model_file.read_bytes()
    save_model(run, found)
    assert (run.weights_file.read_bytes(), run.model_file.read_bytes()) == (weights, header)
    assert sorted(path.name for path in run.path.iterdir()) == ["model.json", "model.safetensors"]


def test_a_header_as_long_as_a_pickle_mark_is_no_pickle(run: Run) -> None:
    """A safetensors file begins with the length of its header, here 0x...80."""
    tensors = load_file(run.weights_file)
    for padding in range(256):
        save_file(tensors, run.weights_file, {"padding": "x" * padding})
        if run.weights_file.read_bytes()[0] == 0x80:
            break
    assert run.weights_file.read_bytes()[:1] == b"\x80"
    assert load_model(run).state_dim == 2


def test_the_header_describes_the_tensors(run: Run) -> None:
    header = json.loads(run.model_file.read_text())
    shapes = {name: list(value.shape) for name, value in load_file(run.weights_file).items()}
    assert header["shapes"] == shapes
    assert header["schema"] == 1


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_missing_file(run: Run, name: str) -> None:
    (run.path / name).unlink()
    message = _refused(run)
    assert f"{name} is missing" in message
    assert "codesign train" in message


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_truncated_weights(run: Run, kept: int) -> None:
    run.weights_file.write_bytes(run.weights_file.read_bytes()[:kept])
    message = _refused(run)
    assert str(run.weights_file) in message
    assert "truncated" in message


@pytest.mark.parametrize("content", [b"\xff" * 64, b"hello, this is not a network", b"\0" * 200])
def test_weights_that_are_something_else(run: Run, content: bytes) -> None:
    run.weights_file.write_bytes(content)
    assert "not a whole safetensors file" in _refused(run)


class Hostile:
    """Leaves a file behind when a pickle of it is opened."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.proof), "w")


def _torch_save(value: object, path: Path) -> None:
    torch.save(value, path)


def _torch_save_old(value: object, path: Path) -> None:
    torch.save(value, path, _use_new_zipfile_serialization=False)


def _pickle(value: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(value))


@pytest.mark.parametrize("write", [_torch_save, _torch_save_old, _pickle])
def test_a_pickle_is_named_and_never_opened(
    run: Run, tmp_path: Path, write: Callable[[object, Path], None]
) -> None:
    proof = tmp_path / "proof"
    write({"state": Hostile(proof)}, run.weights_file)
    assert "is a pickle" in _refused(run)
    assert not proof.exists()


def test_a_text_pickle_is_never_opened(run: Run, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    run.weights_file.write_bytes(pickle.dumps(Hostile(proof), protocol=0))
    assert "not a whole safetensors file" in _refused(run)
    assert not proof.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": 2}, "schema = 2"),
        ({"schema": None}, "schema = None"),
        ({"schema": True}, "schema = True"),
        ({"architecture": "transformer"}, "architecture = 'transformer'"),
        ({"cell": "lstm"}, "cell = 'lstm'"),
        ({"state_dim": 0}, "state_dim = 0"),
        ({"state_dim": 10**9}, "state_dim = 1000000000"),
        ({"layers": 2.0}, "layers = 2.0"),
        ({"inputs": "3"}, "inputs = '3'"),
        ({"inputs": True}, "inputs = True"),
        ({"class_names": ["a"]}, "class_names must list 2 names"),
        ({"class_names": ["a", 1]}, "class_names must list 2 names"),
        ({"class_names": "ab"}, "class_names must list 2 names"),
        ({"decision": "votes"}, "decision = 'votes'"),
        ({"decision": ["last_frame"]}, "decision = ['last_frame']"),
        ({"weight_grid": 7}, "weight_grid = 7"),
        ({"weight_grid": 8.0}, "weight_grid = 8.0"),
    ],
)
def test_a_header_that_cannot_be_used(run: Run, changes: dict[str, Any], said: str) -> None:
    _edit_header(run, **changes)
    message = _refused(run)
    assert str(run.model_file) in message
    assert said in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not valid JSON"),
        (b'{"schema": 1, "archit', "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b"[1, 2]", "expected a JSON object"),
        (b"null", "expected a JSON object"),
        (b"[" * 200_000, "not valid JSON"),
        (b'{"schema": ' + b"9" * 5000 + b"}", "not valid JSON"),
    ],
    ids=["empty", "cut", "utf-16", "list", "null", "deep", "long number"],
)
def test_a_damaged_header(run: Run, content: bytes, said: str) -> None:
    run.model_file.write_bytes(content)
    message = _refused(run)
    assert str(run.model_file) in message
    assert said in message


def _set(name: str, value: float, dtype: torch.dtype = torch.float32) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        tensors[name] = tensors[name].to(dtype)
        tensors[name].view(-1)[-1] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("readout.bias"), "lacks tensor 'readout.bias'"),
        (lambda t: t.update(extra=torch.zeros(1)), "unknown tensor 'extra'"),
        (
            lambda t: t.update({"projection.weight": torch.zeros(3, 2)}),
            "projection.weight has shape [3, 2], expected [2, 3]",
        ),
        (
            lambda t: t.update({"layers.1.cell.alpha": torch.zeros(2, 1)}),
            "layers.1.cell.alpha has shape [2, 1], expected [2]",
        ),
        (
            lambda t: t.update({"readout.bias": torch.zeros(2, dtype=torch.int32)}),
            "readout.bias is torch.int32",
        ),
        (_set("readout.weight", float("nan")), "readout.weight holds NaN or infinity"),
        (_set("layers.0.cell.width", float("inf")), "layers.0.cell.width holds NaN or infinity"),
        (_set("readout.bias", float("-inf")), "readout.bias holds NaN or infinity"),
        # Finite in the file, infinite in the network.
        (_set("readout.bias", 1e300, torch.float64), "readout.bias holds NaN or infinity"),
        (_set("readout.bias", float("nan"), torch.float8_e5m2), "readout.bias"),
    ],
    ids=[
        "missing",
        "unknown",
        "transposed",
        "column",
        "integer",
        "nan",
        "inf",
        "minus-inf",
        "overflow",
        "float8",
    ],
)
def test_tensors_that_do_not_fit(run: Run, change: Callable[[Tensors], object], said: str) -> None:
    _edit_tensors(run, change)
    message = _refused(run)
    assert str(run.weights_file) in message
    assert said in message


def test_a_header_of_another_network(run: Run) -> None:
    _edit_header(run, state_dim=4)
    assert "has shape" in _refused(run)
    _edit_header(run, state_dim=2, layers=1)
    assert "unknown tensor 'layers.1." in _refused(run)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_network_that_diverged_is_not_saved(run: Run, value: float) -> None:
    model = load_model(run)
    before = run.weights_file.read_bytes()
    with torch.no_grad():
        model.network.readout.bias[0] = value
    with pytest.raises(InputError, match=r"readout\.bias holds NaN or infinity"):
        save_model(run, model)
    assert run.weights_file.read_bytes() == before
