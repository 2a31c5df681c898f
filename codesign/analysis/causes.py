"""Why a state of the chip differs from the twin's: the first divergence and what follows from it.

A layer has no lateral connections: a state depends on its own past and, through the candidate, on
the states of the layers below in the same frame. So a disagreement is *inherited* when its own
previous state or any state below already differs. Otherwise it starts here, and is put down to

    threshold   the twin's candidate was within ``NEAR_UNITS`` of a threshold: the two decided a
                near-tie differently
    settling    the candidate the chip holds when sampled is itself on the other side
    glitch      the sampled candidate is right, the state is not: something happened inside the
                frame that is gone by the end of it
"""

import numpy as np
from numpy.typing import NDArray

NEAR_UNITS = 0.05

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def latch(candidate: float, previous: bool, beta_hi: float, beta_lo: float) -> bool:
    """The cell's rule on an on/off state: set above beta_hi, keep above beta_lo, else clear."""
    return candidate > beta_hi or (candidate > beta_lo and previous)


def find_causes(
    twin_candidate: Floats,
    chip_candidate: Floats,
    twin_active: Bools,
    chip_active: Bools,
    beta_hi: Floats,
    beta_lo: Floats,
) -> NDArray[np.object_]:
    """Cause of each disagreement, None where chip and twin agree.

    Traces have shape (layers, units, frames), thresholds (layers, units), all in units.
    """
    differs = twin_active != chip_active
    causes = np.full(differs.shape, None, dtype=object)
    below_differs = np.cumsum(differs.any(axis=1), axis=0) - differs.any(axis=1) > 0
    for layer, unit, frame in np.argwhere(differs):
        before = bool(chip_active[layer, unit, frame - 1]) if frame else False
        if below_differs[layer, frame] or (frame and differs[layer, unit, frame - 1]):
            causes[layer, unit, frame] = "inherited"
            continue
        thresholds = (beta_hi[layer, unit], beta_lo[layer, unit])
        wanted, got = twin_candidate[layer, unit, frame], chip_candidate[layer, unit, frame]
        follows = latch(got, before, *thresholds) == bool(chip_active[layer, unit, frame])
        if min(abs(wanted - threshold) for threshold in thresholds) < NEAR_UNITS:
            causes[layer, unit, frame] = "threshold"
        else:
            causes[layer, unit, frame] = "settling" if follows else "glitch"
    return causes
