"""Saving and loading a trained network: safetensors and JSON, never pickle.

``model.json`` says what the tensors are; ``model.safetensors`` holds the deployed values
(weights and biases on the k/grid). A file from a stranger is checked before it is believed.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from codesign.cells import CELLS, cell_named
from codesign.errors import InputError
from codesign.files import atomic_path, read_json, write_json
from codesign.network import Network
from codesign.rules import Rule, parse_rule
from codesign.runs import Run

SCHEMA = 1
ARCHITECTURE = "first_quadrant_network"
CHIP_CELL = "fq_bmru"
_MAX = {"inputs": 4096, "state_dim": 1024, "layers": 8, "classes": 4096}
_REMAKE = "train it again with 'codesign train'."


@dataclass(frozen=True)
class Model:
    """A network with what is needed to use it; its parameters are the deployed ones."""

    network: Network
    class_names: tuple[str, ...]
    decision: Rule
    weight_grid: int

    @property
    def cell(self) -> str:
        """Name of the recurrent cell."""
        return self.network.recurrence.name

    @property
    def inputs(self) -> int:
        return self.network.shape[0]

    @property
    def state_dim(self) -> int:
        return self.network.shape[1]

    @property
    def layers(self) -> int:
        return self.network.shape[2]

    @property
    def classes(self) -> int:
        return self.network.shape[3]


def save_model(run: Run, model: Model) -> None:
    """Write model.safetensors and model.json of the run, each whole or not at all."""
    tensors = {
        key: value.detach().to("cpu", torch.float32).contiguous()
        for key, value in model.network.state_dict().items()
    }
    _check_tensors(tensors, {key: list(value.shape) for key, value in tensors.items()}, run)
    with atomic_path(run.weights_file) as temporary:
        temporary.write_bytes(save_tensors(tensors))
    write_json(
        run.model_file,
        {
            "schema": SCHEMA,
            "architecture": ARCHITECTURE,
            "cell": model.cell,
            "inputs": model.inputs,
            "state_dim": model.state_dim,
            "layers": model.layers,
            "classes": model.classes,
            "class_names": list(model.class_names),
            "decision": str(model.decision),
            "weight_grid": model.weight_grid,
            "shapes": {key: list(value.shape) for key, value in sorted(tensors.items())},
        },
    )


def load_model(run: Run) -> Model:
    """The model of a run, float32 on the CPU, in evaluation mode.

    Raises InputError when a file is missing, truncated, a pickle, of another schema version or
    architecture, or when a tensor is missing, unknown, of the wrong shape, NaN or infinite.
    """
    for path in (run.model_file, run.weights_file):
        if not path.is_file():
            raise InputError(
                f"{run.path} holds no trained model ({path.name} is missing); {_REMAKE}"
            )
    header = _check_header(read_json(run.model_file, "the description of a model"), run)
    network = Network(
        header["inputs"],
        header["state_dim"],
        header["layers"],
        header["classes"],
        cell_named(header["cell"]),
    )
    expected = {key: list(value.shape) for key, value in network.state_dict().items()}
    tensors = _read_tensors(run)
    _check_tensors(tensors, expected, run)
    network.load_state_dict({key: value.to(torch.float32) for key, value in tensors.items()})
    network.eval()
    return Model(
        network=network,
        class_names=tuple(header["class_names"]),
        decision=parse_rule(header["decision"]),
        weight_grid=header["weight_grid"],
    )


def load_chip_model(run: Run) -> Model:
    """The model of a run that is to become a circuit: of the first-quadrant cell.

    Raises InputError for another cell, and as ``load_model`` does.
    """
    model = load_model(run)
    if model.cell != CHIP_CELL:
        raise InputError(
            f"{run.path} holds a network of {model.cell} cells, and only {CHIP_CELL} networks have "
            f"a circuit; train with --set network.cell={CHIP_CELL}."
        )
    return model


def model_parameters(model: Model) -> dict[str, NDArray[np.float64]]:
    """Parameters of a model as double precision arrays."""
    return {
        key: np.asarray(value.detach().double().numpy())
        for key, value in model.network.state_dict().items()
    }


def _check_header(header: Any, run: Run) -> dict[str, Any]:
    path = run.model_file
    if not isinstance(header, dict):
        raise InputError(f"{path} does not describe a model (expected a JSON object); {_REMAKE}")
    if type(header.get("schema")) is not int or header["schema"] != SCHEMA:
        raise InputError(
            f"{path}: schema = {header.get('schema')!r}, and this codesign reads schema {SCHEMA}; "
            "use the version that wrote it, or " + _REMAKE
        )
    for key, known in (("architecture", (ARCHITECTURE,)), ("cell", tuple(CELLS))):
        if header.get(key) not in known:
            raise InputError(
                f"{path}: {key} = {header.get(key)!r} is unknown; expected one of "
                f"{', '.join(known)}."
            )
    for key, largest in _MAX.items():
        value = header.get(key)
        if type(value) is not int or not 1 <= value <= largest:
            raise InputError(f"{path}: {key} = {value!r}; expected an integer from 1 to {largest}.")
    names = header.get("class_names")
    if (
        not isinstance(names, list)
        or len(names) != header["classes"]
        or not all(isinstance(name, str) for name in names)
    ):
        raise InputError(f"{path}: class_names must list {header['classes']} names; {_REMAKE}")
    try:
        parse_rule(header.get("decision"))
    except ValueError as error:
        raise InputError(f"{path}: decision = {header.get('decision')!r}: {error}.") from error
    if type(header.get("weight_grid")) is not int or header["weight_grid"] not in (8, 16):
        raise InputError(f"{path}: weight_grid = {header.get('weight_grid')!r}; expected 8 or 16.")
    return header


def _read_tensors(run: Run) -> dict[str, Tensor]:
    path = run.weights_file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    # A zip archive or a pickle protocol mark: what torch.save writes. Opening it could run code.
    # The length that a safetensors file begins with may look like the mark; its JSON follows it.
    if content[:4] == b"PK\x03\x04" or (content[:1] == b"\x80" and content[8:9] != b"{"):
        raise InputError(
            f"{path} is a pickle, which can run code when opened, so it was not read; expected a "
            "safetensors file. Convert it where you trust it, or " + _REMAKE
        )
    try:
        return load_tensors(content)
    except (SafetensorError, ValueError, KeyError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path} is not a whole safetensors file ({error}); it may be truncated. Copy it "
            "again, or " + _REMAKE
        ) from error


def _check_tensors(tensors: dict[str, Tensor], shapes: dict[str, list[int]], run: Run) -> None:
    path = run.weights_file
    missing, unknown = (
        sorted(shapes.keys() - tensors.keys()),
        sorted(tensors.keys() - shapes.keys()),
    )
    if missing or unknown:
        kind, names = ("lacks", missing) if missing else ("holds the unknown", unknown)
        raise InputError(
            f"{path} {kind} tensor '{names[0]}' ({len(names)} in all), so it does not fit "
            f"{run.model_file.name}; {_REMAKE}"
        )
    for key, shape in shapes.items():
        value = tensors[key]
        if list(value.shape) != shape:
            raise InputError(
                f"{path}: {key} has shape {list(value.shape)}, expected {shape} from "
                f"{run.model_file.name}; {_REMAKE}"
            )
        if not value.is_floating_point():
            raise InputError(f"{path}: {key} is {value.dtype}, expected floating point.")
        # As the network will hold it: a float64 beyond the range of float32 is infinite there.
        if not bool(torch.isfinite(value.to(torch.float32)).all()):
            raise InputError(f"{path}: {key} holds NaN or infinity; {_REMAKE}")
