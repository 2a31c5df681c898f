"""The headline figures of a simulation, each under a name that carries its unit."""

from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.intervals import wilson
from codesign.analysis.logits import fit, residual_of_full_scale
from codesign.analysis.tally import Tally

# What a simulation is held against in the report's verdict.
TARGETS = {"state_agreement": 0.99, "accuracy_difference_points": 2.0}

# What the agreement page holds a simulation against.
AGREEMENT_TARGETS = {
    "vote_agreement_not_near_tie": 0.995,
    "state_agreement": 0.998,
    "state_agreement_changed": 0.98,
    "logit_residual_of_full_scale": 0.01,
    "suppression_ratio_median": 20.0,
}

# Differing decisions named one by one; the table of samples has them all.
DIFFERING_NAMED = 100


def summarise(samples: pd.DataFrame, tally: Tally) -> dict[str, Any]:
    """Agreement, accuracy and power over the samples that ended well; failures are counted.

    Figures without a denominator (no sample ended well) are None. With more than one chip a
    sample is a (chip, clip) pair, and figures over chips are added.
    """
    ok = samples[samples["status"] == "ok"]
    agreeing = int(ok["agree"].sum()) if len(ok) else 0
    differing = ok[~ok["agree"].astype(bool)]
    figures: dict[str, Any] = {
        "samples_total": len(samples),
        "samples_ok": len(ok),
        "samples_failed": len(samples) - len(ok),
        "clips": int(samples["clip"].nunique()),
        "decisions_agreeing": agreeing,
        "vote_agreement": agreeing / len(ok) if len(ok) else None,
        "vote_agreement_interval": wilson(agreeing, len(ok)),
        "decisions_differing_not_near_tie": int((~differing["near_tie"]).sum()),
        **_not_near_ties(ok),
        "near_ties": ok.loc[ok["near_tie"], "clip_id"].drop_duplicates().tolist(),
        "differing": [
            {
                "clip_id": row["clip_id"],
                "chip_index": None if pd.isna(row["chip"]) else int(row["chip"]),
                "twin": int(row["twin_decision"]),
                "chip": int(row["chip_decision"]),
                "twin_margin_units": float(row["twin_margin_units"]),
                "explanation": row["explanation"],
            }
            for row in differing.head(DIFFERING_NAMED).to_dict("records")
        ],
    }
    figures |= _accuracy(ok) | _states(tally) | _logits(tally) | _power(ok) | _chips(ok)
    return figures


def _not_near_ties(ok: pd.DataFrame) -> dict[str, Any]:
    """Decisions of the samples whose twin was not undecided itself."""
    clear = ok[~ok["near_tie"].astype(bool)]
    agreeing = int(clear["agree"].sum()) if len(clear) else 0
    return {
        "samples_not_near_tie": len(clear),
        "vote_agreement_not_near_tie": agreeing / len(clear) if len(clear) else None,
        "vote_agreement_not_near_tie_interval": wilson(agreeing, len(clear)),
    }


def root_figures(roots: pd.DataFrame) -> dict[str, Any]:
    """Where disagreements began and why, as ``simulation.explain`` found them."""
    seen = roots["evidence"] == "waveform"
    return {
        "root_disagreements": len(roots),
        "root_disagreements_with_waveform": int(seen.sum()),
        "root_causes": {
            str(name): int(n) for name, n in sorted(roots["cause"].value_counts().items())
        },
    }


def verdict(figures: dict[str, Any]) -> str:
    """``"pass"`` when every sample ran and every target of the demonstration is met.

    Where another engine than ngspice made the samples, its judge must have passed it.
    """
    met = (
        figures["samples_ok"] > 0
        and figures["samples_failed"] == 0
        and figures["decisions_differing_not_near_tie"] == 0
        and figures["state_agreement"] >= TARGETS["state_agreement"]
        and abs(figures["accuracy_difference_points"]) <= TARGETS["accuracy_difference_points"]
        and figures["parameter_rows"] == figures["parameters_learned"]
        and figures.get("judge_verdict", "pass") == "pass"
    )
    return "pass" if met else "fail"


def _accuracy(ok: pd.DataFrame) -> dict[str, Any]:
    if not len(ok):
        return dict.fromkeys(("twin_accuracy", "chip_accuracy", "accuracy_difference_points"))
    twin = float((ok["twin_decision"] == ok["label"]).mean())
    chip = float((ok["chip_decision"] == ok["label"]).mean())
    return {
        "twin_accuracy": twin,
        "chip_accuracy": chip,
        "accuracy_difference_points": 100 * (chip - twin),
    }


def _chips(ok: pd.DataFrame) -> dict[str, Any]:
    """Figures over chips, each over its clips that ended well; nothing for the nominal chip."""
    drawn = ok[ok["chip"].notna()]
    if not len(drawn):
        return {}
    right = (drawn["chip_decision"] == drawn["label"]).astype(float)
    accuracy = right.groupby(drawn["chip"].astype("int64")).mean().to_numpy()
    agreeing = drawn["agree"].astype(bool).groupby(drawn["chip"].astype("int64")).all()
    return {
        "chips": len(accuracy),
        "chips_all_decisions_agreeing": int(agreeing.sum()),
        "accuracy_chip_mean": float(accuracy.mean()),
        "accuracy_chip_p5": float(np.quantile(accuracy, 0.05)),
        "accuracy_chip_min": float(accuracy.min()),
    }


def _states(tally: Tally) -> dict[str, Any]:
    count = int(tally.total("pairs"))
    if not count:
        return dict.fromkeys(("state_agreement", "state_agreement_changed")) | {
            "state_count": 0,
            "state_changed_count": 0,
        }
    changed = int(tally.total("changed"))
    return {
        "state_agreement": (count - tally.total("differing")) / count,
        "state_count": count,
        "state_agreement_changed": tally.total("changed_agreeing") / changed if changed else None,
        "state_changed_count": changed,
        "state_disagreement_causes": dict(sorted(tally.causes.items())),
        "samples_with_all_states_agreeing": tally.samples_agreeing,
        "candidate_error_rms_units": tally.rms("error_square_sum_units2", "pairs"),
        "candidate_error_max_units": tally.total("error_max_units"),
        "candidate_error_rms_units_same_states_below": tally.rms(
            "clean_error_square_sum_units2", "clean_pairs"
        ),
        "candidate_error_max_units_same_states_below": tally.total("clean_error_max_units"),
        **_static_suppression(tally),
    }


def _static_suppression(tally: Tally) -> dict[str, Any]:
    """Error of candidates over error of states, both against the twin, where states agree."""
    into = tally.rms("agreeing_error_square_sum_units2", "agreeing_pairs")
    out = tally.rms("agreeing_state_error_square_sum_units2", "agreeing_pairs")
    return {
        "state_error_rms_units_same_states": out,
        "suppression_static_ratio": into / out if into is not None and out else None,
    }


def _logits(tally: Tally) -> dict[str, Any]:
    if not tally.logits:
        return dict.fromkeys(("logit_error_rms_units", "logit_full_scale_units"))
    full = tally.logit_full_scale_units
    fits = {name: fit(sums, full) for name, sums in tally.logit_moments.items()}
    return {
        "logit_error_rms_units": (tally.logit_square_sum_units2 / tally.logits) ** 0.5,
        "logit_full_scale_units": full,
        "logit_residual_of_full_scale": residual_of_full_scale(fits["states_agreeing"], full),
        "logit_residual_of_full_scale_all_frames": residual_of_full_scale(fits["all"], full),
        "logit_fit": fits["states_agreeing"],
        "logit_fit_all_frames": fits["all"],
    }


def _power(ok: pd.DataFrame) -> dict[str, Any]:
    names = (
        "mean_power_w", "mean_power_cells_w", "mean_power_feedforward_w", "mean_power_bias_w",
        "mean_power_strobe_w",
    )  # fmt: skip
    figures: dict[str, Any] = {name: float(ok[name].mean()) if len(ok) else None for name in names}
    figures["power_min_w"] = float(ok["mean_power_w"].min()) if len(ok) else None
    figures["power_max_w"] = float(ok["mean_power_w"].max()) if len(ok) else None
    figures["energy_per_clip_j"] = float(ok["energy_j"].mean()) if len(ok) else None
    return figures
