"""The bistable recurrent cell and its neuromodulated form (Vecoven et al., arXiv:2006.05252).

    a = 1 + tanh(Ua x + wa h),   k = sigmoid(Uk x + wk h),   h <- k h + (1 - k) tanh(U x + a h)

A unit with a > 1 has two stable states, one with a < 1 forgets. In BRC a unit sees its own state
alone (wa, wk are vectors); in nBRC its gates see all units (matrices Wa, Wk).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from codesign.cells.base import (
    HARD,
    Aim,
    CellStart,
    Softness,
    SteppedCell,
    Tensors,
    time_constants,
)


@dataclass(frozen=True)
class Brc(SteppedCell):
    """fast_frames, slow_frames, gate_spread: as minGRU's, of the gate k. gain: mean drive of the
    gate a; above 0 most units of a new network are bistable."""

    name: ClassVar[str] = "brc"

    fast_frames: float = 2.0
    slow_frames: float = 0.0
    gain: float = 0.0
    gate_spread: float = 1.0

    def drives(self, units: int) -> dict[str, int]:
        """Candidate and the gates k and a, before their functions."""
        return {"candidate": units, "keep": units, "gain": units}

    def own(self, units: int) -> dict[str, tuple[int, ...]]:
        """wa and wk, of every unit."""
        return {"keep": (units,), "gain": (units,)}

    def start(self, units: int, frames: int, generator: torch.Generator) -> CellStart:
        """Recurrent weights of a size that leaves the gates to the input."""
        own = {
            name: torch.randn(shape, generator=generator) / shape[-1] ** (len(shape) - 1) ** 0.5
            for name, shape in self.own(units).items()
        }
        tau = time_constants(self.fast_frames, self.slow_frames or frames, units)
        return CellStart(
            own=own,
            drives={
                "keep": Aim(torch.log(tau - 1), self.gate_spread),
                "gain": Aim(self.gain, self.gate_spread),
            },
        )

    def step(self, drives: Tensors, own: Tensors, state: Tensor, soft: Softness = HARD) -> Tensor:
        """One frame."""
        gain = 1 + torch.tanh(drives["gain"] + self._seen(own["gain"], state))
        keep = torch.sigmoid(drives["keep"] + self._seen(own["keep"], state))
        return torch.lerp(torch.tanh(drives["candidate"] + gain * state), state, keep)

    def _seen(self, weight: Tensor, state: Tensor) -> Tensor:
        return weight[..., None] * state


@dataclass(frozen=True)
class Nbrc(Brc):
    """BRC whose gates see the states of all units."""

    name: ClassVar[str] = "nbrc"

    def own(self, units: int) -> dict[str, tuple[int, ...]]:
        """Wa and Wk."""
        return {"keep": (units, units), "gain": (units, units)}

    def _seen(self, weight: Tensor, state: Tensor) -> Tensor:
        return weight @ state
