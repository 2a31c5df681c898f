"""Threshold jitter measured: copies of a cell tried with noise, and how often they switch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import norm

from codesign.circuit.elements import Mosfet
from codesign.circuit.testbench import EXACT_OPTIONS
from codesign.circuit.trialbench import PREPARE, Cell, Trial, trial_text
from codesign.device.noise_source import noise_samples, trnoise_line
from codesign.errors import EnvironmentMissing
from codesign.simulation.jitter import Prediction, Spectrum, Subject, record_s, tick_of
from codesign.simulation.noise_sources import noise_law

Floats = NDArray[np.float64]
Source = Literal["samples", "trnoise"]

# Without bypass, which distorts currents as small as noise, and with tolerances far below noise:
# the error of a candidate of 3.3 nA at reltol=3e-4 differs from trial to trial by more than its
# noise (sigma came out 1.8 times as large as predicted, 1.6 times at 1e-4, 1.05 times at 1e-5).
OPTIONS = EXACT_OPTIONS.replace("reltol=3e-4", "reltol=1e-5").replace("vntol=1e-6", "vntol=1e-7")
# How long before the window noise begins: lines settle within that.
_BEFORE_S = 1.2e-3
_LEVELS = 2.5


@dataclass(frozen=True)
class Measurement:
    """What the transient says. ``levels_a`` and ``switched`` (trials,) are all trials; sigma with
    its 95 % interval, and the fitted threshold."""

    threshold_a: float
    sigma_a: float
    low_a: float
    high_a: float
    levels_a: Floats
    switched: NDArray[np.bool_]
    source: Source


def measure(
    subject: Subject, prediction: Prediction, copies: int, trials: int, seed: int,
    source: Source = "samples",
) -> Measurement:  # fmt: skip
    """Sigma of the threshold from ``copies`` times ``trials`` trials with noise.

    ``source`` "samples" repeats with the seed; with "trnoise" ngspice draws.
    """
    cell, trial = subject.cell, subject.trial
    centre_a = _threshold(subject, cell, trial, prediction)
    sigma_a = prediction.sigma_a
    draw = np.random.default_rng([seed, subject.layer, subject.unit, trial.edge == "beta_hi"])
    steps = np.linspace(-_LEVELS, _LEVELS, copies * trials)
    levels_a = centre_a + sigma_a * draw.permutation(steps).reshape(copies, trials)
    levels_a = np.maximum(levels_a, 0.0)
    noise = _noise(subject, cell, trial, prediction.spectrum, trials, seed, source)
    high = _tried(subject, cell, trial, levels_a, noise)
    x, up = (levels_a.ravel() - centre_a) / sigma_a, high.ravel()
    mean, spread, low, wide = fit_normal(x, up)
    return Measurement(
        centre_a + mean * sigma_a, spread * sigma_a, low * sigma_a, wide * sigma_a,
        levels_a.ravel(), up, source,
    )  # fmt: skip


def fit_normal(x: Floats, up: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Mean, sigma and its 95 % interval (from the likelihood's profile) of where trials switch.

    Probit regression: P(up) = Phi((x - mean) / sigma). The interval holds the sigmas whose best
    likelihood is within 1.92 of the best.
    """
    sign = np.where(up, 1.0, -1.0)

    def cost(mean: float, log_sigma: float) -> float:
        return -float(norm.logcdf(sign * (x - mean) / np.exp(log_sigma)).sum())

    def both(point: Floats) -> float:
        return cost(float(point[0]), float(point[1]))

    best = minimize(both, np.zeros(2), method="Nelder-Mead")
    grid = best.x[1] + np.linspace(-1.5, 1.5, 121)
    profile = np.array([minimize_scalar(cost, args=(log_sigma,)).fun for log_sigma in grid])
    inside = grid[profile <= best.fun + 1.92]
    return (
        float(best.x[0]), float(np.exp(best.x[1])), float(np.exp(inside[0])),
        float(np.exp(inside[-1])),
    )  # fmt: skip


def _threshold(subject: Subject, cell: Cell, trial: Trial, prediction: Prediction) -> float:
    """The candidate at which the cell switches without noise, to a fifth of the predicted sigma."""
    half, centre = max(0.02 * subject.nominal_a, 4 * prediction.sigma_a), prediction.threshold_a
    copies = 16
    for _ in range(8):
        levels = np.maximum(np.linspace(centre - half, centre + half, copies), 0.0)
        up = _tried(subject, cell, trial, levels[:, None], lambda *_: "")[:, 0]
        if up.all() or not up.any():
            half *= 3
            continue
        k = int(np.argmax(up))
        centre, half = float(levels[k - 1] + levels[k]) / 2, float(levels[k] - levels[k - 1]) / 2
        if half < 0.2 * prediction.sigma_a:
            return centre
    raise EnvironmentMissing(
        f"Cell {subject.layer}.{subject.unit} does not switch near "
        f"{prediction.threshold_a * 1e9:.4g} nA: its jitter cannot be measured."
    )


def _tried(
    subject: Subject, cell: Cell, trial: Trial, levels_a: Floats,
    noise: Callable[[int, tuple[Mosfet, ...]], str],
) -> NDArray[np.bool_]:  # fmt: skip
    """Which trials (copies, trials) ended high."""
    hw = subject.point.hardware
    text = trial_text(
        cell, hw, subject.models, trial, levels_a, PREPARE * subject.beta_hi_a, OPTIONS, noise
    )
    (plot,) = subject.run(text, "run\nwrite out.raw")
    times = np.arange(levels_a.shape[1]) * trial.period_s + trial.read_s
    ends = [np.interp(times, plot.scale, plot[f"v(k{k}.{cell.v0})"]) for k in range(len(levels_a))]
    return np.asarray(np.stack(ends) > hw.supply_v / 2)


def _noise(
    subject: Subject, cell: Cell, trial: Trial, found: Spectrum, trials: int, seed: int,
    source: Source,
) -> Callable[[int, tuple[Mosfet, ...]], str]:  # fmt: skip
    """Sources of the devices of a copy, at their currents near the threshold."""
    tick_s = tick_of(trial)
    count = int(record_s(subject, trials) / tick_s) + 2
    law = noise_law(subject.point, cell.devices, 1, tick_s)
    white, flicker = law.densities(found.currents_a)

    def lines(copy: int, devices: tuple[Mosfet, ...]) -> str:
        text, sums = "", dict[tuple[str, str], Any]()
        for k, device in enumerate(devices):
            if law.white_factor[k] == 0:
                continue
            densities = (float(white[k]), float(flicker[k]))
            ends = (device.drain, device.source)
            if source == "trnoise":
                slope = float(law.slope[k])
                text += trnoise_line(f"inoise{copy}_{k}", *ends, *densities, tick_s, slope)
                continue
            drawn = noise_samples(*densities, tick_s, count, [seed, copy, k], float(law.slope[k]))
            sums[ends] = sums[ends] + drawn if ends in sums else drawn
        return text + "".join(
            _windowed_line(f"inoise{copy}_{k}", ends, samples, trial, trials)
            for k, (ends, samples) in enumerate(sums.items())
        )

    return lines


def _windowed_line(
    name: str, ends: tuple[str, str], samples_a: Floats, trial: Trial, trials: int
) -> str:
    """Noise around the windows of the trials, silence in between: what happens while a cell is
    prepared costs time and says nothing."""
    tick_s = tick_of(trial)
    points = [(0.0, 0.0)]
    for k in range(trials):
        start = k * trial.period_s
        first = int(np.ceil((start + trial.opens_s - _BEFORE_S) / tick_s))
        last = int((start + trial.read_s) / tick_s)
        points.append(((first - 1) * tick_s, 0.0))
        points += [(n * tick_s, float(samples_a[n])) for n in range(first, last)]
        points.append((last * tick_s, 0.0))
    words = [f"{time:.9g} {value:.6g}" for time, value in points]
    rows = (" ".join(words[k : k + 6]) for k in range(0, len(words), 6))
    return f"{name} {ends[0]} {ends[1]} dc 0 pwl(\n+ " + "\n+ ".join(rows) + ")\n"
