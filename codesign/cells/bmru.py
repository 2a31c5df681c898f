"""The bistable memory recurrent unit with signed states (BMRU) and its cumulative relatives.

With c = W x + b, beta = |W' x + b'|, z = H(|c| - beta) and S the sign,

    BMRU        h_t = z S(c) alpha + (1 - z) h_{t-1}
    CMRU        h_t = h_{t-1} + z S(c) alpha
    alphaCMRU   h_t = h_{t-1} + z S(c) alpha_t,   alpha_t = |W'' x + b''|

BMRU overwrites: states are alpha or -alpha (0 before the first overwrite). CMRU adds: states are
multiples of alpha, and the gradient of a state passes every update unchanged, where an overwrite
stops it. alphaCMRU adds increments of any size. BMRU and CMRU are the ends of one family,

    s_t = z (S(c) + eps s_{t-1}) + (1 - z) s_{t-1},    h_t = alpha s_t,

BMRU at eps = 0 and CMRU at eps = 1; training anneals the eps of BMRU to 0. What is added at a set
is scaled by 1 - eps there, as in FQ-BMRU, so that states stay within alpha.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from codesign.cells.base import Aim, CellStart, ScannedCell, Softness, Tensors, over_frames
from codesign.cells.surrogate import heaviside


def sign(x: Tensor, sharpness: float) -> Tensor:
    """1 where x > 0, else -1; its surrogate gradient is twice that of the step."""
    return 2 * heaviside(x, sharpness) - 1


@dataclass(frozen=True)
class Bmru(ScannedCell):
    """Overwrites with +-alpha where the candidate exceeds a threshold made of the input.

    threshold: mean of beta on the data of a new network, in standard deviations of the candidate:
    at 2 about one frame in twenty overwrites.
    """

    name: ClassVar[str] = "bmru"
    anneals: ClassVar[bool] = True
    bistable: ClassVar[bool] = True

    threshold: float = 2.0
    threshold_spread: float = 0.5

    def drives(self, units: int) -> dict[str, int]:
        """c and, before its absolute value, beta."""
        return {"candidate": units, "threshold": units}

    def own(self, units: int) -> dict[str, tuple[int, ...]]:
        """alpha of every unit."""
        return {"alpha": (units,)}

    def start(self, units: int, frames: int, generator: torch.Generator) -> CellStart:
        """Overwrites are rare to begin with, so that what is stored lasts."""
        return CellStart(
            own={"alpha": torch.ones(units)},
            drives={"threshold": Aim(self.threshold, self.threshold_spread)},
        )

    def coefficients(self, drives: Tensors, own: Tensors, soft: Softness) -> tuple[Tensor, Tensor]:
        """a = (1 - z) + z eps, b = (1 - eps) z S(c) alpha."""
        overwrite, direction = _update(drives, soft)
        a = 1 - overwrite * (1 - soft.leak)
        return a, (1 - soft.leak) * overwrite * direction * over_frames(own["alpha"])


@dataclass(frozen=True)
class Cmru(Bmru):
    """Adds +-alpha where BMRU overwrites; it trains as it is used, with no leak."""

    name: ClassVar[str] = "cmru"
    anneals: ClassVar[bool] = False

    def coefficients(self, drives: Tensors, own: Tensors, soft: Softness) -> tuple[Tensor, Tensor]:
        """a = 1, b = z S(c) alpha."""
        added, direction = _update(drives, soft)
        b = added * direction * over_frames(own["alpha"])
        return torch.ones_like(b), b


@dataclass(frozen=True)
class AlphaCmru(Bmru):
    """CMRU whose increments are made of the input, so its states are not quantised.

    increment: mean of alpha_t on the data of a new network.
    """

    name: ClassVar[str] = "alpha_cmru"
    anneals: ClassVar[bool] = False
    bistable: ClassVar[bool] = False

    increment: float = 1.0
    increment_spread: float = 0.3

    def drives(self, units: int) -> dict[str, int]:
        """c, and before their absolute values beta and alpha."""
        return {"candidate": units, "threshold": units, "increment": units}

    def own(self, units: int) -> dict[str, tuple[int, ...]]:
        """Nothing: the increment takes the place of alpha."""
        return {}

    def start(self, units: int, frames: int, generator: torch.Generator) -> CellStart:
        """As BMRU, with increments near 1."""
        return CellStart(
            own={},
            drives={
                "threshold": Aim(self.threshold, self.threshold_spread),
                "increment": Aim(self.increment, self.increment_spread),
            },
        )

    def coefficients(self, drives: Tensors, own: Tensors, soft: Softness) -> tuple[Tensor, Tensor]:
        """a = 1, b = z S(c) alpha_t."""
        added, direction = _update(drives, soft)
        b = added * direction * drives["increment"].abs()
        return torch.ones_like(b), b


def _update(drives: Tensors, soft: Softness) -> tuple[Tensor, Tensor]:
    """(z, S(c)) with surrogate gradients."""
    candidate = drives["candidate"]
    exceeds = heaviside(candidate.abs() - drives["threshold"].abs(), soft.sharpness)
    return exceeds, sign(candidate, soft.sharpness)
