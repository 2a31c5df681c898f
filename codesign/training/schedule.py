"""What changes with the step: leak, grid, learning rate. Pure functions of the step."""

import math
from dataclasses import dataclass

from codesign.flows import TrainingSection

_FINAL_LEARNING_RATE = 0.05  # of the initial one


@dataclass(frozen=True)
class Moment:
    """Knobs of one step: eps of the cells, strength of the grid, learning rate.

    deployed: eps = 0 and the grid fully on, so that what is evaluated is what is built; only
    then may a checkpoint be chosen.
    """

    leak: float
    grid_strength: float
    learning_rate: float
    margin_strength: float

    @property
    def deployed(self) -> bool:
        return self.leak == 0 and self.grid_strength == 1


def moment(step: int, settings: TrainingSection) -> Moment:
    """The knobs of ``step`` (0-based) out of ``settings.steps``.

    eps falls linearly to 0, and the learning rate along half a cosine once eps is 0: first find
    the memory, then settle it. The last step is always deployed.
    """
    last = step >= settings.steps - 1
    part = 1.0 if last else step / (settings.steps - 1)
    fraction = settings.leak_fraction
    leak = settings.leak_start * (1 - part / fraction) if part < fraction else 0.0
    start = settings.grid_fraction
    if part < start:
        strength = 0.0
    else:
        ramp = min(settings.grid_ramp_fraction, 1 - start)
        strength = 1.0 if part - start >= ramp else (part - start) / ramp
    settled = max(0.0, (part - fraction) / (1 - fraction))
    cosine = (1 + math.cos(math.pi * settled)) / 2
    rate = settings.learning_rate * (_FINAL_LEARNING_RATE + (1 - _FINAL_LEARNING_RATE) * cosine)
    ramp = settings.margin_ramp_fraction
    margin = min(1.0, part / ramp) if ramp else 1.0
    return Moment(leak, 1.0 if last else strength, rate, margin)
