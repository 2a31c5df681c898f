"""The table of samples: how each ended, what it decided, how far it was off, and why."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.causes import differs_below
from codesign.analysis.yardstick import Twins, Yardstick
from codesign.simulation.attempts import rungs
from codesign.simulation.traces import Traces

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Columns of the table of samples: errors of candidates (all, and those in frames in which all
# states of the layers below agree) and of logits (the largest where all states of a frame agree).
ERRORS = (
    "candidate_error_rms_units", "candidate_error_max_units",
    "candidate_error_rms_units_same_states_below", "candidate_error_max_units_same_states_below",
    "logit_error_rms_units", "logit_error_max_units_same_states",
)  # fmt: skip
_PLANNED = ("clip_id", "seed", "chip", "chip_seed", "corner", "noise_seed")


def sample_rows(
    yardstick: Yardstick, planned: pd.DataFrame, twins: Twins, network: Twins, traces: Traces
) -> pd.DataFrame:
    """Rows as planned and as they ended; ``network`` is the ideal twin of each, whatever ``twins``
    are."""
    n = len(planned)
    total = traces.power_w.sum(axis=1)
    return pd.DataFrame(
        {
            **{name: planned[name].to_numpy() for name in ("sample", "clip")},
            **{name: planned[name].array for name in _PLANNED},
            "status": list(traces.status),
            "message": list(traces.message),
            "log": list(traces.log),
            "rung": rungs(traces.attempts),
            "label": planned["label"].to_numpy(),
            "twin_decision": twins.decision,
            "chip_decision": pd.array([pd.NA] * n, dtype="Int64"),
            "agree": pd.array([pd.NA] * n, dtype="boolean"),
            "twin_margin_units": twins.margin_units,
            "chip_margin_units": np.full(n, np.nan),
            "network_decision": network.decision,
            "network_margin_units": network.margin_units,
            "logit_margin_units": np.full(n, np.nan),
            "near_tie": twins.margin_units < yardstick.near_tie_units,
            "explanation": np.full(n, None, dtype=object),
            **{
                f"states_{name}": pd.array([pd.NA] * n, dtype="Int64")
                for name in ("differing", "changed", "changed_agreeing")
            },
            **{name: np.full(n, np.nan) for name in ERRORS},
            "mean_power_w": total,
            "mean_power_cells_w": traces.power_w[:, 0],
            "mean_power_feedforward_w": traces.power_w[:, 1],
            "mean_power_bias_w": traces.power_w[:, 2],
            "mean_power_strobe_w": traces.power_w[:, 3],
            "energy_j": total * yardstick.timing.stop_s,
        }
    )


def fill_errors(
    samples: pd.DataFrame, ok: Bools, error: Floats, differs: Bools, logit_error: Floats
) -> None:
    """Errors of every sample's candidates and logits, units."""
    below = differs_below(differs)[..., None, :]
    clean = np.where(below, np.nan, error)
    whole = np.asarray(differs.any(axis=(1, 2)))[..., None]
    cells, outputs = (1, 2, 3), (1, 2)
    # The candidates of the first layer are always clean, so no sample is without any.
    values = (
        np.sqrt(np.mean(error**2, axis=cells)),
        np.abs(error).max(axis=cells),
        np.sqrt(np.nanmean(clean**2, axis=cells)),
        np.nanmax(np.abs(clean), axis=cells),
        np.sqrt(np.mean(logit_error**2, axis=outputs)),
        np.abs(np.where(whole, 0.0, logit_error)).max(axis=outputs),
    )
    for name, column in zip(ERRORS, values, strict=True):
        samples.loc[ok, name] = column


def fill_decisions(
    yardstick: Yardstick, samples: pd.DataFrame, ok: Bools, twins: Twins, logits: Floats
) -> None:
    decision, margins = yardstick.decide(logits), yardstick.margins(logits)
    samples.loc[ok, "chip_decision"] = decision
    samples.loc[ok, "agree"] = decision == twins.decision
    samples.loc[ok, "chip_margin_units"] = margins.max(axis=1)
    decided = samples.loc[ok, "network_decision"].to_numpy(np.int64)
    samples.loc[ok, "logit_margin_units"] = margins[np.arange(len(decided)), decided]


def explain_decisions(samples: pd.DataFrame, roots: pd.DataFrame, states: int) -> pd.DataFrame:
    """``samples`` with why a decision differs, for those that do, in words.

    ``roots`` has where each disagreement of states began; ``states`` is the number of states of a
    sample.
    """
    first = roots.sort_values(["sample", "frame", "layer", "unit"]).drop_duplicates("sample")
    at = first.set_index("sample")
    differing = samples.index[~samples["agree"].to_numpy(bool, na_value=True)]
    texts = samples["explanation"].to_numpy(object, copy=True)
    for row in differing:
        sample = samples.loc[row]
        reasons = []
        if sample["near_tie"]:
            reasons.append(
                f"near-tie: the twin's margin is {sample['twin_margin_units']:.3f} units"
            )
        if sample["sample"] in at.index:
            root = at.loc[sample["sample"]]
            reasons.append(
                f"{sample['states_differing']} of {states} states differ, first layer "
                f"{root['layer']} unit {root['unit']} in frame {root['frame']} ({root['cause']}: "
                f"twin candidate {root['twin_candidate_units']:.3f}, chip "
                f"{root['chip_candidate_units']:.3f} units)"
            )
        else:
            error = sample["logit_error_max_units_same_states"]
            reasons.append(f"all states agree, the logits differ by up to {error:.3f} units")
        texts[samples.index.get_loc(row)] = "; ".join(reasons)
    return samples.assign(explanation=pd.Series(texts, index=samples.index, dtype=object))
