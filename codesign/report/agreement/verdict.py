"""The verdict of the agreement page: every figure beside its target."""

from typing import Any

from codesign.analysis.summary import AGREEMENT_TARGETS
from codesign.report.agreement.data import Disagreements
from codesign.report.page import Card, Status
from codesign.report.sections.verdict import Verdict, judged
from codesign.report.style import count, is_number, number, percent


def agreement_verdict(found: Disagreements) -> Verdict:
    """Cards and a sentence; passed when every target is met."""
    s = found.sim.summary
    targets = AGREEMENT_TARGETS | (s.get("agreement_targets") or {})
    cards = (
        _decisions(s, targets), _states(s, targets), _changed(s, targets), _causes(found),
        _logits(s, targets), _suppression(s, targets), _candidates(s),
    )  # fmt: skip
    wrong, total = int(found.units["differing"].sum()), int(found.units["pairs"].sum())
    sentence = f"All {count(total)} states equal the twin's."
    if wrong:
        sentence = (
            f"{count(wrong)} of {count(total)} states differ from the twin's; they follow from "
            f"{count(len(found.roots))} that began it."
        )
    return judged(sentence, cards)


def _status(value: Any, least: float | None = None, most: float | None = None) -> Status:
    if not is_number(value):
        return "warn"
    good = (least is None or value >= least) and (most is None or value <= most)
    return "met" if good else "missed"


def _bare(value: Any, decimals: int = 2) -> str:
    return percent(value, decimals).removesuffix("\u00a0%")


def _decisions(s: dict[str, Any], targets: dict[str, float]) -> Card:
    value, clear = s.get("vote_agreement_not_near_tie"), s.get("samples_not_near_tie")
    least = targets["vote_agreement_not_near_tie"]
    low, high = s.get("vote_agreement_not_near_tie_interval") or (None, None)
    every = s.get("vote_agreement_interval") or (None, None)
    return Card(
        label="Decisions equal to the twin's, near-ties aside",
        value=_bare(value),
        unit=f"% of {count(clear)}",
        detail=f"95 % interval {percent(low, 1)} to {percent(high, 1)}; of all "
        f"{count(s.get('samples_ok'))} samples {percent(s.get('vote_agreement'))}, interval "
        f"{percent(every[0])} to {percent(every[1])}",
        target=f"at least {percent(least)}",
        status=_status(value, least),
    )


def _states(s: dict[str, Any], targets: dict[str, float]) -> Card:
    value, least = s.get("state_agreement"), targets["state_agreement"]
    return Card(
        label="States equal to the twin's",
        value=_bare(value, 3),
        unit="%",
        detail=f"of {count(s.get('state_count'))} (unit, frame) pairs; every state right on "
        f"{count(s.get('samples_with_all_states_agreeing'))} of {count(s.get('samples_ok'))} "
        "samples",
        target=f"at least {percent(least)}",
        status=_status(value, least),
    )


def _changed(s: dict[str, Any], targets: dict[str, float]) -> Card:
    value, least = s.get("state_agreement_changed"), targets["state_agreement_changed"]
    return Card(
        label="Same, where the twin's state changes",
        value=_bare(value),
        unit="%",
        detail=f"of {count(s.get('state_changed_count'))} pairs",
        target=f"at least {percent(least)}",
        status=_status(value, least),
    )


def _causes(found: Disagreements) -> Card:
    total, seen = len(found.roots), int((found.roots["evidence"] == "waveform").sum())
    detail = "no state differs"
    if total:
        detail = f"{count(seen)} of them seen in a waveform"
        if seen < total:
            detail += ", the others told from sampled values"
    return Card(
        label="Disagreements that began, each with its cause",
        value=count(total),
        unit="",
        detail=detail,
        target="a waveform behind every cause",
        status="met" if seen == total else "missed",
    )


def _logits(s: dict[str, Any], targets: dict[str, float]) -> Card:
    value = s.get("logit_residual_of_full_scale")
    most = targets["logit_residual_of_full_scale"]
    every = s.get("logit_residual_of_full_scale_all_frames")
    return Card(
        label="Logits, what gain and offset do not explain",
        value=_bare(value),
        unit="% rms",
        detail="of full scale, over frames whose states all agree; over all frames "
        f"{percent(every, 2)} (a wrong state is a wrong logit)",
        target=f"at most {percent(most, 0)}",
        status=_status(value, most=most),
    )


def _suppression(s: dict[str, Any], targets: dict[str, float]) -> Card:
    value, sigma = s.get("suppression_ratio_median"), s.get("suppression_sigma_units")
    least = targets["suppression_ratio_median"]
    if not is_number(value):
        return Card(
            "Error suppression at the cells", "–", "", "not measured: simulate with --suppression "
            "or with the batched engine", f"at least {least:g} times", "warn",
        )  # fmt: skip
    return Card(
        label="Error suppression at the cells, median",
        value=number(value),
        unit="times",
        detail=f"with input noise of sigma {number(sigma, 2)} units, the largest at which it holds "
        f"({number(s.get('suppression_candidate_rms_units_median'), 2)} units rms at the "
        f"candidates), {count(s.get('suppression_pairs'))} (unit, clip) pairs; flips included and "
        f"all pairs together: {number(s.get('suppression_ratio_pooled'), 2)}",
        target=f"at least {least:g} times",
        status=_status(value, least),
    )


def _candidates(s: dict[str, Any]) -> Card:
    same = "_same_states_below"
    return Card(
        label="Candidate error",
        value=number(s.get("candidate_error_rms_units" + same), 2),
        unit="units rms",
        detail=f"at most {number(s.get('candidate_error_max_units' + same), 2)}, in frames in "
        f"which the states below agree; {number(s.get('candidate_error_rms_units'), 2)} rms "
        "over all",
        target="reported, no target",
        status="info",
    )
