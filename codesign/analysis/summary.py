"""The headline figures of a simulation, each under a name that carries its unit."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from codesign.analysis.agreement import Comparison

# What a simulation is held against in the report's verdict.
TARGETS = {"state_agreement": 0.99, "accuracy_difference_points": 2.0}


def summarise(comparison: Comparison) -> dict[str, Any]:
    """Agreement, accuracy and power over the samples that ended well; failures are counted.

    Figures without a denominator (no sample ended well) are None.
    """
    samples, states, logits = comparison.samples, comparison.states, comparison.logits
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
        "vote_agreement_interval": _interval(agreeing, len(ok)),
        "decisions_differing_not_near_tie": int((~differing["near_tie"]).sum()),
        "near_ties": ok.loc[ok["near_tie"], "clip_id"].tolist(),
        "differing": [
            {
                "clip_id": row["clip_id"],
                "twin": int(row["twin_decision"]),
                "chip": int(row["chip_decision"]),
                "twin_margin_units": float(row["twin_margin_units"]),
                "explanation": row["explanation"],
            }
            for row in differing.to_dict("records")
        ],
    }
    figures |= _accuracy(ok) | _states(states) | _logits(logits) | _power(ok)
    figures["seconds_per_sample"] = float(samples["wall_s"].mean())
    return figures


def verdict(figures: dict[str, Any]) -> str:
    """``"pass"`` when every sample ran and every target of the demonstration is met."""
    met = (
        figures["samples_ok"] > 0
        and figures["samples_failed"] == 0
        and figures["decisions_differing_not_near_tie"] == 0
        and figures["state_agreement"] >= TARGETS["state_agreement"]
        and abs(figures["accuracy_difference_points"]) <= TARGETS["accuracy_difference_points"]
        and figures["parameter_rows"] == figures["parameters_learned"]
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


def _states(states: pd.DataFrame) -> dict[str, Any]:
    if not len(states):
        return dict.fromkeys(("state_agreement", "state_agreement_changed")) | {
            "state_count": 0,
            "state_changed_count": 0,
        }
    changed = states[states["changed"]]
    error = states["chip_candidate_units"] - states["twin_candidate_units"]
    # A wrong state below makes a candidate wrong by right: the circuit's own error is that of
    # candidates whose lower layers agree in the same frame.
    wrong_below = states.assign(wrong=~states["agree"])
    by_layer = wrong_below.groupby(["sample", "frame", "layer"])["wrong"].any().unstack()
    below = by_layer.cumsum(axis=1).shift(1, axis=1, fill_value=0) > 0
    keys = pd.MultiIndex.from_frame(states[["sample", "frame", "layer"]])
    clean = ~below.stack().reindex(keys).to_numpy(bool)
    causes = states.loc[~states["agree"], "cause"].value_counts()
    return {
        "state_agreement": float(states["agree"].mean()),
        "state_count": len(states),
        "state_agreement_changed": float(changed["agree"].mean()) if len(changed) else None,
        "state_changed_count": len(changed),
        "state_disagreement_causes": {str(k): int(v) for k, v in sorted(causes.items())},
        "samples_with_all_states_agreeing": int(states.groupby("sample")["agree"].all().sum()),
        "candidate_error_rms_units": _rms(error),
        "candidate_error_max_units": float(error.abs().max()),
        "candidate_error_rms_units_same_states_below": _rms(error[clean]),
        "candidate_error_max_units_same_states_below": float(error[clean].abs().max()),
    }


def _logits(logits: pd.DataFrame) -> dict[str, Any]:
    if not len(logits):
        return dict.fromkeys(("logit_error_rms_units", "logit_full_scale_units"))
    error = logits["chip_logit_units"] - logits["twin_logit_units"]
    return {
        "logit_error_rms_units": _rms(error),
        "logit_full_scale_units": float(logits["twin_logit_units"].abs().max()),
    }


def _power(ok: pd.DataFrame) -> dict[str, Any]:
    names = (
        "mean_power_w", "mean_power_cells_w", "mean_power_feedforward_w", "mean_power_bias_w",
    )  # fmt: skip
    figures: dict[str, Any] = {name: float(ok[name].mean()) if len(ok) else None for name in names}
    figures["power_min_w"] = float(ok["mean_power_w"].min()) if len(ok) else None
    figures["power_max_w"] = float(ok["mean_power_w"].max()) if len(ok) else None
    figures["energy_per_clip_j"] = float(ok["energy_j"].mean()) if len(ok) else None
    return figures


def _rms(values: "pd.Series[float]") -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _interval(successes: int, trials: int) -> list[float] | None:
    """Wilson's 95 % confidence interval of a proportion."""
    if not trials:
        return None
    low, high = binomtest(successes, trials).proportion_ci(method="wilson")
    return [float(low), float(high)]
