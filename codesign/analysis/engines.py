"""The batched engine against ngspice: the same samples in both, and a verdict.

Candidates are compared where the states of the layers below agree, logits where all states of the
frame do: what follows from a state that differs is counted once, as that state. A state that
differs is marginal when a small change of one mirror's current makes the batched engine decide as
ngspice did; any other is a defect of the engine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.agreement import Yardstick
from codesign.analysis.causes import differs_below
from codesign.simulation.plan import PlannedSample
from codesign.simulation.traces import Traces

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Tolerances:
    """How far the batched engine may be from ngspice before a run fails.

    Errors are pooled over the samples of the judge. candidate_error_rms_relative and
    logit_error_rms_relative: rms error over rms current in ngspice. candidate_error_max_relative:
    the largest error of one candidate over that rms current. power_error_relative: of any sample's
    mean power. They leave room above what is measured over many chips (docs/engine.md), because
    four samples of which two are the worst of their run scatter. States and decisions may differ
    only where the difference is marginal.
    """

    candidate_error_rms_relative: float = 2e-3
    candidate_error_max_relative: float = 5e-2
    logit_error_rms_relative: float = 5e-3
    power_error_relative: float = 4e-3


TOLERANCES = Tolerances()

# Of a sample, the states (layers, units, frames) and the decision ngspice found, and which states
# differ: which states, and whether the decision, the batched engine finds too under some small
# change of one mirror.
Marginal = Callable[[PlannedSample, Bools, Bools, int], tuple[Bools, bool]]


@dataclass(frozen=True)
class Chosen:
    """One sample of the judge: why it was chosen, and what it is."""

    stratum: str
    planned: PlannedSample


def compare_engines(
    yardstick: Yardstick,
    chosen: Sequence[Chosen],
    reference: Traces,
    batched: Traces,
    marginal: Marginal,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """One row per sample, and the pooled sums of squares of errors and of currents."""
    rows, pooled = [], {"candidate_error": 0.0, "candidate": 0.0, "logit_error": 0.0, "logit": 0.0}
    half_a = yardstick.cells("alpha")[:, :, None] / 2 * yardstick.unit_current_a
    both = reference.ok & batched.ok
    unit_a = yardstick.unit_current_a
    logits = [traces.logits_a[both] / np.float64(unit_a) for traces in (reference, batched)]
    decided = np.zeros((2, len(both)), dtype=np.int64)
    decided[:, both] = [yardstick.decide(values) for values in logits]
    margins = np.zeros(len(both))
    margins[both] = yardstick.margins(logits[0]).max(axis=1)
    for k, item in enumerate(chosen):
        row: dict[str, Any] = {
            "sample": item.planned.sample,
            "stratum": item.stratum,
            "clip_id": item.planned.clip_id,
            "chip": item.planned.chip,
            "status_ngspice": reference.status[k],
            "status_batched": batched.status[k],
            "log_ngspice": f"judge/{reference.log[k]}",
            "wall_ngspice_s": reference.wall_s[k],
            "wall_batched_s": batched.wall_s[k],
        }
        if both[k]:
            wanted, got = reference.states_a[k] > half_a, batched.states_a[k] > half_a
            differs = wanted != got
            decision = [int(found) for found in decided[:, k]]
            explained, reached = np.zeros_like(differs), False
            if differs.any() or decision[0] != decision[1]:
                found, reached = marginal(item.planned, wanted, differs, decision[0])
                explained = differs & found
            clean = ~np.broadcast_to(differs_below(differs)[:, None, :], differs.shape)
            whole = ~differs.any(axis=(0, 1))
            current = reference.candidates_a[k][clean].astype(np.float64)
            error = batched.candidates_a[k][clean] - current
            logit = reference.logits_a[k][whole].astype(np.float64)
            logit_error = batched.logits_a[k][whole] - logit
            for name, values in (("candidate_error", error), ("candidate", current),
                                 ("logit_error", logit_error), ("logit", logit)):  # fmt: skip
                pooled[name] += float(np.square(values).sum())
            power = reference.power_w[k].sum(), batched.power_w[k].sum()
            row |= {
                "candidates_compared": int(clean.sum()),
                "candidate_error_rms_a": _rms(error),
                "candidate_error_max_a": float(np.abs(error).max()),
                "candidate_rms_a": _rms(current),
                "states_compared": differs.size,
                "states_differing": int(differs.sum()),
                "states_marginal": int(explained.sum()),
                "logit_error_rms_a": _rms(logit_error) if logit.size else 0.0,
                "decision_ngspice": decision[0],
                "decision_batched": decision[1],
                "decision_marginal": reached,
                "decision_margin_ngspice_a": float(margins[k] * unit_a),
                "power_ngspice_w": float(power[0]),
                "power_batched_w": float(power[1]),
                "power_error_relative": float(abs(power[1] / power[0] - 1)),
            }
        rows.append(row)
    return pd.DataFrame(rows).astype({"chip": "Int64"}), pooled


def judged(
    rows: pd.DataFrame, pooled: dict[str, float], tolerances: Tolerances = TOLERANCES
) -> dict[str, Any]:
    """The figures of the summary; ``judge_verdict`` is "pass" or "fail", with its reasons."""
    if "states_compared" not in rows:
        reasons = ["no sample ended well in both engines"]
        return {"judge_samples": len(rows), "judge_verdict": "fail", "judge_reasons": reasons}
    compared = rows[rows["states_compared"].notna()]
    candidate_a = (pooled["candidate"] / compared["candidates_compared"].sum()) ** 0.5
    logit_relative = (pooled["logit_error"] / pooled["logit"]) ** 0.5 if pooled["logit"] else 0.0
    differ = compared["decision_ngspice"] != compared["decision_batched"]
    # A decision that differs is marginal where it follows from marginal states, where a change
    # of one mirror makes it too, or where the two best logits are closer than their tolerance.
    near = compared["decision_margin_ngspice_a"] < (
        2 * tolerances.logit_error_rms_relative * compared["candidate_rms_a"]
    )
    lost = compared["states_differing"] - compared["states_marginal"]
    followed = compared["decision_marginal"].astype(bool)
    unexplained = differ & ~near & ~followed & ~((compared["states_differing"] > 0) & (lost == 0))
    figures: dict[str, Any] = {
        "judge_samples": len(rows),
        "judge_samples_compared": len(compared),
        "judge_candidate_error_rms_relative": (
            pooled["candidate_error"] / pooled["candidate"]
        ) ** 0.5,
        "judge_candidate_error_max_relative": float(
            compared["candidate_error_max_a"].max() / candidate_a
        ),
        "judge_logit_error_rms_relative": logit_relative,
        "judge_states_compared": int(compared["states_compared"].sum()),
        "judge_states_differing": int(compared["states_differing"].sum()),
        "judge_states_marginal": int(compared["states_marginal"].sum()),
        "judge_decisions_differing": int(differ.sum()),
        "judge_decisions_marginal": int((differ & ~unexplained).sum()),
        "judge_power_error_relative_max": float(compared["power_error_relative"].max()),
    }  # fmt: skip
    reasons = [
        f"{name} {figures[f'judge_{key}']:.2g} is above {limit:g}"
        for name, key, limit in (
            ("the candidates' rms error", "candidate_error_rms_relative",
             tolerances.candidate_error_rms_relative),
            ("the largest candidate error", "candidate_error_max_relative",
             tolerances.candidate_error_max_relative),
            ("the logits' rms error", "logit_error_rms_relative",
             tolerances.logit_error_rms_relative),
            ("the power's error", "power_error_relative_max", tolerances.power_error_relative),
        )
        if figures[f"judge_{key}"] > limit
    ]  # fmt: skip
    if len(compared) < len(rows):
        reasons.append(f"{len(rows) - len(compared)} samples did not end well in both engines")
    if lost.sum():
        reasons.append(
            f"{int(lost.sum())} differing states that no small change of a mirror explains"
        )
    if unexplained.any():
        reasons.append(f"{int(unexplained.sum())} differing decisions that are not marginal")
    return figures | {"judge_verdict": "fail" if reasons else "pass", "judge_reasons": reasons}


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
