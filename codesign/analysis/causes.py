"""Why a state of the chip differs from the twin's: where it began, and what the samples say of it.

A layer has no lateral connections: a state depends on its own past and, through the candidate, on
the states of the layers below in the same frame. So every disagreement either is *inherited*, and
points to the one it follows from, or is a *root*. It is inherited

    in time     when its previous state differs and the chip's candidate would have led to the
                twin's state from the twin's previous one
    upwards     when a state below differs, has moved the candidate by more than the spread of the
                threshold, and the candidate so moved explains the state; of several states below
                it points to the one whose current is most wrong

A root's cause, as far as values at the sampling instant can tell
(``codesign.analysis.evidence`` looks at waveforms):

    range       the cell's programmed numbers are not those of the network, or it has no window
    settling    something had not arrived: the state line is on its way (between 5 and 95 % of
                alpha), or the candidate the chip holds is itself on the other side
    threshold   the twin's candidate was within the spread of the threshold that decided
    glitch      the sampled candidate is right, the state is not: something happened inside the
                frame that is gone by the end of it
    static, hold, injection   only waveforms can tell: a candidate that has settled at a wrong
                value, a cell that moved while it should hold, one that moved with a strobe's edge
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CAUSES = (
    "threshold", "settling", "glitch", "range", "static", "hold", "injection", "inherited",
)  # fmt: skip
_CODE = {name: code for code, name in enumerate(CAUSES)}
AGREES = -1

# Three times the rms error of a settled candidate with calibrated unit mirrors (docs/circuit.md).
CANDIDATE_SPREAD_UNITS = 0.033
# The worst threshold error allowed after calibration, where the cell itself was not measured.
THRESHOLD_SPREAD = 0.01
# A state line outside this part of alpha has arrived.
ARRIVED = 0.05


@dataclass(frozen=True)
class Limits:
    """What a cell decides by: arrays (layers, units), in units.

    ``spread_hi`` and ``spread_lo``: how near to a threshold a candidate may be for either outcome
    to be right. ``unsound``: cells whose programmed numbers are not the network's.
    """

    beta_hi: Floats
    beta_lo: Floats
    alpha: Floats
    spread_hi: Floats
    spread_lo: Floats
    unsound: Bools

    @classmethod
    def of(
        cls, beta_hi: Floats, beta_lo: Floats, alpha: Floats,
        measured: tuple[Floats, Floats] | None = None,
        sigma_relative: float = 0.0,
        unsound: Bools | None = None,
    ) -> "Limits":  # fmt: skip
        """The spread of a threshold is that of a candidate, and the threshold's own error:
        ``measured`` minus programmed (beta_hi, beta_lo; NaN where not measured), else one per
        cent; with mismatch, three sigma beside. A cell without measured window is unsound."""
        spreads = []
        lost = np.zeros(beta_hi.shape, bool) if unsound is None else unsound.copy()
        for k, programmed in enumerate((beta_hi, beta_lo)):
            error = THRESHOLD_SPREAD * programmed
            if measured is not None:
                error = np.abs(measured[k] - programmed)
                lost |= np.isnan(error)
                error = np.where(np.isnan(error), THRESHOLD_SPREAD * programmed, error)
            # Mismatch of both bias currents acts on either threshold as on the larger of them.
            spreads.append(CANDIDATE_SPREAD_UNITS + error + 3 * sigma_relative * beta_hi)
        return cls(beta_hi, beta_lo, alpha, spreads[0], spreads[1], lost)


@dataclass(frozen=True)
class Causes:
    """Arrays (n, layers, units, frames). ``code``: place in ``CAUSES``, or ``AGREES``.

    ``root``: where the disagreement began, as ``(frame * layers + layer) * units + unit``; -1
    where there is none. ``late_below``: a state line of a layer below is on its way.
    """

    code: NDArray[np.int8]
    root: NDArray[np.int32]
    late_below: Bools

    def root_at(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Frame, layer and unit of the roots."""
        layers, units = self.root.shape[1:3]
        frame, rest = np.divmod(self.root, layers * units)
        layer, unit = np.divmod(rest, units)
        return frame, layer, unit


def latch(candidate: Floats, previous: Bools, beta_hi: Floats, beta_lo: Floats) -> Bools:
    """The cell's rule on on/off states: set above beta_hi, keep above beta_lo, else clear."""
    return np.asarray((candidate > beta_hi) | ((candidate > beta_lo) & previous))


def find_causes(
    limits: Limits, twin_candidate: Floats, chip_candidate: Floats, twin_state: Floats,
    chip_state: Floats,
) -> Causes:  # fmt: skip
    """Roots of all disagreements and their causes; traces (n, layers, units, frames), in units."""
    high, low, alpha = (x[..., None] for x in (limits.beta_hi, limits.beta_lo, limits.alpha))
    twin, chip = twin_state > alpha / 2, chip_state > alpha / 2
    differs = twin != chip
    own = before(chip)
    spread = np.where(own, limits.spread_lo[..., None], limits.spread_hi[..., None])
    gap = np.abs(twin_candidate - np.where(own, low, high))
    follows = latch(chip_candidate, own, high, low) == chip
    in_time = before(differs) & (latch(chip_candidate, before(twin), high, low) == twin)
    moved = np.abs(chip_candidate - twin_candidate) > spread
    upwards = differs_below(differs)[..., None, :] & moved & follows & ~in_time
    part = chip_state / alpha
    on_its_way = (part > ARRIVED) & (part < 1 - ARRIVED)
    unsound = np.broadcast_to(limits.unsound[..., None], differs.shape)
    code = np.select(
        [in_time | upwards, unsound, on_its_way, gap <= spread, follows],
        [_CODE[k] for k in ("inherited", "range", "settling", "threshold", "settling")],
        _CODE["glitch"],
    )
    root = _roots(differs, in_time, upwards, np.abs(chip_state - twin_state))
    late = np.broadcast_to(differs_below(on_its_way)[..., None, :], differs.shape)
    return Causes(np.where(differs, code, AGREES).astype(np.int8), root, late)


def _roots(differs: Bools, in_time: Bools, upwards: Bools, error: Floats) -> NDArray[np.int32]:
    n, layers, units, frames = differs.shape
    place = np.arange(layers * units, dtype=np.int32).reshape(layers, units)
    root = np.full(differs.shape, -1, np.int32)
    rows = np.arange(n)[:, None]
    for frame in range(frames):
        for layer in range(layers):
            at = np.s_[:, layer, :, frame]
            found = np.broadcast_to(place[layer] + frame * layers * units, (n, units))
            if frame:
                found = np.where(in_time[at], root[:, layer, :, frame - 1], found)
            if layer:
                below = np.s_[:, :layer, :, frame]
                wrong = (error[below] * differs[below]).reshape(n, layer * units)
                roots = root[below].reshape(n, layer * units)
                worst = roots[rows, wrong.argmax(axis=1)[:, None]]
                found = np.where(upwards[at], worst, found)
            root[at] = np.where(differs[at], found, -1)
    return root


def differs_below(differs: Bools) -> Bools:
    """Whether any state of the layers below differs in the same frame: (..., layers, frames)."""
    wrong = differs.any(axis=-2)
    return np.asarray(np.cumsum(wrong, axis=-2) - wrong > 0)


def before(active: Bools) -> Bools:
    """The frame before, off before the first."""
    return np.concatenate([np.zeros_like(active[..., :1]), active[..., :-1]], axis=-1)
