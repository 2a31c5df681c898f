"""The linear recurrent unit: a diagonal complex recurrence (Orvieto et al., arXiv:2303.06349).

    h_t = lambda h_{t-1} + gamma B x_t,    lambda = exp(-exp(nu) + i exp(theta)),
    y_t = Re(C h_t) + D x_t,               gamma = sqrt(1 - |lambda|^2) at the start, learned as
                                           its logarithm

|lambda| < 1 whatever nu is. B is two drives (real and imaginary part) without further meaning, and
Re(C h) is a real map of the 2 d parts, which is the layer's output map; the layer's skip
connection passes x on, in the place of D.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from codesign.cells.base import HARD, Cell, CellStart, Softness, Tensors, over_frames
from codesign.cells.scan import linear_scan


@dataclass(frozen=True)
class Lru(Cell):
    """fast_frames, slow_frames: lambda of a new network lies in the ring between the radii of
    these time constants, exp(-1 / frames), uniform in area; slow_frames 0 is the sequence's length.
    phase: largest angle of lambda, in radians per frame."""

    name: ClassVar[str] = "lru"

    fast_frames: float = 2.0
    slow_frames: float = 0.0
    phase: float = math.pi / 10

    def drives(self, units: int) -> dict[str, int]:
        """B x, real parts and imaginary parts."""
        return {"candidate": units, "imaginary": units}

    def own(self, units: int) -> dict[str, tuple[int, ...]]:
        """Logarithms of the decay, of the angle and of the input's scale, of every unit."""
        return {"nu": (units,), "theta": (units,), "log_gamma": (units,)}

    def state_width(self, units: int) -> int:
        """Real parts and imaginary parts."""
        return 2 * units

    def start(self, units: int, frames: int, generator: torch.Generator) -> CellStart:
        """lambda on a ring, as the paper draws it (section 3.3)."""
        inner = math.exp(-1 / self.fast_frames)
        outer = max(inner, math.exp(-1 / (self.slow_frames or frames)))
        square = inner**2 + (outer**2 - inner**2) * torch.rand(units, generator=generator)
        angle = self.phase * torch.rand(units, generator=generator)
        return CellStart(
            own={
                "nu": torch.log(-0.5 * torch.log(square)),
                "theta": torch.log(angle.clamp_min(1e-6)),
                "log_gamma": 0.5 * torch.log1p(-square),
            }
        )

    def states(
        self,
        drives: Tensors,
        own: Tensors,
        initial: Tensor | None = None,
        resets: Tensor | None = None,
        soft: Softness = HARD,
    ) -> Tensor:
        """Real parts, then imaginary parts, of every frame."""
        decay, b = _decay(own), _input(drives, own)
        before = None if initial is None else _complex(initial)
        return _real(linear_scan(over_frames(decay).expand_as(b), b, before, resets), -3)

    def step(self, drives: Tensors, own: Tensors, state: Tensor, soft: Softness = HARD) -> Tensor:
        """lambda h + gamma B x."""
        frame = {name: drive[..., None, :] for name, drive in drives.items()}
        moved = _decay(own)[..., None] * _complex(state) + _input(frame, own)[..., 0, :]
        return _real(moved, -2)


def _decay(own: Tensors) -> Tensor:
    """lambda [*S, d], complex."""
    return torch.exp(torch.complex(-torch.exp(own["nu"]), torch.exp(own["theta"])))


def _input(drives: Tensors, own: Tensors) -> Tensor:
    """gamma B x [*S, d, T, B], complex."""
    gamma = over_frames(torch.exp(own["log_gamma"]))
    return torch.complex(gamma * drives["candidate"], gamma * drives["imaginary"])


def _complex(state: Tensor) -> Tensor:
    return torch.complex(*state.chunk(2, dim=-2))


def _real(state: Tensor, units: int) -> Tensor:
    return torch.cat([state.real, state.imag], dim=units)
