"""What the noise page reads: the tables of a plan with device noise."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from codesign.report.reading import read_object, read_table
from codesign.runs import Run

PLANS = ("noise", "mc_noise")
_COMMAND = "codesign simulate --noise SEEDS"
_COLUMNS = {
    "samples": "sample compared noise_seed clip_id",
    "clips": "clip_id seeds decisions_flipped states_flipped states margin_without_noise_units "
    "margin_sigma_units",
    "units": "layer unit candidate_rms_units candidate_mean_units states_flipped states",
    "jitter": "layer unit edge size threshold_a predicted_sigma_a measured_sigma_a measured_low_a "
    "measured_high_a ratio mismatch_sigma_a trials bandwidth_hz flicker_share source",
    "trials": "layer unit edge level_a switched",
    "spectra": "condition frequency_hz density_a2_per_hz flicker_a2_per_hz",
    "contributors": "condition device white_rms_a flicker_rms_a rms_a share",
    "judge": "layer unit candidate_rms_units_batched candidate_rms_units_ngspice",
}
_OPTIONAL = ("jitter", "trials", "spectra", "contributors", "judge")


@dataclass(frozen=True)
class Noise:
    """A plan with noise; tables of what was not measured are empty."""

    plan: str
    folder: Path
    summary: dict[str, Any]
    settings: dict[str, Any]
    tables: dict[str, pd.DataFrame]

    @property
    def page(self) -> str:
        return "noise.html" if self.plan == PLANS[0] else f"noise_{self.plan}.html"


def noise_plans(run: Run) -> list[str]:
    """Plans with noise that were simulated to the end."""
    found = []
    for path in sorted(run.path.glob("sim/*/summary.json")):
        name = path.parent.name
        if name.startswith(PLANS) and (path.parent / "noise_samples.parquet").is_file():
            found.append(name)
    return found


def load_noise(run: Run, plan: str) -> Noise:
    """Raises InputError for tables that cannot be read."""
    folder = run.sim_dir(plan)
    tables = {}
    for name, columns in _COLUMNS.items():
        path = folder / f"noise_{name}.parquet"
        if name in _OPTIONAL and not path.is_file():
            tables[name] = pd.DataFrame(columns=columns.split())
        else:
            tables[name] = read_table(path, columns, f"noise: {name}", _COMMAND)
    summary = read_object(folder / "summary.json", "simulation summary", _COMMAND)
    settings = read_object(folder / "plan.json", "simulation plan", _COMMAND)
    return Noise(plan, folder, summary, settings, tables)
