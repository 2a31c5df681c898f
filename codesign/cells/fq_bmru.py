"""The first-quadrant bistable memory cell (FQ-BMRU) and its memoryless control.

    h_t = H(c_t - beta_hi) alpha + H(c_t - beta_lo) H(beta_hi - c_t) h_{t-1},   h_0 = 0

with beta_lo = beta_hi - width, all parameters fixed per unit (Fyon et al., arXiv:2605.15216).
Training softens it with a leak eps that is annealed to 0,

    a_t = hold_t + (1 - hold_t) eps,    b_t = (1 - eps) H(c_t - beta_hi) alpha

At eps = 0 this is the deployed cell. The set term carries no factor (1 - hold): the forward
would be the same, but its gradient would be wrong while holding.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from codesign.cells import latch_native
from codesign.cells.base import (
    DEFAULT_SHARPNESS,
    HARD,
    Aim,
    Cell,
    CellStart,
    Softness,
    Tensors,
    over_frames,
)
from codesign.cells.scan import linear_scan
from codesign.cells.surrogate import heaviside


def fq_bmru(
    candidate: Tensor,
    beta_hi: Tensor,
    width: Tensor,
    alpha: Tensor,
    leak: float = 0.0,
    sharpness: float = DEFAULT_SHARPNESS,
    initial: Tensor | None = None,
    resets: Tensor | None = None,
) -> Tensor:
    """States [..., T, d] of the bistable cell, in units; ``leak`` is eps (0: the deployed cell).

    Parameters broadcast against the candidates, ``resets`` (True: forget the state before this
    frame) too; ``initial`` [..., d] is the state before the first frame. The candidate may be
    given before its ReLU: with beta_lo > 0 the states are the same and no gradient dies.
    """
    given = (candidate, beta_hi, width, alpha, leak, sharpness, initial, resets)
    if latch_native.serves(candidate, beta_hi, width, alpha):
        return latch_native.latch(composed, *given)
    return composed(*given)


def composed(
    candidate: Tensor,
    beta_hi: Tensor,
    width: Tensor,
    alpha: Tensor,
    leak: float = 0.0,
    sharpness: float = DEFAULT_SHARPNESS,
    initial: Tensor | None = None,
    resets: Tensor | None = None,
) -> Tensor:
    """The same in torch operations: any device and dtype, parameters that change in time."""
    above = heaviside(candidate - beta_hi, sharpness)
    hold = heaviside(candidate - (beta_hi - width), sharpness) * (1 - above)
    a = hold + (1 - hold) * leak if leak else hold
    return linear_scan(a, (1 - leak) * above * alpha, initial, resets)


def memoryless(
    candidate: Tensor,
    beta_hi: Tensor,
    width: Tensor,
    alpha: Tensor,
    leak: float = 0.0,
    sharpness: float = DEFAULT_SHARPNESS,
) -> Tensor:
    """The control, h_t = H(c_t - beta_hi) alpha: width and leak have no part in it."""
    return heaviside(candidate - beta_hi, sharpness) * alpha


@dataclass(frozen=True)
class FqBmru(Cell):
    """The cell of the chip; thresholds, widths and amplitudes are bias currents, in units.

    center: where the candidates of a new network lie, in the middle of the window or at 0.
    """

    name: ClassVar[str] = "fq_bmru"
    first_quadrant: ClassVar[bool] = True
    anneals: ClassVar[bool] = True
    bistable: ClassVar[bool] = True

    beta_lo_units: float = 0.6
    width_units: float = 2.5
    center: Literal["window", "zero"] = "window"
    spread_units: float = 1.0

    def own(self, units: int) -> dict[str, tuple[int, ...]]:
        """beta_hi, width = beta_hi - beta_lo, and alpha, of every unit."""
        return {"beta_hi": (units,), "width": (units,), "alpha": (units,)}

    def start(self, units: int, frames: int, generator: torch.Generator) -> CellStart:
        """Windows so wide that most frames hold; the same for every unit and any length."""
        lower, width = self.beta_lo_units, self.width_units
        mean = lower + width / 2 if self.center == "window" else 0.0
        return CellStart(
            own={
                "beta_hi": torch.full((units,), lower + width),
                "width": torch.full((units,), width),
                "alpha": torch.ones(units),
            },
            drives={"candidate": Aim(mean, self.spread_units)},
        )

    def states(
        self,
        drives: Tensors,
        own: Tensors,
        initial: Tensor | None = None,
        resets: Tensor | None = None,
        soft: Softness = HARD,
    ) -> Tensor:
        """Each state is 0 or the unit's alpha, at leak 0."""
        beta_hi, width, alpha = (over_frames(own[name]) for name in ("beta_hi", "width", "alpha"))
        candidate = drives["candidate"]
        return fq_bmru(candidate, beta_hi, width, alpha, soft.leak, soft.sharpness, initial, resets)

    def step(self, drives: Tensors, own: Tensors, state: Tensor, soft: Softness = HARD) -> Tensor:
        """Set above beta_hi, cleared below beta_lo, held between."""
        frame = {name: drive[..., None, :] for name, drive in drives.items()}
        return self.states(frame, own, state, None, soft)[..., 0, :]


@dataclass(frozen=True)
class Memoryless(FqBmru):
    """The control: the same parameters, and no memory. Its width has no part in it."""

    name: ClassVar[str] = "memoryless"
    anneals: ClassVar[bool] = False

    def states(
        self,
        drives: Tensors,
        own: Tensors,
        initial: Tensor | None = None,
        resets: Tensor | None = None,
        soft: Softness = HARD,
    ) -> Tensor:
        """H(c_t - beta_hi) alpha: no state to begin with and none to reset."""
        beta_hi, width, alpha = (over_frames(own[name]) for name in ("beta_hi", "width", "alpha"))
        return memoryless(drives["candidate"], beta_hi, width, alpha, soft.leak, soft.sharpness)
