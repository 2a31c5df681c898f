"""Why a state of the chip differs from the twin's: the first divergence and what follows from it.

A layer has no lateral connections: a state depends on its own past and, through the candidate, on
the states of the layers below in the same frame. So a disagreement is *inherited* when its own
previous state or any state below already differs. Otherwise it starts here, and is put down to

    threshold   the twin's candidate was within ``NEAR_UNITS`` of a threshold: the two decided a
                near-tie differently
    settling    the candidate the chip holds when sampled is itself on the other side
    glitch      the sampled candidate is right, the state is not: something happened inside the
                frame that is gone by the end of it
    inherited   the previous state of the same cell, or a state below, already differs
"""

import numpy as np
from numpy.typing import NDArray

NEAR_UNITS = 0.05

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


CAUSES = ("threshold", "settling", "glitch", "inherited")
AGREES = -1


def latch(candidate: Floats, previous: Bools, beta_hi: Floats, beta_lo: Floats) -> Bools:
    """The cell's rule on on/off states: set above beta_hi, keep above beta_lo, else clear."""
    return np.asarray((candidate > beta_hi) | ((candidate > beta_lo) & previous))


def find_causes(
    twin_candidate: Floats,
    chip_candidate: Floats,
    twin_active: Bools,
    chip_active: Bools,
    beta_hi: Floats,
    beta_lo: Floats,
) -> NDArray[np.int8]:
    """Cause of each disagreement as its place in ``CAUSES``, ``AGREES`` where there is none.

    Traces have shape (..., layers, units, frames), thresholds (layers, units), all in units.
    """
    differs = twin_active != chip_active
    high, low = beta_hi[..., None], beta_lo[..., None]
    inherited = differs_below(differs)[..., None, :] | before(differs)
    near = np.minimum(np.abs(twin_candidate - high), np.abs(twin_candidate - low)) < NEAR_UNITS
    follows = latch(chip_candidate, before(chip_active), high, low) == chip_active
    causes = np.select([inherited, near, follows], [3, 0, 1], 2)
    return np.where(differs, causes, AGREES).astype(np.int8)


def differs_below(differs: Bools) -> Bools:
    """Whether any state of the layers below differs in the same frame: (..., layers, frames)."""
    wrong = differs.any(axis=-2)
    return np.asarray(np.cumsum(wrong, axis=-2) - wrong > 0)


def before(active: Bools) -> Bools:
    """The frame before, off before the first."""
    return np.concatenate([np.zeros_like(active[..., :1]), active[..., :-1]], axis=-1)
