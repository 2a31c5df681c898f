"""The interface of a recurrent cell: what the skeleton of a network asks of it.

A layer maps its input x by one linear map per *drive* the cell has (``candidate`` for all, and
gates, thresholds and the like); the cell turns drives into states; the layer maps the states back
and adds them to x (``codesign.network``). Parameters that belong to no such map (thresholds,
amplitudes, recurrent weights) are the cell's ``own``.

Inside, units come first and clips last: drives [*S, units, T, B], own parameters [*S, units] (a
vector) or [*S, units, units] (a matrix), states [*S, state width, T, B]; [*S] are networks that
are evaluated together. A state is forgotten before a frame where ``resets`` [T, B] is true, and
the state before the first frame is ``initial`` [*S, state width, B], 0 when None. A complex state
is kept as real parts followed by imaginary parts, so every tensor here is real.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from codesign.cells.scan import linear_scan

Tensors = Mapping[str, Tensor]

DEFAULT_SHARPNESS = 3.0


@dataclass(frozen=True)
class Softness:
    """What training softens: ``leak`` is eps of the bistable cells (0: the deployed cell),
    ``sharpness`` the a of the surrogate gradient, in 1/units."""

    leak: float = 0.0
    sharpness: float = DEFAULT_SHARPNESS


HARD = Softness()


@dataclass(frozen=True)
class Aim:
    """Where a drive of a new network lies on real data: mean (of each unit, or of all) and
    standard deviation over clips and frames."""

    mean: Tensor | float
    spread: float


@dataclass(frozen=True)
class CellStart:
    """A sensible start: the cell's own parameters, and what its drives should look like.

    drives names what is not at the default, a drive of zero mean and unit spread.
    """

    own: dict[str, Tensor]
    drives: dict[str, Aim] = field(default_factory=dict)

    def aim(self, drive: str) -> Aim:
        """Where ``drive`` should lie."""
        return self.drives.get(drive, Aim(0.0, 1.0))


@dataclass(frozen=True)
class Cell(ABC):
    """One kind of recurrent cell; frozen dataclasses whose fields are settings of the start.

    name: as in ``network.cell`` of a flow. first_quadrant: every signal is a non-negative current
    and the limits of the chip hold. anneals: training lowers its leak to 0. bistable: states take
    discrete values. normalised: the layer's input is divided by its root mean square first.
    """

    name: ClassVar[str]
    first_quadrant: ClassVar[bool] = False
    anneals: ClassVar[bool] = False
    bistable: ClassVar[bool] = False
    normalised: ClassVar[bool] = False

    def drives(self, units: int) -> dict[str, int]:
        """Name and width of each linear map of the layer's input; the first is ``candidate``."""
        return {"candidate": units}

    @abstractmethod
    def own(self, units: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of each parameter that belongs to no linear map of the input."""

    def state_width(self, units: int) -> int:
        """Number of real values that one layer keeps from frame to frame."""
        return units

    @abstractmethod
    def start(self, units: int, frames: int, generator: torch.Generator) -> CellStart:
        """A start for sequences of about ``frames`` frames."""

    @abstractmethod
    def states(
        self,
        drives: Tensors,
        own: Tensors,
        initial: Tensor | None = None,
        resets: Tensor | None = None,
        soft: Softness = HARD,
    ) -> Tensor:
        """States [*S, state width, T, B] of a whole sequence."""

    @abstractmethod
    def step(self, drives: Tensors, own: Tensors, state: Tensor, soft: Softness = HARD) -> Tensor:
        """The next state [*S, state width, B] from drives [*S, units, B] and the state before."""


class ScannedCell(Cell):
    """A cell of the form h_t = a_t h_{t-1} + b_t, with a and b made of the drives of frame t."""

    @abstractmethod
    def coefficients(self, drives: Tensors, own: Tensors, soft: Softness) -> tuple[Tensor, Tensor]:
        """(a, b), each [*S, state width, T, B]."""

    def states(
        self,
        drives: Tensors,
        own: Tensors,
        initial: Tensor | None = None,
        resets: Tensor | None = None,
        soft: Softness = HARD,
    ) -> Tensor:
        """All frames in one linear scan; a reset is a_t = 0."""
        a, b = self.coefficients(drives, own, soft)
        return linear_scan(a, b, initial, resets)

    def step(self, drives: Tensors, own: Tensors, state: Tensor, soft: Softness = HARD) -> Tensor:
        """h_t = a_t h_{t-1} + b_t."""
        frame = {name: drive[..., None, :] for name, drive in drives.items()}
        a, b = self.coefficients(frame, own, soft)
        return (a * state[..., None, :] + b)[..., 0, :]


class SteppedCell(Cell):
    """A cell whose gates see its own state: frame after frame, with no way around it."""

    def states(
        self,
        drives: Tensors,
        own: Tensors,
        initial: Tensor | None = None,
        resets: Tensor | None = None,
        soft: Softness = HARD,
    ) -> Tensor:
        """Frame after frame; unbound once, because slicing makes the backward quadratic in T."""
        names = list(drives)
        first = drives[names[0]]
        if initial is None:
            initial = first.new_zeros(*first.shape[:-2], first.shape[-1])
        state, states = initial, []
        for t, frame in enumerate(zip(*(drives[name].unbind(-2) for name in names), strict=True)):
            if resets is not None:
                state = state.masked_fill(resets[t], 0)
            state = self.step(dict(zip(names, frame, strict=True)), own, state, soft)
            states.append(state)
        return torch.stack(states, dim=-2)


def time_constants(fast_frames: float, slow_frames: float, units: int) -> Tensor:
    """Time constants [units] in frames, from fast to slow by equal factors.

    A leaky unit that keeps k of its state per frame forgets over 1 / (1 - k) frames, more than 1.
    """
    fast = max(fast_frames, 1.01)
    return torch.logspace(math.log10(fast), math.log10(max(slow_frames, fast)), units)


def over_frames(vector: Tensor) -> Tensor:
    """A parameter [*S, units] against drives [*S, units, T, B]."""
    return vector[..., None, None]
