"""What ``simulate --noise`` measures beside its samples: jitter of thresholds, and who makes it.

Three cells of the design, those with the smallest, a middle and the largest beta_hi, at both
thresholds; the state of the middle one at rest; the candidate of the first layer that carries most
in the middle of the first clip. Remembered, for they depend on the design alone. Tables:
noise_jitter, noise_trials, noise_spectra and noise_contributors.parquet.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.circuit.elements import flatten
from codesign.circuit.library import read_network
from codesign.circuit.trialbench import Edge
from codesign.device.cache import cached, digest
from codesign.files import atomic_path
from codesign.simulation.contributors import (
    LineNoise,
    candidate_noise,
    contributor_rows,
    state_noise,
)
from codesign.simulation.decision_node import response
from codesign.simulation.jitter import TARGET, Prediction, Subject, predict, record_s
from codesign.simulation.jitter_trials import OPTIONS, Source, measure
from codesign.simulation.noise_sources import TICK_S, noise_law
from codesign.simulation.setting import Setting

Floats = NDArray[np.float64]
Rows = list[dict[str, Any]]

COPIES, TRIALS = 16, 8
SEED = 1
EDGES: tuple[Edge, ...] = ("beta_hi", "beta_lo")
# Written by a plan with noise: here, by ``simulation.noisy`` and by ``simulation.noise_judge``.
NOISE_TABLES = (
    "jitter", "trials", "spectra", "contributors", "samples", "clips", "units", "judge",
)  # fmt: skip
# Nothing is remembered across versions of what is measured.
_SCHEMA = 1
_POLARITY = {"n": "nmos", "p": "pmos"}


@dataclass(frozen=True)
class Study:
    """What a threshold gave: the row of noise_jitter, and rows of the other tables."""

    row: dict[str, Any]
    trials: Rows
    spectra: Rows
    contributors: Rows


def study_threshold(
    subject: Subject, name: str, design: str, copies: int = COPIES, trials: int = TRIALS,
    seed: int = SEED, source: Source = "samples",
) -> Study:  # fmt: skip
    """Predict and measure the jitter of one threshold, or recall it; ``design`` names the circuit.

    Noise that ngspice draws is never remembered: it never repeats.
    """
    facts = [
        _SCHEMA, subject.point.key(), design, subject.layer, subject.unit, subject.edge, copies,
        trials, seed, OPTIONS,
    ]  # fmt: skip

    def made() -> Study:
        return _study(subject, name, copies, trials, seed, source)

    if source == "trnoise":
        return made()
    return cached(
        "jitter", digest(facts), made, lambda study: dict(study.__dict__),
        lambda stored: Study(
            *(stored[key] for key in ("row", "trials", "spectra", "contributors"))
        ),
    )  # fmt: skip


def _study(
    subject: Subject, name: str, copies: int, trials: int, seed: int, source: Source
) -> Study:
    prediction = predict(subject, 1 / (4 * record_s(subject, trials)))
    found = measure(subject, prediction, copies, trials, seed, source)
    where = {"layer": subject.layer, "unit": subject.unit, "edge": subject.edge}
    f = _frequencies(prediction)
    weights = response(prediction.times_s, prediction.weight, f) / prediction.spectrum.gain**2
    seen = prediction.spectrum
    rows = contributor_rows(
        f"{subject.edge} {name}", seen.frequency_hz, seen.white, seen.flicker, weights, f
    )
    flicker = sum(row["flicker_rms_a"] ** 2 for row in rows)
    row = where | {
        "size": name,
        "nominal_a": subject.nominal_a,
        "predicted_threshold_a": prediction.threshold_a,
        "threshold_a": found.threshold_a,
        "predicted_sigma_a": prediction.sigma_a,
        "predicted_hann_a": prediction.hann_a,
        "predicted_full_a": prediction.full_a,
        "flicker_share": flicker / sum(row["rms_a"] ** 2 for row in rows),
        "bandwidth_hz": prediction.bandwidth_hz,
        "lowest_hz": prediction.lowest_hz,
        "window_s": subject.trial.window_s,
        "measured_sigma_a": found.sigma_a,
        "measured_low_a": found.low_a,
        "measured_high_a": found.high_a,
        "ratio": found.sigma_a / prediction.sigma_a,
        "mismatch_sigma_a": mismatch_sigma_a(subject, prediction),
        "trials": len(found.switched),
        "source": source,
    }
    tried = [
        where | {"level_a": float(level), "switched": bool(up)}
        for level, up in zip(found.levels_a, found.switched, strict=True)
    ]
    both = zip(seen.frequency_hz, seen.density, _total(seen.flicker), strict=True)
    spectra = [
        {
            "condition": f"{subject.edge} {name}", "frequency_hz": float(at),
            "density_a2_per_hz": float(all_of), "flicker_a2_per_hz": float(slow),
        }
        for at, all_of, slow in both
    ]  # fmt: skip
    return Study(row, tried, spectra, rows)


def mismatch_sigma_a(subject: Subject, prediction: Prediction) -> float:
    """Sigma of the threshold over chips, to first order, by the process's mismatch law.

    A device's current reaches the decision as its noise does, so the square of its gain is its
    white contribution over the white density it has by itself; its current's relative sigma is that
    of gm/I times its threshold and of its mobility.
    """
    seen, devices, law = prediction.spectrum, subject.cell.devices, subject.point.pdk.mismatch
    white, _ = noise_law(subject.point, devices, 1).densities(seen.currents_a)
    variance = 0.0
    for k, device in enumerate(devices):
        if white[k] <= 0 or seen.currents_a[k] <= 0:
            continue
        gain2 = float(next(iter(_of(seen.white, device.name))) / white[k])
        size = (_POLARITY[device.polarity], float(device.w_m), float(device.l_m), int(device.m))
        by_vth_a = float(seen.gm_s[k]) * law.sigma_vth_v(*size)
        by_k_a = float(seen.currents_a[k]) * law.sigma_k(*size)
        variance += gain2 * (by_vth_a**2 + by_k_a**2)
    return float(np.sqrt(variance)) / seen.gain


def _of(parts: dict[str, Floats], name: str) -> list[float]:
    """A device's white density at mid frequencies."""
    values = parts[f"m.k0.{name}"]
    return [float(values[len(values) // 2])]


def _total(parts: dict[str, Floats]) -> Floats:
    return np.asarray(np.sum(list(parts.values()), axis=0))


def _frequencies(prediction: Prediction) -> Floats:
    top = 20 / float(prediction.times_s[-1])
    return np.geomspace(prediction.lowest_hz, top, 600)


def sampled_band(lowest_hz: float, tick_s: float = TICK_S) -> tuple[Floats, Floats]:
    """Frequencies and |gain|^2 of noise that is sampled every ``tick_s`` and linear in between."""
    f = np.geomspace(lowest_hz, 2 / tick_s, 600)
    return f, np.sinc(f * tick_s) ** 4


def line_rows(
    condition: str, noise: LineNoise, lowest_hz: float
) -> tuple[Rows, Rows, dict[str, Any]]:
    """Contributors, spectrum and totals of a line's noise, in the band transients have it in."""
    f, gain2 = sampled_band(lowest_hz)
    rows = contributor_rows(condition, noise.frequency_hz, noise.white, noise.flicker, gain2, f)
    flicker = _total(dict(noise.flicker))
    spectra = [
        {
            "condition": condition, "frequency_hz": float(at), "density_a2_per_hz": float(all_of),
            "flicker_a2_per_hz": float(slow),
        }
        for at, all_of, slow in zip(noise.frequency_hz, noise.density, flicker, strict=True)
    ]  # fmt: skip
    rms_a = float(np.sqrt(sum(row["rms_a"] ** 2 for row in rows)))
    return rows, spectra, {"rms_a": rms_a, "current_a": noise.current_a}


def chosen_cells(beta_hi: Floats, cells: int) -> list[tuple[str, int, int]]:
    """(name, layer, unit) of ``cells`` cells from the smallest to the largest beta_hi (layers,
    units)."""
    order = np.argsort(beta_hi, axis=None, kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, cells).round().astype(int))
    names = {0: "smallest", len(order) - 1: "largest"}
    found = []
    for place in places:
        layer, unit = np.unravel_index(order[place], beta_hi.shape)
        name = names.get(int(place), "middle" if len(places) == 3 else f"number {place + 1}")
        found.append((name, int(layer), int(unit)))
    return found


def subjects(setting: Setting, cells: int) -> list[tuple[str, Subject]]:
    """The thresholds that are studied, by the name of their cell's size."""
    exported, yardstick, point = setting.exported, setting.yardstick, setting.point
    library = read_network(exported.folder, point.pdk.nmos, point.pdk.pmos)
    beta_hi, width = (yardstick.cells(name) for name in ("beta_hi", "width"))
    unit_a = yardstick.unit_current_a
    return [
        (name, Subject(
            library, exported.shape, point, layer, unit, edge,
            float(beta_hi[layer, unit]) * unit_a, float(width[layer, unit]) * unit_a,
        ))
        for name, layer, unit in chosen_cells(beta_hi, cells)
        for edge in EDGES
    ]  # fmt: skip


def study_noise(
    setting: Setting, design: str, executor: Executor, cells: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure all, write the tables, return the figures of the summary."""
    wanted = subjects(setting, cells)
    say(
        f"noise: jitter of {len(wanted)} thresholds in ngspice, {COPIES * TRIALS} trials each: "
        "about a minute each, once for a design"
    )
    waiting = [executor.submit(study_threshold, subject, name, design) for name, subject in wanted]
    studies = [future.result() for future in waiting]
    contributors = [row for study in studies for row in study.contributors]
    spectra = [row for study in studies for row in study.spectra]
    figures: dict[str, Any] = {}
    lowest_hz = 1 / (4 * setting.yardstick.timing.stop_s)
    for condition, noise in _lines(setting, [subject for _, subject in wanted]):
        rows, spectrum, totals = line_rows(condition, noise, lowest_hz)
        contributors += rows
        spectra += spectrum
        key = condition.replace(" ", "_").replace(".", "_")
        if condition.startswith("candidate"):
            figures["noise_predicted_candidate"] = condition
            key = "predicted_candidate"
        figures[f"noise_{key}_rms_units"] = totals["rms_a"] / setting.yardstick.unit_current_a
        figures[f"noise_{key}_current_units"] = (
            totals["current_a"] / setting.yardstick.unit_current_a
        )
    _write(setting.folder, "jitter", [study.row for study in studies])
    _write(setting.folder, "trials", [row for study in studies for row in study.trials])
    _write(setting.folder, "spectra", spectra)
    _write(setting.folder, "contributors", contributors)
    return figures | jitter_figures([study.row for study in studies])


def _lines(setting: Setting, found: Sequence[Subject]) -> list[tuple[str, LineNoise]]:
    middle = found[2 * (len(found) // 4)]
    exported, plan = setting.exported, setting.plan
    inputs = setting.inputs_units()[plan.clips[0]]
    frame = inputs[len(inputs) // 2]
    elements = list(flatten(middle.library))
    lines = [("state high", state_noise(middle, True)), ("state low", state_noise(middle, False))]
    candidates = [
        (f"candidate 0.{unit}", candidate_noise(middle, elements, 0, unit, frame))
        for unit in range(exported.shape.state_dim)
    ]
    return [*lines, max(candidates, key=lambda item: item[1].current_a)]


def _write(folder: Path, name: str, rows: Rows) -> None:
    with atomic_path(folder / f"noise_{name}.parquet") as path:
        pd.DataFrame(rows).to_parquet(path, index=False)


def jitter_figures(rows: Rows) -> dict[str, Any]:
    """``noise_jitter_ratio_worst``: the measured sigma over the predicted one, or the reverse, of
    the threshold where they are farthest apart; ``noise_over_mismatch``: their sigmas' median
    ratio."""
    ratios = np.array([row["ratio"] for row in rows])
    apart = np.maximum(ratios, 1 / ratios)
    relative = [row["measured_sigma_a"] / row["threshold_a"] for row in rows]
    return {
        "noise_jitter_thresholds": len(rows),
        "noise_jitter_within_target": int((apart <= TARGET).sum()),
        "noise_jitter_ratio_median": float(np.median(ratios)),
        "noise_jitter_ratio_worst": float(ratios[int(np.argmax(apart))]),
        "noise_jitter_target": TARGET,
        "noise_jitter_relative_median": float(np.median(relative)),
        "noise_over_mismatch": float(
            np.median([row["measured_sigma_a"] / row["mismatch_sigma_a"] for row in rows])
        ),
    }
