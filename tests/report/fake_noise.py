"""Tables of a plan with device noise, made up."""

import json
from typing import Any

import numpy as np
import pandas as pd

from codesign.runs import Run

CELLS = (("smallest", 0, 1), ("middle", 0, 0), ("largest", 1, 0))


def add_noise(run: Run, plan: str = "noise", ratio: float = 1.1, **changes: Any) -> None:
    """A plan folder with noise: six thresholds, two clips of four seeds, a flip."""
    folder = run.sim_dir(plan)
    folder.mkdir(parents=True)
    draw = np.random.default_rng(3)
    jitter, trials, contributors, spectra = [], [], [], []
    for size, layer, unit in CELLS:
        for edge in ("beta_hi", "beta_lo"):
            where = {"layer": layer, "unit": unit, "edge": edge}
            jitter.append(
                where
                | {
                    "size": size, "threshold_a": 1e-9, "predicted_sigma_a": 1e-12,
                    "measured_sigma_a": ratio * 1e-12, "measured_low_a": 0.8 * ratio * 1e-12,
                    "measured_high_a": 1.3 * ratio * 1e-12, "ratio": ratio,
                    "mismatch_sigma_a": 3e-11, "trials": 128, "bandwidth_hz": 200.0,
                    "flicker_share": 0.1, "source": "samples",
                }
            )  # fmt: skip
            levels = 1e-9 + 1e-12 * np.linspace(-2.5, 2.5, 128)
            up = levels > 1e-9 + 1e-12 * draw.standard_normal(128)
            trials += [
                where | {"level_a": float(a), "switched": bool(b)}
                for a, b in zip(levels, up, strict=True)
            ]
            contributors += _contributors(f"{edge} {size}")
            spectra += _spectrum(f"{edge} {size}")
    for condition in ("state high", "state low", "candidate 0.2"):
        contributors += _contributors(condition)
        spectra += _spectrum(condition)
    tables: dict[str, list[dict[str, Any]]] = {
        "jitter": jitter,
        "trials": trials,
        "contributors": contributors,
        "spectra": spectra,
        "samples": [
            {"sample": k, "compared": True, "noise_seed": k, "clip_id": f"c{k // 4}"}
            for k in range(8)
        ],
        "clips": [
            {"clip_id": "<b>c0", "chip": None, "seeds": 4, "decisions_flipped": 1,
             "states_flipped": 3, "states": 128, "margin_without_noise_units": 0.01,
             "margin_sigma_units": 0.02},
            {"clip_id": "c1", "chip": None, "seeds": 4, "decisions_flipped": 0,
             "states_flipped": 0, "states": 128, "margin_without_noise_units": 2.0,
             "margin_sigma_units": 0.01},
        ],
        "units": [
            {"layer": la, "unit": un, "candidate_rms_units": 0.004, "candidate_mean_units": 1.0,
             "states_flipped": un, "states": 64}
            for la in range(2) for un in range(2)
        ],
    }  # fmt: skip
    for name, rows in tables.items():
        table = pd.DataFrame(rows)
        if "chip" in table:
            table = table.astype({"chip": "Int64"})
        table.to_parquet(folder / f"noise_{name}.parquet", index=False)
    within = 6 if 1 / 1.5 <= ratio <= 1.5 else 0
    summary = {
        "noise_samples_compared": 8, "noise_decisions_flipped": 1, "noise_seeds": 4,
        "noise_decisions_flipped_interval": [0.01, 0.47], "noise_states_flipped": 3,
        "noise_states_compared": 256, "noise_states_flipped_interval": [0.004, 0.034],
        "noise_samples_with_a_flip": 2, "noise_clips": 2, "noise_clips_with_a_flipped_decision": 1,
        "noise_candidate_rms_units": 0.004, "noise_candidate_rms_max_units": 0.004,
        "noise_logit_rms_units": 0.01, "noise_margin_sigma_median_units": 0.015,
        "noise_power_ratio_mean": 0.9995, "noise_jitter_thresholds": 6,
        "noise_jitter_within_target": within, "noise_jitter_ratio_median": ratio,
        "noise_jitter_ratio_worst": ratio, "noise_jitter_target": 1.5,
        "noise_jitter_relative_median": 0.0011, "noise_over_mismatch": 0.036,
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary | changes))
    (folder / "plan.json").write_text(json.dumps({"name": plan, "samples_total": 8}))


def _contributors(condition: str) -> list[dict[str, Any]]:
    rms = {"xlayers_0.xcell.xunit_0.m2": 1e-12, "xreference.xline.mline": 2e-12}
    total = sum(value**2 for value in rms.values())
    return [
        {"condition": condition, "device": name, "white_rms_a": value, "flicker_rms_a": 0.0,
         "rms_a": value, "share": value**2 / total}
        for name, value in sorted(rms.items(), key=lambda item: -item[1])
    ]  # fmt: skip


def _spectrum(condition: str) -> list[dict[str, Any]]:
    return [
        {"condition": condition, "frequency_hz": float(f), "density_a2_per_hz": 1e-26 * (1 + 5 / f),
         "flicker_a2_per_hz": 5e-26 / f}
        for f in np.geomspace(0.05, 2e4, 20)
    ]  # fmt: skip
