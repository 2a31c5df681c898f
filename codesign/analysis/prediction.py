"""What a twin that knows the circuit says beforehand of where the equations and a chip part."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Prediction:
    """Counts of states (unit, frame).

    ``disagreements``: the ideal twin's with the transistors; ``predicted``: those in which the twin
    has what the transistors have; ``false_alarms``: states in which the twin contradicts the ideal
    one and the transistors do not. The twin's own disagreements with the transistors are
    ``disagreements - predicted + false_alarms``.
    """

    states: int = 0
    disagreements: int = 0
    predicted: int = 0
    false_alarms: int = 0

    def __add__(self, other: "Prediction") -> "Prediction":
        return Prediction(
            self.states + other.states,
            self.disagreements + other.disagreements,
            self.predicted + other.predicted,
            self.false_alarms + other.false_alarms,
        )

    @property
    def wrong(self) -> int:
        """States in which the twin contradicts the transistors."""
        return self.disagreements - self.predicted + self.false_alarms

    def figures(self) -> dict[str, int]:
        """As in ``summary.json``."""
        return {
            "ideal_disagreements": self.disagreements,
            "ideal_disagreements_predicted": self.predicted,
            "false_alarms": self.false_alarms,
        }


def count_prediction(ideal: Bools, twin: Bools, transistors: Bools) -> Prediction:
    """Active states of the three, arrays of one shape (they broadcast)."""
    ideal, twin, transistors = np.broadcast_arrays(ideal, twin, transistors)
    differs = ideal != transistors
    return Prediction(
        transistors.size,
        int(differs.sum()),
        int((differs & (twin == transistors)).sum()),
        int((~differs & (twin != transistors)).sum()),
    )
