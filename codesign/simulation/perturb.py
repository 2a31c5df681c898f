"""Error suppression: the plan's clips on the nominal chip with noise on their inputs.

Every input current of every frame gets a Gaussian of standard deviation sigma, held for the frame;
currents below zero are zero. The noise of a sample depends on its seed and on sigma alone.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.suppression import Currents, suppression_figures, suppression_pairs
from codesign.analysis.yardstick import Yardstick
from codesign.files import atomic_path
from codesign.simulation.engines import GROUP, Engine
from codesign.simulation.plan import Plan, sample_seed

SIGMAS_UNITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
# Medians over units and clips need no more.
CLIPS = 100

Floats = NDArray[np.float64]


def noisy_inputs(inputs_units: Floats, seed: int, sigma_units: float) -> Floats:
    """Inputs of one clip (frames, channels) with noise held per frame."""
    draw = np.random.default_rng([seed, round(sigma_units * 1e6)])
    noise = draw.normal(0.0, sigma_units, inputs_units.shape)
    return np.asarray(np.maximum(0.0, inputs_units + noise))


def measure_suppression(
    folder: Path,
    engine: Engine,
    yardstick: Yardstick,
    plan: Plan,
    inputs_units: Floats,
    sigmas_units: tuple[float, ...],
    threads: int,
) -> dict[str, object]:
    """Run the first clips of a plan, undisturbed and with each sigma; write suppression.parquet.

    ``inputs_units`` (clips of the plan, frames, channels). Clips that do not end well with every
    sigma are left out.
    """
    inputs = inputs_units[:CLIPS]
    seeds = [sample_seed(plan.run_seed, plan.start + k) for k in range(len(inputs))]
    still, ok = _run(engine, inputs, yardstick.unit_current_a, threads)
    noisy = []
    for sigma in sigmas_units:
        disturbed = np.stack(
            [noisy_inputs(clip, seed, sigma) for clip, seed in zip(inputs, seeds, strict=True)]
        )
        found, well = _run(engine, disturbed, yardstick.unit_current_a, threads)
        noisy.append(found)
        ok &= well
    limits = yardstick.decides_by()
    pairs = pd.concat(
        [
            suppression_pairs(limits, _take(still, ok), _take(one, ok), sigma)
            for one, sigma in zip(noisy, sigmas_units, strict=True)
        ],
        ignore_index=True,
    )
    pairs["clip_id"] = np.array(plan.clip_ids, dtype=object)[np.flatnonzero(ok)][pairs["clip"]]
    with atomic_path(folder / "suppression.parquet") as path:
        pairs.to_parquet(path, index=False)
    return suppression_figures(pairs)


def _run(
    engine: Engine, inputs: Floats, unit_a: float, threads: int
) -> tuple[Currents, NDArray[np.bool_]]:
    candidates, states, ok = [], [], []
    for start in range(0, len(inputs), GROUP):
        part = inputs[start : start + GROUP]
        clip = np.arange(len(part), dtype=np.int64)
        result = engine.run(part, clip, None, np.zeros_like(clip), threads=threads)
        candidates.append(np.asarray(result.candidates_a, np.float64) / unit_a)
        states.append(np.asarray(result.states_a, np.float64) / unit_a)
        ok += [status == "ok" for status in result.status]
    return Currents(np.concatenate(candidates), np.concatenate(states)), np.array(ok)


def _take(currents: Currents, rows: NDArray[np.bool_]) -> Currents:
    return Currents(currents.candidates[rows], currents.states[rows])
