"""What samples are compared with: the network's numbers, its rule, and its twin on every clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.analysis.causes import Limits
from codesign.circuit.timing import Timing
from codesign.decision import class_margins, compared, decide
from codesign.mapping.design import Shape
from codesign.rules import Rule
from codesign.twin.ideal import TwinTrace

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Yardstick:
    """What a sample is compared with: the network's thresholds, gains and decision rule."""

    shape: Shape
    parameters: Mapping[str, Floats]
    rule: Rule
    near_tie_units: float
    unit_current_a: float
    timing: Timing
    limits: Limits | None = None

    def decides_by(self) -> Limits:
        """What cells decide by; as programmed where nothing was measured."""
        if self.limits is not None:
            return self.limits
        high = self.cells("beta_hi")
        return Limits.of(high, high - self.cells("width"), self.cells("alpha"))

    def cells(self, name: str) -> Floats:
        """One learned number of every cell, shape (layers, units)."""
        return np.stack(
            [self.parameters[f"layers.{k}.cell.{name}"] for k in range(self.shape.layers)]
        )

    def decide(self, logits: Floats) -> NDArray[np.int64]:
        """Decisions of logits (n, frames, classes) in units, (n,)."""
        return np.asarray(decide(torch.tensor(logits), self.rule).numpy())

    def compared(self, logits: Floats) -> Floats:
        """What the rule tells classes apart by: (n, frames, classes) -> (n, classes), units."""
        return np.asarray(compared(torch.tensor(logits), self.rule).numpy())

    def margins(self, logits: Floats) -> Floats:
        """Margin of every class (``decision.class_margins``), positive for the one decided:
        (n, frames, classes) -> (n, classes), units."""
        return np.asarray(class_margins(torch.tensor(logits), self.rule).numpy())

    def margins_of(self, logits: Floats, decision: NDArray[np.int64]) -> Floats:
        """Margin of the class ``decision`` (n,) of each sample, (n,); negative if another wins."""
        return np.asarray(np.take_along_axis(self.margins(logits), decision[:, None], 1)[:, 0])


@dataclass(frozen=True)
class Twins:
    """The twin's traces of some clips, stacked: as ``TwinTrace``, with the clip as first axis."""

    candidates: Floats
    states: Floats
    logits: Floats
    decision: NDArray[np.int64]
    margin_units: Floats

    @classmethod
    def of(cls, traces: Sequence[TwinTrace]) -> "Twins":
        return cls(
            np.stack([trace.candidates for trace in traces]),
            np.stack([trace.states for trace in traces]),
            np.stack([trace.logits for trace in traces]),
            np.array([trace.decision for trace in traces], dtype=np.int64),
            np.array([trace.margin_units for trace in traces]),
        )

    def take(self, clips: NDArray[np.int64]) -> "Twins":
        """The twins of clips at these places."""
        return Twins(
            self.candidates[clips], self.states[clips], self.logits[clips],
            self.decision[clips], self.margin_units[clips],
        )  # fmt: skip
