"""Mismatch of one or many chips as the twins take it, from the draws the transistors get.

A device whose threshold is shifted by t (towards more current) and whose mobility is mulu0 carries

    exp(log + t s),    log = q ln mulu0 + kd t,    s = gm / I

times its nominal current (docs/engine.md); as a copy it multiplies, as the diode of a line it
divides what every copy of that line carries. s depends on the current a little.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codesign.simulation.draws import Draws
from codesign.twin.transfer import Floats, Transfer


@dataclass(frozen=True)
class Deviation:
    """Of an array of devices: ``log`` and ``shift_v``, each [chips, ...]."""

    log: Tensor
    shift_v: Tensor

    def at(self, gm_over_i: Tensor | float) -> Tensor:
        """ln of the current's change at this gm/I (1/V)."""
        return self.log + self.shift_v * gm_over_i

    def minus(self, other: "Deviation") -> "Deviation":
        return Deviation(self.log - other.log, self.shift_v - other.shift_v)


class Chips:
    """Deviations by instance name, from draws and from ``fittings`` (ln of the current).

    Without either it is the nominal chip, and signals have no chip dimension.
    """

    def __init__(
        self, transfer: Transfer, draws: Draws | None, like: Tensor,
        fitted: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        self.transfer, self.draws, self.like, self.fitted = transfer, draws, like, fitted or {}
        self.place = {} if draws is None else {n: k for k, n in enumerate(draws.instances)}

    @property
    def nominal(self) -> bool:
        """Whether no chip was drawn."""
        return self.draws is None

    def of(self, polarity: str, names: Iterable[str]) -> Deviation | None:
        """Devices (n,) of one polarity: [chips, n], one chip when none was drawn; None when they
        are as a twin assumes. A device the netlist does not have is nominal."""
        names = list(names)
        fitted = np.array([self.fitted.get(name, 0.0) for name in names])
        if self.draws is None:
            if not self.fitted:
                return None
            return Deviation(self._tensor(fitted[None]), self._tensor(0 * fitted[None]))
        line = self.transfer.n if polarity == "n" else self.transfer.p
        at = np.array([self.place.get(name, -1) for name in names])
        there = at >= 0
        shift = np.where(there, self.draws.delvto_v[:, at], 0.0)
        shift = shift if polarity == "p" else -shift
        log = line.mobility * np.log(np.where(there, self.draws.mulu0[:, at], 1.0))
        return Deviation(self._tensor(log + line.kd_per_v * shift + fitted), self._tensor(shift))

    def _tensor(self, values: Floats) -> Tensor:
        return torch.from_numpy(values).to(self.like)
