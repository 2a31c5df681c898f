"""A made-up run folder in the file formats of a real one, for the tests of the report only.

The numbers are drawn, not simulated: they look like a run (hysteresis, lags, a few disagreements,
one failed sample) so that every branch of the page is exercised.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codesign.flows import Flow, dump_flow, parse_flow
from codesign.runs import Run

UNIT_A = 1e-9
FRAME_S = 0.01


@dataclass(frozen=True)
class Fake:
    """Size of the made-up run and what goes wrong in it."""

    clips: int = 8
    frames: int = 8
    units: int = 4
    layers: int = 2
    inputs: int = 8
    class_names: tuple[str, ...] = ("0", "1", "2", "3")
    differing: tuple[int, ...] = (2,)
    near_ties: tuple[int, ...] = (5,)
    failed: tuple[int, ...] = (7,)
    points_per_frame: int = 60
    seed: int = 3
    waves: bool = True
    extra: dict[str, Any] = field(default_factory=dict)


def make_run(path: Path, stage: str = "simulation", fake: Fake | None = None) -> Run:
    """Write a run folder up to ``stage`` ("training", "design" or "simulation")."""
    fake = fake or Fake()
    rng = np.random.default_rng(fake.seed)
    path.mkdir(parents=True, exist_ok=True)
    run = Run(path)
    flow = parse_flow({"name": "fake", "network": {"state_dim": fake.units}}, "fake")
    _training(run, fake, flow, rng)
    if stage != "training":
        _design(run, fake, rng)
    if stage == "simulation":
        _simulation(run, fake, rng)
    return run


def add_explanations(run: Run, fake: Fake | None = None) -> pd.DataFrame:
    """Roots, their waveforms, sums by unit and error suppression, as ``simulate`` leaves them.

    Every state that differs is a root of its own; returns the roots.
    """
    fake = fake or Fake()
    folder, rng = run.sim_dir(), np.random.default_rng(11)
    states = pd.read_parquet(folder / "states.parquet")
    samples = pd.read_parquet(folder / "samples.parquet").set_index("sample")
    roots = states[~states["agree"]].reset_index(drop=True)
    names = ["threshold", "settling", "glitch", "static", "hold"]
    roots["root"] = np.arange(len(roots))
    roots["cause"] = [names[k % len(names)] for k in range(len(roots))]
    roots["why"] = [f"the reason of root {k}" for k in range(len(roots))]
    roots["evidence"], roots["states"], roots["chip"] = "waveform", 1, None
    roots["clip_id"] = samples["clip_id"].reindex(roots["sample"]).to_numpy()
    roots["decision_differs"] = roots["sample"].isin(fake.differing)
    roots["chip_was_active"] = False
    roots["threshold_units"], roots["spread_units"] = 1.5, 0.04
    roots["gap_units"] = roots["twin_candidate_units"] - 1.5
    roots.to_parquet(folder / "roots.parquet")
    at = np.linspace(-0.05, 0.95, 70)
    waves = [
        pd.DataFrame(
            {"root": k, "at": at, "candidate_units": 1.4 + 0.2 * np.tanh(8 * (at - 0.3)),
             "v0_v": np.where(at > 0.6, 1.7, 0.0), "state_units": np.where(at > 0.6, 0.9, 0.0)}
        )
        for k in range(len(roots))
    ]  # fmt: skip
    pd.concat(waves).to_parquet(folder / "root_waves.parquet")
    error2 = (states["chip_candidate_units"] - states["twin_candidate_units"]) ** 2
    table = states.assign(
        pairs=1, differing=~states["agree"], changed_agreeing=states["changed"] & states["agree"],
        error_square_sum_units2=error2, clean_pairs=1, clean_error_square_sum_units2=error2,
        agreeing_pairs=1, agreeing_error_square_sum_units2=error2,
        agreeing_state_error_square_sum_units2=error2 / 400,
        clean_error_max_units=0.04, error_max_units=0.05,
    )  # fmt: skip
    sums = table.groupby(["layer", "unit"]).sum(numeric_only=True).reset_index()
    sums[["clean_error_max_units", "error_max_units"]] = 0.04
    sums.to_parquet(folder / "units.parquet")
    rows = [
        {"sigma_units": sigma, "clip": clip, "layer": layer, "unit": unit, "margin_units": margin,
         "candidate_rms_units": sigma, "state_rms_units": sigma / 50, "ratio": 50.0,
         "frames": fake.frames, "frames_flipped": int(margin < sigma), "reached": True}
        for sigma in (0.02, 0.1)
        for clip in range(fake.clips)
        for layer, unit in np.ndindex(fake.layers, fake.units)
        for margin in [rng.uniform(0, 1)]
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(folder / "suppression.parquet")
    numbers = samples.reset_index()
    for name in ("candidate_error_rms_units_same_states_below", "logit_error_rms_units",
                 "candidate_error_max_units_same_states_below"):  # fmt: skip
        numbers[name] = 0.01
    numbers["states_differing"] = (
        roots.groupby("sample").size().reindex(numbers["sample"]).fillna(0).astype(int).to_numpy()
    )
    numbers.to_parquet(folder / "samples.parquet")
    return roots


def add_batched(run: Run, plan: str = "mc", verdict: str = "pass") -> None:
    """What the batched engine leaves of a plan, as far as the page of another plan reads it."""
    folder = run.sim_dir(plan)
    judged = {"judge_samples": 0, "judge_verdict": verdict, "judge_reasons": []}
    if verdict != "skipped":
        judged |= {
            "judge_samples": 4, "judge_samples_compared": 3,
            "judge_candidate_error_rms_relative": 6.3e-4,
            "judge_candidate_error_max_relative": 0.011,
            "judge_logit_error_rms_relative": 8e-4, "judge_states_compared": 192,
            "judge_states_differing": 2, "judge_states_marginal": 1,
            "judge_decisions_differing": 1, "judge_decisions_marginal": 1,
            "judge_power_error_relative_max": 2.2e-4,
            "judge_reasons": ["a <b>bad</b> state"] if verdict == "fail" else [],
        }  # fmt: skip
        write_judged(folder)
    write(
        folder / "summary.json",
        {"plan": plan, "engine": "batched", "samples_total": 10_000, **judged},
    )


def write_judged(folder: Path) -> None:
    """judge.parquet: three samples compared, one that ngspice did not finish."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for k, stratum in enumerate(("nominal", "random", "closest", "closest")):
        row = {
            "sample": -1 if stratum == "nominal" else 1000 * k, "stratum": stratum,
            "clip_id": f"digits/test/{k:04d}", "chip": None if stratum == "nominal" else 1000 * k,
            "status_ngspice": "timeout" if k == 3 else "ok", "status_batched": "ok",
            "log_ngspice": f"judge/logs/{k}.log", "wall_ngspice_s": 2.9, "wall_batched_s": 0.0037,
        }  # fmt: skip
        if k < 3:
            row |= {
                "candidates_compared": 64, "candidate_error_rms_a": 5e-13 * (k + 1),
                "candidate_error_max_a": 9e-12, "candidate_rms_a": 1e-9, "states_compared": 64,
                "states_differing": k, "states_marginal": min(k, 1), "logit_error_rms_a": 1e-12,
                "decision_ngspice": 0, "decision_batched": int(k == 2),
                "decision_margin_ngspice_a": 1e-12, "power_ngspice_w": 4e-7,
                "power_batched_w": 4e-7, "power_error_relative": 2.2e-4,
            }  # fmt: skip
        rows.append(row)
    pd.DataFrame(rows).astype({"chip": "Int64"}).to_parquet(folder / "judge.parquet")


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


def shapes(fake: Fake) -> dict[str, tuple[int, ...]]:
    d, k = fake.units, len(fake.class_names)
    found: dict[str, tuple[int, ...]] = {
        "projection.weight": (d, fake.inputs), "projection.bias": (d,)
    }  # fmt: skip
    for layer in range(fake.layers):
        at = f"layers.{layer}"
        found |= {f"{at}.candidate.weight": (d, d), f"{at}.candidate.bias": (d,)}
        found |= {f"{at}.cell.{name}": (d,) for name in ("beta_hi", "width", "alpha")}
        found |= {f"{at}.output.weight": (d, d), f"{at}.output.bias": (d,)}
    return found | {"readout.weight": (k, d), "readout.bias": (k,)}


def _training(run: Run, fake: Fake, flow: Flow, rng: np.random.Generator) -> None:
    run.flow_file.write_text(dump_flow(flow), encoding="utf-8")
    write(
        run.provenance_file,
        {
            "codesign": "0.1.0", "python": "3.11.2", "platform": "Linux", "host": "bench<1>",
            "time_utc": "2026-01-02T03:04:05+00:00", "seed": 0,
            "git": {"commit": "0123456789abcdef", "dirty": False},
            "packages": {"torch": "2.13.0", "numpy": "2.4.0"},
        },
    )  # fmt: skip
    k = len(fake.class_names)
    parameters = {name: int(np.prod(shape)) for name, shape in shapes(fake).items()}
    write(
        run.model_file,
        {
            "schema": 1, "architecture": "first_quadrant_network", "cell": "fq_bmru",
            "inputs": fake.inputs, "state_dim": fake.units, "layers": fake.layers, "classes": k,
            "class_names": list(fake.class_names), "decision": "last_frame", "weight_grid": 8,
            "shapes": {name: list(shape) for name, shape in shapes(fake).items()},
        },
    )  # fmt: skip

    def split(accuracy: float, count: int) -> dict[str, Any]:
        return {
            "accuracy": accuracy, "balanced_accuracy": accuracy - 0.004,
            "loss": 1.2 - accuracy, "count": count,
        }  # fmt: skip

    confusion = np.eye(k, dtype=int) * 27 + rng.integers(0, 2, (k, k))
    write(
        run.metrics_file,
        {
            "splits": {
                "train": split(0.98, 500), "validation": split(0.95, 100), "test": split(0.94, 119)
            },
            "memoryless": {"test": split(0.61, 119), "starts": 4, "steps_per_start": 1500},
            "starts": [
                {
                    "start": s,
                    "seed": 1000 + s,
                    "step": 1400,
                    "validation_balanced_accuracy": 0.95 - 0.02 * abs(s - 2),
                    "test_balanced_accuracy": 0.936 - 0.02 * abs(s - 2), "selected": s == 2,
                }
                for s in range(6)
            ],
            "parameters": {"total": sum(parameters.values()), **parameters},
            "confusion": confusion.tolist(),
            "decision": "last_frame",
            "class_names": list(fake.class_names),
            "margin": {"fraction_within_0.05_units": 0.031, "near_tie_fraction": 0.01,
                       "logit_lead_median_units": 4.2, "changed_fraction": 0.08},
            "task": {"description": "made-up digits by rows", "notes": {"split": "3:1:1"}},
        },
    )  # fmt: skip
    rows = []
    for start, model in [*((s, "network") for s in range(6)), (0, "memoryless")]:
        top = (0.95 - 0.02 * abs(start - 2)) if model == "network" else 0.62
        for step in range(50, 1501, 50):
            done = 1 - np.exp(-step / 350)
            rows.append(
                {
                    "start": start, "seed": start, "step": step,
                    "eps": max(0.0, 0.9 * (1 - step / 900)), "train_loss": 1.5 - 1.2 * done,
                    "validation_loss": 1.5 - 1.1 * done + 0.03 * rng.normal(),
                    "validation_balanced_accuracy": 0.24 + (top - 0.25) * done,
                    "validation_accuracy": 0.25 + (top - 0.25) * done + 0.01 * rng.normal(),
                    "on_grid": step > 750, "model": model,
                }
            )  # fmt: skip
    pd.DataFrame(rows).to_parquet(run.history_file)


def _thresholds(fake: Fake) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(fake.seed + 1)
    hi = rng.uniform(1.2, 2.0, (fake.layers, fake.units))
    return hi, rng.uniform(0.4, 0.9, hi.shape)


def _design(run: Run, fake: Fake, rng: np.random.Generator) -> None:
    hi, width = _thresholds(fake)
    rows = []
    for name, shape in shapes(fake).items():
        for index in np.ndindex(*shape):
            row: dict[str, Any] = {
                "parameter": name, "index": " ".join(map(str, index)),
                "instance": f"x{name.replace('.', '_')}_{'_'.join(map(str, index))}",
                "w_m": 1.2e-6, "l_m": 1e-5, "m": None, "bias_current_a": None, "note": "",
            }  # fmt: skip
            if ".cell." in name:
                kind, layer = name.rpartition(".")[2], int(name.split(".")[1])
                table = {"beta_hi": hi, "width": width, "alpha": np.ones_like(hi)}
                value = float(table[kind][layer, index[0]])
                roles = {"beta_hi": "threshold", "width": "width", "alpha": "gain"}
                row |= {"role": roles[kind], "device": "nmos", "m": 1,
                        "bias_current_a": value * UNIT_A * 1.02}  # fmt: skip
                error = 0.002 * rng.normal()
            else:
                value = float(np.round(rng.normal(0, 0.8) * 8) / 8)
                device = "pmos" if value > 0 else "nmos"
                row |= {"role": "weight" if "weight" in name else "bias", "device": device,
                        "m": abs(round(value * 8))}  # fmt: skip
                error = 0.004 + 0.001 * rng.normal()
                if value == 0:
                    row |= {"device": "none", "note": "zero: no device", "m": 0}
            expected = value * (1 + error)
            row |= {"software_value": value, "expected_value": expected,
                    "relative_error": error if value else None}  # fmt: skip
            rows.append(row)
    run.design_dir.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(run.design_dir / "mapping.csv", index=False)
    write(
        run.design_dir / "design.json",
        {
            "hardware": {
                "pdk": "gf180mcu", "corner": "typical", "supply_v": 1.8, "temperature_c": 27.0,
                "unit_current_a": UNIT_A, "cell": "strobed", "frame_s": FRAME_S, "weight_grid": 8,
            },
            "pdk": {"name": "gf180mcu", "sha256": "ab" * 32, "source": "package"},
            "parameters_learned": len(rows), "parameter_rows": len(rows), "zero_weights": 12,
            "transistors": 15 * fake.units * fake.layers + 740, "gate_area_m2": 2.77e-8,
            "blocks": {
                "cells": {"transistors": 15 * fake.units * fake.layers, "unit_devices": 300,
                          "capacitors": fake.units * fake.layers, "gate_area_m2": 3.1e-9},
                "feedforward": {"transistors": 700, "unit_devices": 3700, "capacitors": 0,
                                "gate_area_m2": 2.4e-8},
                "bias": {"transistors": 40, "unit_devices": 500, "capacitors": 0,
                         "gate_area_m2": 6e-10},
            },
            "strobe": {
                "simulated": False, "ticks": 16, "windows_ticks": [[6, 11], [11, 15]],
                "power_w": 4.5e-10, "leakage_w": 1.2e-12, "transistors": 198,
                "gate_area_m2": 5.4e-11,
                "edges": [
                    [{"leaves_s": at, "away_s": at + 4e-9, "returns_s": at + 1e-3,
                      "back_s": at + 1e-3 + 2e-9},
                     {"leaves_s": at + 2e-9, "away_s": at + 6e-9, "returns_s": at + 1e-3,
                      "back_s": at + 1e-3 + 2e-9}]
                    for at in (3.75e-3, 6.875e-3)
                ],
            },
            "unrepresentable": [
                {"parameter": "layers.0.cell.width[1]", "software_value": 0.01,
                 "realised_value": 0.05, "reason": "below bias_min_units = 0.05"}
            ],
            "unrepresentable_effect": {"accuracy_software": 0.94, "accuracy_realised": 0.93},
            "predicted_power_w": {"cells": 6e-8, "feedforward": 3.5e-7, "bias": 1.2e-8,
                                  "total": 4.22e-7},
        },
    )  # fmt: skip


def _simulation(run: Run, fake: Fake, rng: np.random.Generator) -> None:
    folder = run.sim_dir()
    (folder / "waves").mkdir(parents=True, exist_ok=True)
    (folder / "logs").mkdir(exist_ok=True)
    hi, width = _thresholds(fake)
    samples, states, logits = [], [], []
    for sample in range(fake.clips):
        failed = sample in fake.failed
        twin = _twin(fake, hi, width, rng)
        samples.append(_sample_row(fake, sample, twin, rng))
        (folder / samples[-1]["log"]).write_text("ngspice said this\n", encoding="utf-8")
        if failed:
            continue
        states += _state_rows(fake, sample, twin, rng)
        for frame, k in np.ndindex(fake.frames, len(fake.class_names)):
            value = twin["logit"][frame, k]
            logits.append(
                {"sample": sample, "frame": frame, "class_index": k, "twin_logit_units": value,
                 "chip_logit_units": value * 1.01 + 0.01 * rng.normal()}
            )  # fmt: skip
        if fake.waves:
            waves = _waves(fake, twin, samples[-1], rng)
            waves.to_parquet(folder / "waves" / f"sample-{sample:05d}.parquet")
    table = pd.DataFrame(samples)
    table["chip_decision"] = table["chip_decision"].astype("Int64")
    table.to_parquet(folder / "samples.parquet")
    pd.DataFrame(states).to_parquet(folder / "states.parquet")
    pd.DataFrame(logits).to_parquet(folder / "logits.parquet")
    _hysteresis(folder, hi, width, rng)
    write(
        folder / "plan.json",
        {
            "name": "nominal",
            "digest": "cd" * 32,
            "samples": [{"sample": n, "clip": 3 * n} for n in range(fake.clips)],
        },
    )
    write(folder / "summary.json", _summary(fake, table, pd.DataFrame(states)) | fake.extra)


def _twin(
    fake: Fake, hi: np.ndarray, width: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    shape = (fake.frames, fake.layers, fake.units)
    candidate = np.maximum(0, rng.normal(1.4, 0.7, shape))
    state = np.zeros(shape)
    held = np.zeros(hi.shape)
    for frame in range(fake.frames):
        held = np.where(
            candidate[frame] > hi, 1.0, np.where(candidate[frame] > hi - width, held, 0.0)
        )
        state[frame] = held
    logit = np.maximum(0, rng.normal(3, 1.5, (fake.frames, len(fake.class_names))))
    return {"candidate": candidate, "state": state, "logit": logit}


def _sample_row(
    fake: Fake, sample: int, twin: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, Any]:
    k = len(fake.class_names)
    failed, differs = sample in fake.failed, sample in fake.differing
    decision = int(np.argmax(twin["logit"][-1]))
    chip = (decision + 1) % k if differs else decision
    cells, feed = 6e-8 * rng.uniform(0.9, 1.1), 3.4e-7 * rng.uniform(0.8, 1.2)
    margin = 0.04 if sample in fake.near_ties else float(rng.uniform(0.3, 3))
    return {
        "sample": sample, "clip": sample * 3, "clip_id": f"digits/test/{sample * 3:04d}",
        "seed": 100 + sample, "status": "no_convergence" if failed else "ok",
        "message": "timestep too small at t = 43.1 ms" if failed else "",
        "log": f"logs/sample-{sample:05d}.log",
        "label": decision if sample % 4 else (decision + 1) % k,
        "twin_decision": decision, "chip_decision": None if failed else chip,
        "agree": None if failed else not differs, "twin_margin_units": margin,
        "near_tie": margin < 0.1,
        "explanation": "state of layer 1 unit 2 differs from frame 5 on" if differs else None,
        "mean_power_w": np.nan if failed else cells + feed + 1.2e-8 + 4.5e-10,
        "mean_power_cells_w": np.nan if failed else cells,
        "mean_power_feedforward_w": np.nan if failed else feed,
        "mean_power_bias_w": np.nan if failed else 1.2e-8,
        "mean_power_strobe_w": np.nan if failed else 4.5e-10,
        "energy_j": np.nan if failed else (cells + feed + 1.2e-8) * fake.frames * FRAME_S,
        "rung": "standard",
    }  # fmt: skip


def _state_rows(
    fake: Fake, sample: int, twin: dict[str, np.ndarray], rng: np.random.Generator
) -> list[dict[str, Any]]:
    rows = []
    for frame, layer, unit in np.ndindex(fake.frames, fake.layers, fake.units):
        value = float(twin["state"][frame, layer, unit])
        before = float(twin["state"][frame - 1, layer, unit]) if frame else 0.0
        agree = bool(rng.random() > 0.01)
        candidate = float(twin["candidate"][frame, layer, unit])
        rows.append(
            {
                "sample": sample, "frame": frame, "layer": layer, "unit": unit,
                "twin_candidate_units": candidate,
                "chip_candidate_units": candidate * 1.004 + 0.01 * rng.normal(),
                "twin_state_units": value,
                "chip_state_units": (value if agree else 1 - value) * 1.003,
                "twin_active": value > 0.5, "chip_active": (value > 0.5) == agree,
                "changed": value != before, "agree": agree,
                "cause": None if agree else str(
                    rng.choice(["threshold", "glitch", "inherited", "settling"])
                ),
            }
        )  # fmt: skip
    return rows


def _waves(
    fake: Fake, twin: dict[str, np.ndarray], row: dict[str, Any], rng: np.random.Generator
) -> pd.DataFrame:
    n = fake.frames * fake.points_per_frame
    time = np.concatenate([[0.0], np.cumsum(rng.uniform(0.5, 1.5, n))])
    time *= fake.frames * FRAME_S / time[-1]
    frame = np.minimum((time / FRAME_S).astype(int), fake.frames - 1)

    def lag(target: np.ndarray, tau: float) -> np.ndarray:
        value, out = 0.0, np.empty_like(target)
        for i, wanted in enumerate(target):
            dt = time[i] - time[i - 1] if i else 0.0
            value += (wanted - value) * (1 - np.exp(-dt / tau))
            out[i] = value
        return out

    columns: dict[str, np.ndarray] = {"time_s": time}
    for layer, unit in np.ndindex(fake.layers, fake.units):
        at = f"l{layer}.u{unit}"
        columns[f"candidate.{at}_a"] = lag(twin["candidate"][frame, layer, unit], 4e-4) * UNIT_A
        columns[f"state.{at}_a"] = lag(twin["state"][frame, layer, unit], 6e-4) * UNIT_A
        columns[f"v0.{at}_v"] = lag(1.6 * twin["state"][frame, layer, unit], 3e-4)
    for k in range(len(fake.class_names)):
        columns[f"logit.c{k}_a"] = lag(twin["logit"][frame, k], 5e-4) * UNIT_A
    total = twin["candidate"].sum(axis=(1, 2))[frame]
    shape = 1 + 0.5 * (lag(total, 5e-4) / total.mean() - 1)
    columns["power.cells_w"] = row["mean_power_cells_w"] * (0.8 + 0.2 * shape)
    columns["power.feedforward_w"] = row["mean_power_feedforward_w"] * shape
    columns["power.bias_w"] = np.full_like(time, row["mean_power_bias_w"])
    return pd.DataFrame(columns)


def _hysteresis(folder: Path, hi: np.ndarray, width: np.ndarray, rng: np.random.Generator) -> None:
    cells = []
    for layer, unit in np.ndindex(*hi.shape):
        high, low = float(hi[layer, unit]), float(hi[layer, unit] - width[layer, unit])
        programmed = {"beta_hi_a": high, "beta_lo_a": low, "alpha_a": 1.0}
        cells.append(
            {
                "instance": f"xlayers_{layer}.xcell.xunit_{unit}", "layer": layer, "unit": unit,
                "programmed": {k: v * UNIT_A for k, v in programmed.items()},
                "measured": {
                    k: v * UNIT_A * (1 + 0.004 * rng.normal()) for k, v in programmed.items()
                },
            }
        )  # fmt: skip
    measured: Any = cells[0]["measured"]
    up = np.linspace(0, 1.5 * float(hi[0, 0]), 301) * UNIT_A
    down = up[::-1]
    output = np.concatenate([up > measured["beta_hi_a"], down > measured["beta_lo_a"]])
    pd.DataFrame(
        {
            "direction": ["up"] * len(up) + ["down"] * len(up),
            "input_a": np.concatenate([up, down]),
            "output_a": np.where(output, measured["alpha_a"], 1e-4 * UNIT_A),
        }
    ).to_parquet(folder / "hysteresis.parquet")
    write(folder / "hysteresis.json", cells[0])
    write(folder / "cells.json", cells)


def _summary(fake: Fake, table: pd.DataFrame, states: pd.DataFrame) -> dict[str, Any]:
    ok = table[table.status == "ok"]
    agreeing = int(ok["agree"].astype(bool).sum()) if len(ok) else 0
    changed = states[states.changed] if len(states) else states
    error = (states.chip_candidate_units - states.twin_candidate_units) if len(states) else None
    differing = ok[~ok["agree"].astype(bool)] if len(ok) else ok
    return {
        "samples_total": fake.clips, "samples_ok": len(ok),
        "samples_failed": fake.clips - len(ok), "clips": fake.clips,
        "decisions_agreeing": agreeing, "vote_agreement": agreeing / max(1, len(ok)),
        "vote_agreement_interval": [0.61, 0.98],
        "decisions_differing_not_near_tie": len(differing),
        "near_ties": [str(c) for c in table[table.near_tie].clip_id],
        "state_agreement": float(states.agree.mean()) if len(states) else None,
        "state_count": len(states),
        "state_agreement_changed": float(changed.agree.mean()) if len(states) else None,
        "state_changed_count": len(changed),
        "candidate_error_rms_units": float((error**2).mean() ** 0.5) if error is not None else None,
        "candidate_error_max_units": float(error.abs().max()) if error is not None else None,
        "candidate_error_rms_units_same_states_below": 0.0101,
        "candidate_error_max_units_same_states_below": 0.0302,
        "logit_error_rms_units": 0.031, "logit_full_scale_units": 7.4,
        "twin_accuracy": 0.917, "chip_accuracy": 0.903, "accuracy_difference_points": -1.4,
        "mean_power_w": float(ok.mean_power_w.mean()) if len(ok) else None,
        "mean_power_cells_w": float(ok.mean_power_cells_w.mean()) if len(ok) else None,
        "mean_power_feedforward_w": float(ok.mean_power_feedforward_w.mean()) if len(ok) else None,
        "mean_power_bias_w": 1.2e-8, "mean_power_strobe_w": 4.5e-10,
        "energy_per_clip_j": float(ok.energy_j.mean())
        if len(ok) else None,
        "parameters_learned": sum(int(np.prod(shape)) for shape in shapes(fake).values()),
        "parameter_rows": sum(int(np.prod(shape)) for shape in shapes(fake).values()),
        "transistors": 860, "gate_area_m2": 2.77e-8, "near_tie_units": 0.1,
        "targets": {"state_agreement": 0.99, "accuracy_difference_points": 2.0},
        "samples_with_all_states_agreeing": 4,
        "cell": "strobed", "pdk": "gf180mcu", "corner": "typical", "temperature_c": 27.0,
        "supply_v": 1.8, "unit_current_a": UNIT_A, "frame_s": FRAME_S, "frames": fake.frames,
        "wall_s": 31.4, "seconds_per_sample": 2.9,
        "differing": [
            {"clip_id": str(row["clip_id"]), "twin": int(row["twin_decision"]),
             "chip": int(row["chip_decision"]), "explanation": row["explanation"],
             "twin_margin_units": float(row["twin_margin_units"])}
            for row in differing.to_dict("records")
        ],
        "min_agreement": None, "verdict": "fail" if len(differing) else "pass",
    }  # fmt: skip
