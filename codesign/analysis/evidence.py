"""What a waveform says of a root disagreement: when the cell moved, or did not, and on what.

A cell sees its candidate while it looks: the whole frame if it is asynchronous, its strobe's window
if it is strobed. Its decision node v0 is high for an active state. From the waveforms of one frame:

    the node is right, the output is not   the state line had not arrived: *settling*
    v0 moved while the cell should hold    *hold*; within ``KICK`` of a strobe's edge *injection*,
                                           if the candidate at that edge asked for nothing
    v0 moved (or did not) on a candidate that was wrong when it counted
        that lies beyond where the candidate began the frame and where it ended: *glitch*
        that was on its way from one to the other: *settling*
        that had arrived: *settling* if a state line below had not, else *static*, the circuit's
        own error, more than the spread
    v0 did not move, or turned back, though the candidate asked it to: *settling*, the cell needs
        longer

A twin's candidate within the spread of the threshold is *threshold* whatever the candidate did,
unless the cell held wrongly or its output was late; a cell that is not as programmed is *range*.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Part of a frame: what moves so soon after an edge of the strobe is the edge's doing; how far back
# a candidate is looked at to tell whether it moves.
KICK, BACK = 0.015, 0.2
# Part of its error by which a candidate that is still on its way changes over ``BACK``.
MOVING = 0.1
# Part of the supply by which v0 moves in the window if it is on its way when the window closes.
UNDECIDED = 0.1


@dataclass(frozen=True)
class RootWave:
    """A cell in the frame of a root: ``at`` is time in parts of the frame, from the sampling
    instant of the frame before (below 0; the first frame begins at 0) to the frame's own.

    ``candidate`` and ``state`` in units, ``v0`` in volts, all of shape (points,).
    """

    at: Floats
    candidate: Floats
    v0: Floats
    state: Floats

    def candidate_at(self, at: float) -> float:
        """The candidate at one instant."""
        return float(np.interp(at, self.at, self.candidate))


@dataclass(frozen=True)
class RootFacts:
    """What is known of a root from the samples, in units.

    ``window``: in parts of the frame, None for an asynchronous cell. ``was_on``: the chip's state
    in the frame before. ``late_below``: a state line of a layer below was on its way.
    """

    twin_candidate: float
    twin_on: bool
    was_on: bool
    beta_hi: float
    beta_lo: float
    alpha: float
    spread: float
    unsound: bool
    late_below: bool
    window: tuple[float, float] | None
    supply_v: float

    @property
    def threshold(self) -> float:
        """The threshold the cell's state looks at."""
        return self.beta_lo if self.was_on else self.beta_hi


def judge_wave(wave: RootWave, facts: RootFacts) -> tuple[str, str]:
    """The cause of a root and, in a sentence, what shows it."""
    high = wave.v0 > facts.supply_v / 2
    end = float(wave.at[-1])
    opens, closes = facts.window or (0.0, end)
    if bool(high[-1]) == facts.twin_on:
        return "settling", _late_line(wave, facts, high)
    if facts.unsound:
        return "range", "the cell's programmed numbers are not those of the network"
    moves = np.flatnonzero(high[1:] != high[:-1]) + 1
    moved = float(wave.at[moves[-1]]) if len(moves) else None
    undecided = moved is not None and moved > closes and _on_its_way(wave, facts, opens, closes)
    if moved is not None and facts.window is not None and not undecided:
        found = _moved_while_holding(wave, facts, moved, opens, closes)
        if found is not None:
            return found
    gap = abs(facts.twin_candidate - facts.threshold)
    if gap <= facts.spread:
        return "threshold", (
            f"the twin's candidate is {gap:.3f} units from the threshold at "
            f"{facts.threshold:.3f}, whose spread is {facts.spread:.3f}"
        )
    # What counted: where the cell moved wrongly, else where it last could have moved rightly.
    decided = min(closes, end) if moved is None else min(moved, closes)
    value = wave.candidate_at(decided)
    if (moved is None or undecided) and (value > facts.threshold) == facts.twin_on:
        return "settling", (
            f"the candidate had passed the threshold {_passed(wave, facts, opens, decided):.2f} "
            f"frames before the cell stopped looking, by {abs(value - facts.threshold):.3f} units: "
            "too little or too late for it to switch"
        )
    return _on_candidate(wave, facts, opens, decided, value)


def _late_line(wave: RootWave, facts: RootFacts, high: NDArray[np.bool_]) -> str:
    moves = np.flatnonzero(high[1:] != high[:-1]) + 1
    since = f"since {wave.at[moves[-1]]:.3f} of the frame" if len(moves) else "all along"
    part = wave.state[-1] / facts.alpha
    going = "charging" if facts.twin_on else "falling"
    return (
        f"the cell has the twin's state {since}; its output line is still {going}, at "
        f"{100 * part:.0f} % of {facts.alpha:.3g} units when sampled"
    )


def _on_its_way(wave: RootWave, facts: RootFacts, opens: float, closes: float) -> bool:
    """Whether v0 was between its states when the window closed: the hold current decided."""
    before, after = np.interp([opens, closes], wave.at, wave.v0)
    return bool(abs(after - before) > UNDECIDED * facts.supply_v)


def _moved_while_holding(
    wave: RootWave, facts: RootFacts, moved: float, opens: float, closes: float
) -> tuple[str, str] | None:
    """A move outside the window, or with its edges; None where the candidate may have caused it."""
    for name, edge in (("opening", opens), ("closing", closes)):
        if edge - KICK / 3 <= moved <= edge + KICK:
            value = wave.candidate_at(min(moved, closes))
            if (value > facts.threshold) != facts.twin_on:
                return None  # it asked for what the cell did
            return "injection", (
                f"the cell moved with the strobe's {name} edge at {moved:.3f} of the frame, while "
                f"its candidate was {value:.3f} units"
            )
    if opens <= moved <= closes:
        return None
    return "hold", f"the cell moved at {moved:.3f} of the frame, when it should hold"


def _passed(wave: RootWave, facts: RootFacts, opens: float, decided: float) -> float:
    """How long before ``decided`` the candidate was on the right side for good."""
    seen = (wave.at >= opens) & (wave.at <= decided)
    right = (wave.candidate[seen] > facts.threshold) == facts.twin_on
    wrong = np.flatnonzero(~right)
    since = float(wave.at[seen][wrong[-1]]) if len(wrong) else opens
    return decided - since


def _on_candidate(
    wave: RootWave, facts: RootFacts, opens: float, decided: float, value: float
) -> tuple[str, str]:
    start, last = wave.candidate_at(max(0.0, wave.at[0])), float(wave.candidate[-1])
    low, high = min(start, last) - facts.spread, max(start, last) + facts.spread
    said = (
        f"at {decided:.3f} of the frame, when the cell decided, its candidate was {value:.3f} "
        f"units (twin {facts.twin_candidate:.3f}, threshold {facts.threshold:.3f}"
    )
    if not low <= value <= high:
        return "glitch", f"{said}); it came from {start:.3f} and ended at {last:.3f}"
    error = value - facts.twin_candidate
    earlier = wave.candidate_at(max(0.0, decided - BACK)) - facts.twin_candidate
    later = last - facts.twin_candidate
    on_its_way = abs(earlier) > (1 + MOVING) * abs(error) or abs(later) < (1 - MOVING) * abs(error)
    if on_its_way:
        return "settling", f"{said}) and still moving: {last:.3f} when sampled"
    if facts.late_below:
        return "settling", f"{said}); a state line below was still on its way"
    return "static", f"{said}) and had settled there: {last:.3f} when sampled"
