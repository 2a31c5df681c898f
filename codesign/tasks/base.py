"""What every task gives to training and simulation: three splits of input currents and labels."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from codesign.errors import InputError


@dataclass(frozen=True)
class Split:
    """Clips as input currents.

    inputs: float32 [N, T, n_in], non-negative, in units of the unit current; row t is frame t.
    labels: int64 [N], an index into the class names.
    ids: one stable name per clip, so that a clip can be found again in its source.
    """

    inputs: Tensor
    labels: Tensor
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.inputs.ndim != 3 or self.inputs.dtype != torch.float32:
            raise ValueError(f"inputs must be float32 [N, T, n_in], not {self.inputs.shape}")
        if self.labels.dtype != torch.int64 or self.labels.shape != self.inputs.shape[:1]:
            raise ValueError("labels must be int64 [N], one per clip")
        if len(self.ids) != len(self.labels):
            raise ValueError("ids must name every clip")
        if not torch.isfinite(self.inputs).all() or (self.inputs < 0).any():
            raise ValueError("inputs must be finite and non-negative: they become currents")

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class TaskData:
    """A task ready to learn and to simulate.

    notes holds whatever is needed to make the same inputs from a new clip (feature
    normalisation and the like) and is written into the run as JSON.
    """

    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    description: str
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, split in self.splits().items():
            if len(split) == 0:
                raise InputError(f"The {name} split is empty; the task needs more data.")
            if int(split.labels.max()) >= len(self.class_names):
                raise ValueError(f"a label of the {name} split has no class name")

    def splits(self) -> dict[str, Split]:
        """The three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def n_inputs(self) -> int:
        """Input lines of the network."""
        return int(self.train.inputs.shape[2])
