"""What device noise does to a network: the same chips and clips with noise and without.

The reference of every noisy sample is the run of the same chip and clip without noise, in the same
engine; mismatch and the twin have no part in it. A *flip* is a state or a decision that differs
from that run's. Candidates and logits are compared where all states of the same frame and before
are equal in the repeat, so that what follows from a flip is counted once, as the flip.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.agreement import Yardstick
from codesign.analysis.intervals import wilson
from codesign.simulation.traces import Traces

Floats = NDArray[np.float64]


@dataclass
class NoiseTally:
    """What samples add up to. ``sums`` (4, layers, units): squared candidate errors (units^2),
    their number, candidates (units), flipped states."""

    yardstick: Yardstick
    rows: list[dict[str, Any]] = field(default_factory=list)
    sums: Floats | None = None
    states: int = 0

    def add(self, noisy: Traces, still: Traces, planned: pd.DataFrame) -> None:
        """Samples and, row for row, their runs without noise; ``planned`` is ``Plan.rows``."""
        unit_a = self.yardstick.unit_current_a
        half_a = self.yardstick.cells("alpha")[:, :, None] / 2 * unit_a
        ok = noisy.ok & still.ok
        units = [
            np.nan_to_num(traces.logits_a.astype(np.float64)) / unit_a for traces in (noisy, still)
        ]
        decided = [self.yardstick.decide(values) for values in units]
        margins = [self.yardstick.margins(values) for values in units]
        for k, plan in enumerate(planned.itertuples()):
            row: dict[str, Any] = {
                "sample": int(noisy.sample[k]), "chip": plan.chip, "clip_id": plan.clip_id,
                "corner": plan.corner, "noise_seed": plan.noise_seed, "compared": bool(ok[k]),
            }  # fmt: skip
            if ok[k]:
                states = [traces.states_a[k] > half_a for traces in (noisy, still)]
                differs = states[0] != states[1]
                # Frames before the first flip: there all that follows from noise is linear.
                clean = ~np.logical_or.accumulate(differs.any(axis=(0, 1)))
                error = (noisy.candidates_a[k] - still.candidates_a[k]).astype(np.float64) / unit_a
                carries = still.candidates_a[k] > 0.02 * unit_a
                used = clean[None, None, :] & carries
                self._sum(error, used, differs, still.candidates_a[k] / unit_a)
                logit = (noisy.logits_a[k] - still.logits_a[k]).astype(np.float64)[clean] / unit_a
                top = int(decided[1][k])
                margin = [values[k, top] for values in margins]
                power = [traces.power_w[k].sum() for traces in (noisy, still)]
                row |= {
                    "decision": int(decided[0][k]),
                    "decision_without_noise": top,
                    "flipped": int(decided[0][k]) != top,
                    "states_flipped": int(differs.sum()),
                    "states": int(differs.size),
                    "candidate_square_units2": float(np.square(error[used]).sum()),
                    "candidate_count": int(used.sum()),
                    "logit_square_units2": float(np.square(logit).sum()),
                    "logit_count": int(logit.size),
                    "margin_units": float(margin[0]),
                    "margin_without_noise_units": float(margin[1]),
                    "power_w": float(power[0]),
                    "power_without_noise_w": float(power[1]),
                }
            self.rows.append(row)

    def _sum(
        self, error: Floats, used: NDArray[np.bool_], differs: NDArray[np.bool_], current: Floats
    ) -> None:
        parts = np.stack(
            [
                np.where(used, error**2, 0).sum(axis=2),
                used.sum(axis=2),
                np.where(used, current, 0).sum(axis=2),
                differs.sum(axis=2),
            ]
        ).astype(np.float64)
        self.sums = parts if self.sums is None else self.sums + parts
        self.states += differs.shape[2]

    def samples(self) -> pd.DataFrame:
        """One row per sample."""
        return pd.DataFrame(self.rows).astype({"chip": "Int64", "noise_seed": "Int64"})

    def units(self) -> pd.DataFrame:
        """One row per cell: rms of its candidate's noise, how often its state flipped."""
        columns = [
            "layer", "unit", "candidate_rms_units", "candidate_mean_units", "candidate_count",
            "states_flipped", "states",
        ]  # fmt: skip
        rows: list[tuple[Any, ...]] = []
        for layer, unit in () if self.sums is None else np.ndindex(self.sums.shape[1:]):
            assert self.sums is not None
            square, count, current, flips = (float(part[layer, unit]) for part in self.sums)
            rms, mean = (np.sqrt(square / count), current / count) if count else (np.nan, np.nan)
            rows.append((layer, unit, float(rms), float(mean), int(count), int(flips), self.states))
        return pd.DataFrame(rows, columns=columns)


def clip_rows(samples: pd.DataFrame) -> pd.DataFrame:
    """One row per (corner, chip, clip): flips and the spread of the margin over its noise seeds."""
    good = samples[samples["compared"]]
    if good.empty:
        return pd.DataFrame()
    grouped = good.groupby(["corner", "chip", "clip_id"], dropna=False, sort=False)
    table = grouped.agg(
        seeds=("sample", "size"),
        decisions_flipped=("flipped", "sum"),
        states_flipped=("states_flipped", "sum"),
        states=("states", "sum"),
        margin_without_noise_units=("margin_without_noise_units", "first"),
        margin_mean_units=("margin_units", "mean"),
        margin_sigma_units=("margin_units", "std"),
    ).reset_index()
    return table.astype({"decisions_flipped": "int64", "states_flipped": "int64"})


def noise_figures(samples: pd.DataFrame, units: pd.DataFrame) -> dict[str, Any]:
    """Headline figures under stable names.

    ``noise_decisions_flipped`` of ``noise_samples_compared`` and ``noise_states_flipped`` of
    ``noise_states_compared`` with 95 % intervals (samples of one clip share their margin, so the
    intervals are of these chips and clips, over noise); rms values in units; powers with noise over
    without.
    """
    good = samples[samples["compared"]]
    figures: dict[str, Any] = {
        "noise_samples": len(samples),
        "noise_samples_compared": len(good),
    }
    if good.empty:
        return figures
    flipped, states = int(good["flipped"].sum()), int(good["states"].sum())
    states_flipped = int(good["states_flipped"].sum())
    clips = clip_rows(samples)
    ratio = good["power_w"].to_numpy() / good["power_without_noise_w"].to_numpy()
    measured = units["candidate_rms_units"].dropna()
    return figures | {
        "noise_decisions_flipped": flipped,
        "noise_decisions_flipped_interval": wilson(flipped, len(good)),
        "noise_states_flipped": states_flipped,
        "noise_states_compared": states,
        "noise_states_flipped_interval": wilson(states_flipped, states),
        "noise_samples_with_a_flip": int((good["states_flipped"] > 0).sum()),
        "noise_clips_with_a_flipped_decision": int((clips["decisions_flipped"] > 0).sum()),
        "noise_clips": len(clips),
        "noise_candidate_rms_units": _rms(good, "candidate"),
        "noise_candidate_rms_max_units": float(measured.max()) if len(measured) else None,
        "noise_logit_rms_units": _rms(good, "logit"),
        "noise_margin_sigma_median_units": _number(clips["margin_sigma_units"].median()),
        "noise_power_ratio_mean": float(ratio.mean()),
        "noise_power_ratio_max": float(np.abs(ratio - 1).max() + 1),
    }


def _rms(good: pd.DataFrame, name: str) -> float | None:
    count = int(good[f"{name}_count"].sum())
    return float(np.sqrt(good[f"{name}_square_units2"].sum() / count)) if count else None


def _number(value: float) -> float | None:
    return None if value != value else float(value)


def tallied(
    yardstick: Yardstick, pairs: Iterable[tuple[Traces, Traces, pd.DataFrame]]
) -> NoiseTally:
    """All samples of a plan, block by block."""
    tally = NoiseTally(yardstick)
    for noisy, still, planned in pairs:
        tally.add(noisy, still, planned)
    return tally
