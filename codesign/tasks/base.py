"""What every task gives to training and simulation: three splits of input currents and labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from codesign.errors import InputError

TOKEN_TYPES = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
NOT_SCORED = -1  # label of a frame that counts neither in the loss nor in the accuracy
NO_TOKEN = -1  # token of a frame with every input line off: padding
_FRAMES_OF_SAMPLE = 2_000_000


@dataclass(frozen=True)
class Split:
    """Clips as input currents, or as tokens that become currents a batch at a time.

    inputs: float32 [N, T, n_in], non-negative, in units of the unit current; row t is frame t.
    Or tokens, integers [N, T] in 0..lines-1: token k is 1 unit on line k and 0 on the others
    (NO_TOKEN: 0 on all). Kept as integers, because a long text as currents would not fit.
    labels: int64, an index into the class names: [N], one per clip, or [N, T], one per frame, with
    NOT_SCORED where a frame is not to be judged.
    ids: one stable name per clip, so that a clip can be found again in its source.
    lines: number of input lines of tokens; 0 for currents, which say it themselves.
    """

    inputs: Tensor
    labels: Tensor
    ids: tuple[str, ...]
    lines: int = 0

    def __post_init__(self) -> None:
        if self.lines:
            self._check_tokens()
        else:
            self._check_currents()
        least = NOT_SCORED if self.per_frame else 0
        shaped = self.labels.shape in (self.inputs.shape[:1], self.inputs.shape[:2])
        if not shaped or self.labels.dtype != torch.int64 or bool((self.labels < least).any()):
            raise ValueError(
                "labels must be int64 [N] (one per clip) or [N, T] (one per frame), and "
                "non-negative except NOT_SCORED frames"
            )
        if len(self.ids) != len(self.labels):
            raise ValueError("ids must name every clip")

    def _check_currents(self) -> None:
        if self.inputs.ndim != 3 or self.inputs.dtype != torch.float32:
            raise ValueError(f"inputs must be float32 [N, T, n_in], not {self.inputs.shape}")
        if not torch.isfinite(self.inputs).all() or (self.inputs < 0).any():
            raise ValueError("inputs must be finite and non-negative: they become currents")

    def _check_tokens(self) -> None:
        if self.inputs.ndim != 2 or self.inputs.dtype not in TOKEN_TYPES:
            raise ValueError(f"tokens must be integers [N, T], not {self.inputs.shape}")
        if len(self) and not (
            int(self.inputs.min()) >= NO_TOKEN and int(self.inputs.max()) < self.lines
        ):
            raise ValueError(f"tokens must lie in 0..{self.lines - 1}, or be NO_TOKEN")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def frames(self) -> int:
        """T, frames per clip."""
        return int(self.inputs.shape[1])

    @property
    def n_inputs(self) -> int:
        """n_in, input lines of the network."""
        return self.lines or int(self.inputs.shape[2])

    @property
    def per_frame(self) -> bool:
        """Whether every frame has a label of its own."""
        return self.labels.ndim == 2

    def batch(self, index: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Some clips: (inputs float32 [B, T, n_in] in units, labels int64 [B] or [B, T]).

        index: clip numbers int64 [B], or a slice. Everything stays on the split's device.
        """
        return self.currents(index), self.labels[index]

    def currents(self, index: Tensor | slice = slice(None)) -> Tensor:
        """Input currents of some clips (all by default), float32 [B, T, n_in], units."""
        chosen = self.inputs[index]
        if not self.lines:
            return chosen
        # One row per token; NO_TOKEN, -1, takes the last one, which is empty.
        rows = torch.eye(self.lines + 1, self.lines, device=chosen.device)
        return rows[chosen.long()]

    def sample(self, frames: int = _FRAMES_OF_SAMPLE) -> Tensor:
        """Currents [B, T, n_in] of clips spread evenly over the split, some ``frames`` in all.

        A split with no more frames than that is given whole. For statistics of the inputs.
        """
        clips = max(1, frames // self.frames)
        if clips >= len(self):
            return self.currents()
        return self.currents(torch.arange(clips, device=self.inputs.device) * len(self) // clips)

    def to(self, device: torch.device | str) -> "Split":
        """The same split with its tensors on a device."""
        return Split(self.inputs.to(device), self.labels.to(device), self.ids, self.lines)

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        """What is kept of a split on disk beside its ids; ``from_tensors`` reads it."""
        return {
            f"{prefix}inputs": self.inputs.contiguous(),
            f"{prefix}labels": self.labels.contiguous(),
            f"{prefix}lines": torch.tensor(self.lines),
        }

    @staticmethod
    def from_tensors(
        tensors: Mapping[str, Tensor], ids: tuple[str, ...], prefix: str = ""
    ) -> "Split":
        """The split that ``tensors`` wrote. Raises KeyError or ValueError when it is not one."""
        # Runs made before there were tokens say nothing of lines.
        lines = tensors.get(f"{prefix}lines")
        return Split(
            tensors[f"{prefix}inputs"],
            tensors[f"{prefix}labels"],
            ids,
            0 if lines is None else int(lines),
        )


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
            if (split.n_inputs, split.per_frame) != (self.n_inputs, self.per_frame):
                raise ValueError(f"the {name} split differs from the training split in its shape")

    def splits(self) -> dict[str, Split]:
        """The three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def n_inputs(self) -> int:
        """Input lines of the network."""
        return self.train.n_inputs

    @property
    def per_frame(self) -> bool:
        """Whether every frame has a label of its own."""
        return self.train.per_frame
