"""minGRU and its deep, normalised form (Feng et al., arXiv:2410.01201).

    z_t = sigmoid(Wz x + bz),    h_t = (1 - z_t) h_{t-1} + z_t (W x + b)

Gates and candidates depend on the input alone, so a whole sequence is one linear scan. The
candidate is signed, as in the algorithm's plain form. What a unit can remember is set by its gate
at the start: with a drive b it forgets over 1 + exp(-b) frames.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from codesign.cells.base import (
    Aim,
    CellStart,
    ScannedCell,
    Softness,
    Tensors,
    time_constants,
)


@dataclass(frozen=True)
class MinGru(ScannedCell):
    """fast_frames, slow_frames: time constants of the first and the last unit of a new network,
    others between by equal factors; slow_frames 0 is the sequence's length. gate_spread: standard
    deviation of the gate drives."""

    name: ClassVar[str] = "mingru"

    fast_frames: float = 2.0
    slow_frames: float = 0.0
    gate_spread: float = 1.0

    def drives(self, units: int) -> dict[str, int]:
        """The candidate, and the gate before its sigmoid."""
        return {"candidate": units, "gate": units}

    def own(self, units: int) -> dict[str, tuple[int, ...]]:
        """Nothing."""
        return {}

    def start(self, units: int, frames: int, generator: torch.Generator) -> CellStart:
        """Time constants spread over the units: a gate of 1 / tau has the drive -log(tau - 1)."""
        tau = time_constants(self.fast_frames, self.slow_frames or frames, units)
        return CellStart(own={}, drives={"gate": Aim(-torch.log(tau - 1), self.gate_spread)})

    def coefficients(self, drives: Tensors, own: Tensors, soft: Softness) -> tuple[Tensor, Tensor]:
        """a = 1 - z, b = z (W x + b)."""
        gate = torch.sigmoid(drives["gate"])
        return 1 - gate, gate * drives["candidate"]


@dataclass(frozen=True)
class DeepMinGru(MinGru):
    """minGRU behind a root-mean-square normalisation, for networks of four layers and more."""

    name: ClassVar[str] = "deep_mingru"
    normalised: ClassVar[bool] = True


def rms_normalised(x: Tensor, gain: Tensor) -> Tensor:
    """x [*S, d, N] over its root mean square across units, times a gain [*S, d]
    (Zhang and Sennrich, arXiv:1910.07467)."""
    return x * torch.rsqrt(x.square().mean(-2, keepdim=True) + 1e-6) * gain[..., None]
