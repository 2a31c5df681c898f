"""Chips the plan does not have: any draws on any clip of the plan, in the batched engine."""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.yardstick import Yardstick
from codesign.circuit.elements import Mosfet
from codesign.pdk.adapter import MismatchLaw
from codesign.simulation.draws import Draws, draw_mismatch
from codesign.simulation.engines import GROUP, Engine
from codesign.simulation.plan import Plan, chip_seed

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_POLARITY = {"n": "nmos", "p": "pmos"}


@dataclass(frozen=True)
class Seen:
    """What became of n samples: signed margins (n,) and compared logits (n, classes); candidates,
    states and whether these are active (n, layers, units, frames). Currents in units; NaN and
    False where a sample failed (``ok``)."""

    margin_units: Floats
    compared_units: Floats
    candidates_units: NDArray[np.float32]
    states_units: NDArray[np.float32]
    active: Bools
    ok: Bools

    def take(self, rows: Ints) -> "Seen":
        return Seen(
            self.margin_units[rows], self.compared_units[rows], self.candidates_units[rows],
            self.states_units[rows], self.active[rows], self.ok[rows],
        )  # fmt: skip


def seen(
    yardstick: Yardstick, decision: Ints, candidates_a: NDArray[np.float32],
    states_a: NDArray[np.float32], logits_a: NDArray[np.float32], ok: Bools,
) -> Seen:  # fmt: skip
    """Arrays of an engine (as in ``Traces``) against the decisions (n,) their margins are of."""
    unit_a = yardstick.unit_current_a
    logits = np.asarray(logits_a, np.float64) / unit_a
    compared = np.full((len(ok), logits.shape[-1]), np.nan)
    compared[ok] = yardstick.compared(logits[ok])
    margin = np.full(len(ok), np.nan)
    margin[ok] = yardstick.margins_of(logits[ok], decision[ok])
    half = yardstick.cells("alpha")[:, :, None] / 2
    candidates, states = (
        np.asarray(values, np.float32) / np.float32(unit_a) for values in (candidates_a, states_a)
    )
    return Seen(margin, compared, candidates, states, states > half, ok)


@dataclass(frozen=True)
class Chips:
    """Samples of a plan at the design's corner.

    ``rows``: of every sample chip, at (place of its clip), ok and margin_units, signed. ``seen``:
    what became of the first chips' samples, which are the first rows.
    """

    rows: pd.DataFrame
    seen: Seen

    def of_clip(self, at: int) -> tuple[Ints, Seen]:
        """Of the first chips those that ended well with the clip at this place, ascending."""
        first = self.rows.iloc[: len(self.seen.ok)]
        here = np.flatnonzero((first["at"].to_numpy() == at) & self.seen.ok)
        return first["chip"].to_numpy(np.int64)[here], self.seen.take(here)


@dataclass(frozen=True)
class Probe:
    """An engine at the corner of the design, and the plan's clips.

    ``inputs_units`` (clips, frames, channels), ``decision`` (clips,) that of the ideal twin on
    each; places of clips (``at``) count from 0 in the plan's order.
    """

    engine: Engine
    devices: tuple[Mosfet, ...]
    law: MismatchLaw
    plan: Plan
    yardstick: Yardstick
    inputs_units: Floats
    decision: Ints
    threads: int

    def draws(self, chips: Ints) -> Draws:
        """Those of chips of the plan, and of chips beyond its last, by index."""
        seeds = [chip_seed(self.plan.run_seed, int(k)) for k in chips]
        return draw_mismatch(self.devices, self.law, seeds)

    def sigma(self) -> Floats:
        """Standard deviations of each device's own mismatch, (devices, 2): volts, relative."""
        return np.array(
            [
                [
                    law(_POLARITY[d.polarity], float(d.w_m), float(d.l_m), int(d.m))
                    for law in (self.law.sigma_vth_v, self.law.sigma_k)
                ]
                for d in self.devices
            ]
        )

    def nominal(self, at: Ints) -> Seen:
        """The nominal chip on these clips."""
        none = np.zeros((1, len(self.devices)))
        return self.run(at, none, none + 1.0, np.zeros(len(at), np.int64))

    def run(self, at: Ints, delvto_v: Floats, mulu0: Floats, chip: Ints) -> Seen:
        """Sample k is clip ``at[k]`` on the chip of row ``chip[k]`` of the draws, which are (chips,
        devices) in the order of ``devices``."""
        if not len(at):  # an empty result of the right shape
            return self.run(
                np.zeros(1, np.int64), delvto_v[:1], mulu0[:1], np.zeros(1, np.int64)
            ).take(at)
        parts = [
            self._part(at[k : k + GROUP], delvto_v, mulu0, chip[k : k + GROUP])
            for k in range(0, len(at), GROUP)
        ]
        return joined(parts)

    def _part(self, at: Ints, delvto_v: Floats, mulu0: Floats, chip: Ints) -> Seen:
        places, clip = np.unique(at, return_inverse=True)
        rows, row = np.unique(chip, return_inverse=True)
        draws = Draws(self.engine.instances, delvto_v[rows], mulu0[rows])
        found = self.engine.run(self.inputs_units[places], clip, draws, row, threads=self.threads)
        ok = np.array([status == "ok" for status in found.status])
        return seen(
            self.yardstick, self.decision[at], found.candidates_a, found.states_a,
            found.logits_a, ok,
        )  # fmt: skip


def joined(parts: list[Seen]) -> Seen:
    """Samples one after the other."""
    return Seen(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in (field.name for field in fields(Seen))
        )
    )
