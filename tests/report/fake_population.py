"""A made-up plan of chips in a made-up run folder: drawn samples, real tables over them."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

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
