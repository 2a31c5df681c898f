"""The gated recurrent unit (Cho et al., arXiv:1406.1078), reset gate after the matrix.

    r = sigmoid(Wr x + br + Ur h),    k = sigmoid(Wk x + bk + Uk h)
    n = tanh(W x + b + r (U h + c)),  h <- k h + (1 - k) n

Its gates see the state, so it runs frame after frame. The bias of the keep gate k is drawn for
the sequence's length (after Tallec and Ollivier, arXiv:1804.11188: chrono initialisation).
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
class Gru(SteppedCell):
    """fast_frames, slow_frames, gate_spread: as minGRU's, of the keep gate."""

    name: ClassVar[str] = "gru"

    fast_frames: float = 2.0
    slow_frames: float = 0.0
    gate_spread: float = 1.0

    def drives(self, units: int) -> dict[str, int]:
        """Candidate, keep gate and reset gate, before their functions."""
        return {"candidate": units, "keep": units, "reset": units}

    def own(self, units: int) -> dict[str, tuple[int, ...]]:
        """The three recurrent matrices, and c."""
        square = (units, units)
        return {"keep": square, "reset": square, "candidate": square, "candidate_bias": (units,)}

    def start(self, units: int, frames: int, generator: torch.Generator) -> CellStart:
        """Orthogonal recurrent matrices, and a spread of time constants."""
        tau = time_constants(self.fast_frames, self.slow_frames or frames, units)
        own = {name: _orthogonal(units, generator) for name in ("keep", "reset", "candidate")}
        return CellStart(
            own=own | {"candidate_bias": torch.zeros(units)},
            drives={
                "keep": Aim(torch.log(tau - 1), self.gate_spread),
                "reset": Aim(0.0, self.gate_spread),
            },
        )

    def step(self, drives: Tensors, own: Tensors, state: Tensor, soft: Softness = HARD) -> Tensor:
        """One frame."""
        keep = torch.sigmoid(drives["keep"] + own["keep"] @ state)
        reset = torch.sigmoid(drives["reset"] + own["reset"] @ state)
        inner = own["candidate"] @ state + own["candidate_bias"][..., None]
        return torch.lerp(torch.tanh(drives["candidate"] + reset * inner), state, keep)


def _orthogonal(units: int, generator: torch.Generator) -> Tensor:
    """A random orthogonal matrix [units, units]."""
    q, r = torch.linalg.qr(torch.randn(units, units, generator=generator))
    turned: Tensor = q * r.diagonal().sign()  # or the distribution would not be uniform
    return turned
