"""What the mismatch page reads: the tables of one plan of chips, whichever there are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from codesign.errors import InputError
from codesign.files import read_json
from codesign.report.reading import clean, read_object, read_table
from codesign.runs import Run

_COMMAND = "codesign simulate --mc"
_SAMPLES = (
    "sample chip clip clip_id status message log seed chip_seed network_decision chip_decision "
    "network_margin_units logit_margin_units agree label twin_decision"
)
_CHIPS = (
    "corner chip samples samples_ok samples_failed whole decisions_agreeing states_agreeing "
    "vote_agreement accuracy state_agreement candidate_error_rms_units mean_power_w "
    "margin_least_units margin_least_clip"
)
_SPREAD = (
    "corner clip clip_id network_margin_units pairs pairs_failed votes_kept margin_mean_units "
    "margin_sigma_units spread_units beyond_spread"
)
_LOST = "sample corner chip clip_id status network_margin_units logit_margin_units beyond_spread"
_YIELDS = "spec corner chips passed chips_failed yield yield_low yield_high"
_CURVES = "spec name op spec_limit limit chips passed yield yield_low yield_high"
# Tables that other parts of a simulation make, with the columns that are shown.
OPTIONAL = {
    "distributions": "corner quantity count mean sigma skew p_normal shape p5 median p95",
    "decision_logits": "corner clip_id class_index count mean sigma skew p5 p95 shape",
    "thresholds": "parameter layer unit programmed nominal mean_relative sigma_relative "
    "sigma_units law_sigma_relative skew shape chips",
    "cell_draws": "chip layer unit beta_hi_units beta_lo_units width_units alpha_units",
    "sensitivity": "clip_id device label role parameter sigma contribution_units rank",
    "worst_chips": "chip failures clip_id margin_units predicted_margin_units device label "
    "share_units rank delvto_sigma margin_without_units recovers ranked_by",
    "twosample": "quantity clip_id n_transistors n_twin statistic p_value p_holm differs "
    "mean_transistors mean_twin std_transistors std_twin shift_sigma std_ratio paired_error_rms "
    "paired_shift_sigma paired_std_ratio",
    "suppression_chips": "chip sigma_units ratio_median",
    "timings": "sample wall_s",
}


@dataclass(frozen=True)
class Population:
    """One plan of chips: its summary, its plan, its tables; ``more`` holds those of ``OPTIONAL``
    that are there, ``areas`` the rows of the run's table over area scales."""

    plan: str
    folder: Path
    summary: dict[str, Any]
    settings: dict[str, Any]
    samples: pd.DataFrame
    chips: pd.DataFrame
    spread: pd.DataFrame
    lost: pd.DataFrame
    yields: pd.DataFrame
    curves: pd.DataFrame
    more: dict[str, pd.DataFrame]
    areas: tuple[dict[str, Any], ...]
    nominal_margins: dict[str, float]

    @property
    def failed(self) -> pd.DataFrame:
        return self.samples[self.samples["status"] != "ok"]

    @property
    def corners(self) -> tuple[str, ...]:
        return tuple(str(corner) for corner in self.spread["corner"].unique())

    @property
    def page(self) -> str:
        return mismatch_file(self.plan)


def mismatch_file(plan: str) -> str:
    """The page's file: mismatch.html for the plan ``mc``, mismatch_area4.html for mc_area4."""
    return f"mismatch{plan.removeprefix('mc')}.html"


def population_plans(run: Run) -> list[str]:
    """Finished plans of chips, the plain one first."""
    found = (path.parent for path in (run.path / "sim").glob("mc*/summary.json"))
    return sorted(folder.name for folder in found if (folder / "chips.parquet").is_file())


def load_population(run: Run, plan: str) -> Population:
    """Read the tables of a plan of chips; InputError for one that is missing or damaged."""
    folder = run.sim_dir(plan)

    def table(name: str, columns: str, what: str) -> pd.DataFrame:
        return read_table(folder / f"{name}.parquet", columns, what, _COMMAND)

    samples = table("samples", _SAMPLES, "simulated samples")
    if "corner" not in samples:
        samples = samples.assign(corner="")
    settings = folder / "plan.json"
    summary = read_object(folder / "summary.json", "simulation summary", _COMMAND)
    return Population(
        plan=plan,
        folder=folder,
        summary=summary,
        settings=read_object(settings, "simulation plan", _COMMAND) if settings.is_file() else {},
        samples=samples.sort_values("sample", kind="stable").reset_index(drop=True),
        chips=table("chips", _CHIPS, "chips"),
        spread=table("spread", _SPREAD, "margins of clips over chips"),
        lost=table("votes_lost", _LOST, "votes that were not kept"),
        yields=table("yields", _YIELDS, "yield"),
        curves=table("yield_curves", _CURVES, "yield curves"),
        more={
            name: table(name, columns, name.replace("_", " "))
            for name, columns in OPTIONAL.items()
            if (folder / f"{name}.parquet").is_file()
        },
        areas=_areas(run.path / "sim" / "area_scale.json"),
        nominal_margins=_nominal_margins(run.sim_dir(), folder),
    )


def _areas(path: Path) -> tuple[dict[str, Any], ...]:
    if not path.is_file():
        return ()
    rows = clean(read_json(path, "yield against area scale"))
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and "area_scale" in row for row in rows
    ):
        raise InputError(
            f"{path} (yield against area scale) should hold a list of rows with 'area_scale'. "
            "Delete it and simulate again with --area-scale."
        )
    return tuple(sorted(rows, key=lambda row: float(row["area_scale"])))


def _nominal_margins(folder: Path, drawn: Path) -> dict[str, float]:
    """Margins of the chip without mismatch, by clip, where the same circuit was simulated."""
    path = folder / "samples.parquet"
    if not path.is_file() or _design(folder) != _design(drawn):
        return {}
    samples = read_table(path, "status clip_id", "simulated samples", "codesign simulate")
    if "logit_margin_units" not in samples:
        return {}
    ok = samples[samples["status"] == "ok"]
    return dict(zip(ok["clip_id"].astype(str), ok["logit_margin_units"].astype(float), strict=True))


def _design(folder: Path) -> object:
    path = folder / "plan.json"
    plan = read_object(path, "simulation plan", "codesign simulate") if path.is_file() else {}
    return plan.get("design")
