"""Variation of a whole process: what all devices of a chip share, beside their mismatch.

An adapter lists its sources: independent normal numbers, drawn once per chip, and what one standard
deviation of each does to the devices of either polarity. A source that both polarities feel (the
gate oxide) correlates them; one that only one feels does not.
"""

import math
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, model_validator

_LARGEST_V = 1.0


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shift(_Table):
    """What one standard deviation of a source does to all devices of a polarity.

    ``vth_v`` is added to the threshold as ngspice's ``delvto`` is, so that a positive one makes an
    N device weaker and a P device stronger; ``k`` is the relative change of the current factor;
    ``w_m`` and ``l_m`` are added to the drawn sizes.
    """

    vth_v: float = Field(default=0.0, gt=-_LARGEST_V, lt=_LARGEST_V)
    k: float = Field(default=0.0, gt=-1, lt=1)
    w_m: float = Field(default=0.0, gt=-1e-6, lt=1e-6)
    l_m: float = Field(default=0.0, gt=-1e-6, lt=1e-6)

    def factor(self, w_m: float, l_m: float) -> float:
        """Relative change of the current factor of a device drawn ``w_m`` by ``l_m`` (metres)."""
        return self.k + self.w_m / w_m - self.l_m / l_m


class Source(_Table):
    """One independent cause of variation and what its standard deviation does."""

    nmos: Shift = Shift()
    pmos: Shift = Shift()

    @model_validator(mode="after")
    def _something(self) -> "Source":
        if self.nmos == Shift() and self.pmos == Shift():
            raise ValueError("changes nothing; give nmos or pmos a vth_v, k, w_m or l_m")
        return self

    def of(self, polarity: str) -> Shift:
        """Its effect on devices of a polarity, "n" or "p"."""
        return {"n": self.nmos, "p": self.pmos}[polarity]


def sigma_vth_v(process: Mapping[str, Source], polarity: str) -> float:
    """Standard deviation of the threshold that all devices of a polarity share, in volts."""
    return math.hypot(*(source.of(polarity).vth_v for source in process.values()))


def sigma_k(process: Mapping[str, Source], polarity: str, w_m: float, l_m: float) -> float:
    """Relative standard deviation of the current factor of all devices of this polarity and size,
    to first order."""
    return math.hypot(*(source.of(polarity).factor(w_m, l_m) for source in process.values()))


# Sources by name. A name is part of the address of its draws: renaming one draws other chips.
ProcessVariation = Mapping[str, Source]
