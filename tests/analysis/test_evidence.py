"""Waveforms made up for every cause: what the cell saw, when it moved, what was read."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from codesign.analysis.evidence import RootFacts, RootWave, judge_wave

Floats = NDArray[np.float64]
AT = np.linspace(-0.05, 0.95, 401)
WINDOW = (0.4, 0.6)
HI, LO = 1.0, 0.5

# An off cell that the twin sets.
SETS = RootFacts(
    twin_candidate=1.3, twin_on=True, was_on=False, beta_hi=HI, beta_lo=LO, alpha=0.8,
    spread=0.05, unsound=False, late_below=False, window=WINDOW, supply_v=1.8,
)  # fmt: skip
# An off cell that the twin leaves alone.
STAYS = replace(SETS, twin_candidate=0.7, twin_on=False)


def step(at: float, before: float, after: float) -> Floats:
    return np.where(at <= AT, after, before)


def wave(candidate: Floats | float, v0: Floats | float, state: Floats | float) -> RootWave:
    return RootWave(AT, *(np.broadcast_to(x, AT.shape) + 0.0 for x in (candidate, v0, state)))


def late(frame: float) -> Callable[[float, float], Floats]:
    """An exponential with this time constant, from the frame's start."""
    return lambda start, end: end + (start - end) * np.exp(-np.maximum(AT, 0) / frame)


def bump(at: float) -> Floats:
    return 0.7 + 0.9 * np.exp(-((AT - at) ** 2) / 1e-3)


CASES: dict[str, tuple[str, RootFacts, RootWave, str]] = {
    "a line that still charges": (
        "settling",
        SETS,
        wave(1.3, step(0.45, 0, 1.7), step(0.45, 0, 0.32)),
        "still charging, at 40 %",
    ),
    "a line that still falls": (
        "settling",
        replace(SETS, twin_candidate=0.2, twin_on=False, was_on=True),
        wave(0.2, step(0.45, 1.7, 0), step(0.45, 0.8, 0.5)),
        "still falling, at 62 %",
    ),
    "a candidate near the threshold": (
        "threshold", replace(SETS, twin_candidate=1.03), wave(0.99, 0, 0), "0.030 units from",
    ),
    "a candidate on its way": (
        "settling", SETS, wave(late(0.5)(0.2, 1.3), 0, 0), "still moving: 1.135 when sampled",
    ),
    "a candidate that settled elsewhere": (
        "static", SETS, wave(0.9, 0, 0), "had settled there",
    ),
    "a candidate wrong by a line below that is late": (
        "settling", replace(SETS, late_below=True), wave(0.9, 0, 0), "a state line below",
    ),
    "an excursion that is gone when sampled": (
        "glitch",
        STAYS,
        wave(bump(0.45), step(0.44, 0, 1.7), step(0.45, 0, 0.8)),
        "came from 0.700 and ended at 0.700",
    ),
    "the same excursion in an asynchronous cell, early in the frame": (
        "glitch",
        replace(STAYS, window=None),
        wave(bump(0.1), step(0.1, 0, 1.7), step(0.11, 0, 0.8)),
        "at 0.102 of the frame",
    ),
    "a cell that had too little time": (
        "settling", SETS, wave(step(0.59, 0.8, 1.3), 0.02, 0), "too little or too late",
    ),
    "a cell that moved after its window": (
        "hold", STAYS, wave(0.7, step(0.75, 0, 1.7), step(0.76, 0, 0.8)), "moved at 0.750",
    ),
    "a cell that moved before its window": (
        "hold", STAYS, wave(step(0.1, 1.4, 0.7), step(0.2, 0, 1.7), step(0.21, 0, 0.8)), "at 0.200",
    ),
    "a cell kicked by the strobe's edge": (
        "injection", STAYS, wave(0.7, step(0.6075, 0, 1.7), step(0.61, 0, 0.8)), "closing edge",
    ),
    "a cell that had begun when the window closed": (
        "settling",
        replace(SETS, was_on=True, beta_lo=1.5),
        wave(1.6, np.interp(AT, [0.5, 0.6, 0.7], [1.7, 1.0, 0.0]), step(0.65, 0.8, 0)),
        "too little or too late",
    ),
    "a cell that is not the network's": (
        "range", replace(SETS, unsound=True), wave(1.3, 0, 0), "programmed numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_cause(name: str) -> None:
    cause, facts, seen, said = CASES[name]
    found, why = judge_wave(seen, facts)
    assert found == cause, why
    assert said in why


def test_an_asynchronous_cell_never_holds() -> None:
    facts = replace(STAYS, window=None)
    cause, _ = judge_wave(wave(step(0.75, 0.7, 1.4), step(0.75, 0, 1.7), 0.8), facts)
    assert cause == "static"


def test_a_candidate_that_asked_at_the_edge_is_no_injection() -> None:
    """The cell was told to switch just before the window closed, and did a little later."""
    asked = wave(step(0.58, 0.7, 1.4), step(0.607, 0, 1.7), step(0.61, 0, 0.8))
    cause, why = judge_wave(asked, STAYS)
    assert cause != "injection", why
