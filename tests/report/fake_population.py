"""A made-up plan of chips in a made-up run folder: drawn samples, real tables over them."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.cell_spread import relative_rows
from codesign.analysis.yields import DEFAULT_SPECS, Spec
from codesign.runs import Run
from codesign.simulation.population import write_population
from tests.analysis.populations import samples


def add_population(
    run: Run, chips: int = 40, clips: int = 3, plan: str = "mc", *, failed: Sequence[int] = (),
    corners: Sequence[str] = ("typical",), specs: Sequence[Spec] = DEFAULT_SPECS, **extra: Any,
) -> pd.DataFrame:  # fmt: skip
    """``chips`` chips of which some lose the last clip; the samples numbered ``failed`` did.

    Returns the table of samples. ``extra`` goes into the summary.
    """
    rng = np.random.default_rng(5)
    network = [5.0 - clip for clip in range(clips)]
    margins: list[list[float | None]] = [
        [*(network[k] + rng.normal(0, 0.2) for k in range(clips - 1)), 3.0 * rng.normal()]
        for _ in range(chips)
    ]
    parts = [samples(margins, network, corner) for corner in corners]
    table = pd.concat(parts, ignore_index=True)
    table["sample"] = np.arange(len(table))
    table["mean_power_w"] *= rng.normal(1, 0.01, len(table))
    table = table.assign(seed=7, chip_seed=8)
    lost = table["sample"].isin(failed)
    table.loc[lost, "status"] = "timeout"
    table.loc[lost, "message"] = "stopped after <b>9</b> s"
    table.loc[lost, "log"] = "logs/sample-00001.log"
    table.loc[lost, ["agree", "chip_decision", "logit_margin_units"]] = pd.NA
    folder = run.sim_dir(plan)
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "samples.parquet")
    figures = write_population(folder, table, 100, clips, specs)
    ok = table[table["status"] == "ok"]
    agreeing = int(ok["agree"].sum())
    summary = {
        "plan": plan, "engine": "ngspice", "samples_total": len(table), "samples_ok": len(ok),
        "samples_failed": len(table) - len(ok), "decisions_agreeing": agreeing,
        "vote_agreement": agreeing / max(1, len(ok)), "vote_agreement_interval": [0.7, 0.9],
        "chips": chips, "chips_all_decisions_agreeing": 1, "state_count": 100 * len(ok),
        "state_agreement": 0.995, "state_agreement_changed": 0.97, "twin_accuracy": 1.0,
        "chip_accuracy": 0.99, "accuracy_difference_points": -1.0, "accuracy_chip_mean": 0.99,
        "accuracy_chip_p5": 0.9, "accuracy_chip_min": 0.6, "mean_power_w": 1e-7,
        "mean_power_cells_w": 4e-8, "mean_power_feedforward_w": 4e-8, "mean_power_bias_w": 2e-8,
        "mean_power_strobe_w": 1e-10, "wall_s": 12.0, "seconds_per_sample": 0.1, "frames": 8,
        **figures, "min_yield": None, **extra,
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "plan.json").write_text(json.dumps({"digest": "d" * 8, "run_seed": 3}))
    return table


def add_tables(run: Run, plan: str = "mc") -> None:
    """The tables that other parts of a simulation leave beside those of the population."""
    folder, rng = run.sim_dir(plan), np.random.default_rng(2)
    cells = [(layer, unit) for layer in range(2) for unit in range(3)]
    drawn = pd.DataFrame(
        [
            {"chip": chip, "layer": layer, "unit": unit, "beta_hi_units": rng.normal(1, 0.03),
             "beta_lo_units": rng.normal(0.5, 0.05), "width_units": rng.normal(0.5, 0.04),
             "alpha_units": rng.normal(1, 0.03)}
            for chip in range(60) for layer, unit in cells
        ]
    )  # fmt: skip
    nominal = drawn.groupby(["layer", "unit"], as_index=False).mean()
    programmed = dict.fromkeys(("beta_hi", "beta_lo", "width", "alpha"), np.ones((2, 3)))
    relative_rows(drawn, nominal, programmed, 0.03).to_parquet(folder / "thresholds.parquet")
    drawn.to_parquet(folder / "cell_draws.parquet")
    pd.DataFrame(
        [
            {"clip_id": clip, "device": f"xlayers_0.m<{k}>", "label": f"weight<{k}>", "rank": k + 1,
             "role": "parameter" if k % 2 else "reference", "parameter": ["vth", "k"][k % 2],
             "sigma": 1e-3, "contribution_units": 1 / (1 + k), "margin_units": 2.0,
             "flip_sigma": 1.5 if k == 0 else np.nan, "flip_state": "layers.0[1] frame 2"}
            for clip in ("clip-0", "clip-1") for k in range(20)
        ]
    ).to_parquet(folder / "sensitivity.parquet")  # fmt: skip
    pd.DataFrame(
        [
            {"chip": chip, "corner": "typical", "failures": 2, "clip_id": "clip-2", "rank": k + 1,
             "margin_units": -1.0, "predicted_margin_units": -0.8, "device": f"m{k}",
             "label": f"weight[{k}]", "share_units": -0.5 / (k + 1), "delvto_sigma": 2.5,
             "margin_without_units": k - 1.0, "recovers": k == 2 and chip == 4,
             "ranked_by": "one by one"}
            for chip in (4, 9) for k in range(3)
        ]
    ).to_parquet(folder / "worst_chips.parquet")  # fmt: skip
    pd.DataFrame(
        [
            {"quantity": name, "clip_id": "clip-0", "n_transistors": 40, "n_twin": 40,
             "statistic": 0.1, "p_value": p, "mean_transistors": 1.0, "mean_twin": 1.0,
             "std_transistors": 0.1, "std_twin": 0.1, "paired_error_rms": 0.01, "p_holm": p,
             "differs": p < 0.05, "shift_sigma": 0.4, "std_ratio": 1.1, "paired_shift_sigma": 0.1,
             "paired_std_ratio": 1.0}
            for name, p in (("margin", 0.4), ("power", 1e-4))
        ]
    ).to_parquet(folder / "twosample.parquet")  # fmt: skip
    pd.DataFrame(
        [
            {"chip": chip, "sigma_units": sigma, "ratio_median": 40 / sigma + chip}
            for chip in range(20) for sigma in (0.01, 0.1)
        ]
    ).to_parquet(folder / "suppression_chips.parquet")  # fmt: skip
    table = pd.read_parquet(folder / "samples.parquet")
    pd.DataFrame(
        {"sample": table["sample"], "attempts": [3] + [1] * (len(table) - 1), "wall_s": 1.5}
    ).to_parquet(folder / "timings.parquet")


def add_areas(run: Run) -> None:
    """Yield against area, as plans of several sizes leave it."""
    rows = [
        {"area_scale": scale, "gate_area_m2": scale * 1e-8, "chips": 50, "samples_ok": 150,
         "samples_failed": 0, "vote_agreement": 1 - 0.1 / scale,
         "vote_agreement_interval": [0.9, 0.99], "chips_all_decisions_agreeing": 30 + scale,
         "state_agreement": 0.99, "accuracy_chip_mean": 0.9, "accuracy_chip_p5": 0.8,
         "accuracy_chip_min": 0.7, "mean_power_w": 1e-7, "candidate_sigma_units": 0.1 / scale**0.5,
         "yield": 0.5, "yield_interval": [0.4, 0.6], "frame_s": 0.01,
         "settling_frame_s": 0.002 * scale, "judge_verdict": "fail" if scale == 4 else "pass"}
        for scale in (4, 1, 16)
    ]  # fmt: skip
    (run.path / "sim" / "area_scale.json").write_text(json.dumps(rows))
