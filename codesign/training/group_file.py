"""The state of a group of starts as one safetensors file, so that training can be continued.

Tensors as they are; the step, the clock and the history as JSON in the file's header. The
fingerprint says which recipe and data the state belongs to: a state of another is not used.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

import codesign
from codesign.files import atomic_path
from codesign.flows import Flow
from codesign.tasks.base import TaskData
from codesign.training.disturbance import disturbance_of
from codesign.training.group import GroupState

_TENSORS = (
    "rows", "first_moment", "second_moment", "best_rows", "best_accuracy", "best_objective",
    "best_step", "idle", "generator",
)  # fmt: skip


def fingerprint(flow: Flow, data: TaskData) -> str:
    """Hash of everything a training depends on: recipe, limits, torch, inputs and labels."""
    digest = hashlib.sha256()
    hardware = flow.hardware
    recipe = {
        "seed": flow.seed,
        "network": flow.network.model_dump(mode="json"),
        "training": flow.training.model_dump(mode="json"),
        "hardware": [hardware.weight_grid, hardware.bias_min_units, hardware.bias_max_units],
        "disturbance": repr(disturbance_of(flow)),
        "versions": [torch.__version__, codesign.__version__],
    }
    digest.update(json.dumps(recipe, sort_keys=True).encode())
    for split in (data.train, data.validation):
        for tensor in split.tensors().values():
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def save_group(path: Path, state: GroupState, mark: str) -> None:
    """Write a state; ``mark`` is the fingerprint."""
    tensors = {name: getattr(state, name).cpu().contiguous() for name in _TENSORS}
    header = {"step": state.step, "wall_s": state.wall_s, "history": state.history}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, {"mark": mark, "state": json.dumps(header)}))


def load_group(path: Path, mark: str, device: str) -> GroupState | None:
    """The state in ``path``, or None when there is none, it is damaged, or it has another mark.

    What cannot be continued is trained again from the beginning: the result is the same.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("mark") != mark:
                return None
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in _TENSORS}
            header = json.loads(metadata["state"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    on_device = {"rows", "first_moment", "second_moment", "best_rows"}
    placed = {name: t.to(device) if name in on_device else t for name, t in tensors.items()}
    return GroupState(
        step=header["step"], wall_s=header["wall_s"], history=header["history"], **placed
    )
