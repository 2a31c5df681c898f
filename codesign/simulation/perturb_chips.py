"""Error suppression on drawn chips: each runs some clips undisturbed and with noisy inputs."""

from dataclasses import replace

import numpy as np
import pandas as pd

from codesign.analysis.suppression import Currents, suppression_pairs
from codesign.analysis.suppression_chips import by_chip
from codesign.simulation.perturb import noisy_inputs
from codesign.simulation.plan import sample_seed
from codesign.simulation.probe import Probe, Seen

# Enough for percentiles 5 and 95 of a ratio.
CHIPS = 100
CLIPS = 2
SIGMAS_UNITS = (0.02, 0.05, 0.1)


def suppression_over_chips(
    probe: Probe, sigmas_units: tuple[float, ...] = SIGMAS_UNITS
) -> pd.DataFrame:
    """``by_chip`` of the plan's first chips and clips. Samples of which any run failed are left
    out. The noise of a clip depends on the run's seed, its place and sigma: all chips get the same.
    """
    assert probe.plan.chips is not None
    chips = np.arange(min(CHIPS, probe.plan.chips))
    clips = np.arange(min(CLIPS, len(probe.plan.clips)))
    chip, at = (index.ravel() for index in np.meshgrid(chips, clips, indexing="ij"))
    draws = probe.draws(chips)
    seeds = [sample_seed(probe.plan.run_seed, int(k)) for k in clips]

    def run(one: Probe) -> Seen:
        return one.run(at, draws.delvto_v, draws.mulu0, chip)

    still = run(probe)
    noisy, ok = [], still.ok.copy()
    for sigma in sigmas_units:
        disturbed = probe.inputs_units.copy()
        for k, seed in zip(clips, seeds, strict=True):
            disturbed[k] = noisy_inputs(probe.inputs_units[k], seed, sigma)
        noisy.append(run(replace(probe, inputs_units=disturbed)))
        ok &= noisy[-1].ok
    rows = np.flatnonzero(ok)
    limits = probe.yardstick.decides_by()
    pairs = [
        suppression_pairs(limits, _currents(still, rows), _currents(one, rows), sigma)
        for one, sigma in zip(noisy, sigmas_units, strict=True)
    ]
    joined = pd.concat(pairs, ignore_index=True)
    return by_chip(joined.assign(chip=chip[rows][joined["clip"].to_numpy()]))


def _currents(found: Seen, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Currents:
    return Currents(
        found.candidates_units[rows].astype(np.float64), found.states_units[rows].astype(np.float64)
    )
