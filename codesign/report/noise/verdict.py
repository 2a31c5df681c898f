"""The head of the noise page: jitter against its target, flips, noise beside mismatch."""

from codesign.report.noise.data import Noise
from codesign.report.page import Card
from codesign.report.sections.verdict import Verdict, judged
from codesign.report.style import count, is_number, number, percent


def noise_verdict(found: Noise) -> Verdict:
    """Cards and a sentence; passed when every target among them is met."""
    s = found.summary
    cards = tuple(
        card
        for card in (
            _jitter(found), _decisions(found), _states(found), _mismatch(found), _candidates(found),
            _logits(found), _judge(found), _power(found),
        )
        if card is not None
    )  # fmt: skip
    flipped, compared = s.get("noise_decisions_flipped"), s.get("noise_samples_compared")
    sentence = (
        f"With the noise of every device, {count(flipped)} of {count(compared)} decisions differ "
        "from those of the same chips and clips without it."
    )
    if not any(card.status in ("met", "missed") for card in cards):
        return Verdict(sentence, None, "Reported, no target", cards)
    return judged(sentence, cards)


def _jitter(found: Noise) -> Card | None:
    s = found.summary
    if not is_number(s.get("noise_jitter_ratio_worst")):
        return None
    total, within = s["noise_jitter_thresholds"], s["noise_jitter_within_target"]
    target = s["noise_jitter_target"]
    return Card(
        label="Threshold jitter, transient over prediction from .noise",
        value=number(s["noise_jitter_ratio_worst"], 3),
        unit="times, the worst",
        detail=f"of {count(total)} thresholds, {count(within)} within the target; median "
        f"{number(s['noise_jitter_ratio_median'], 3)}; each has an interval in the table",
        target=f"within a factor {number(target, 2)}",
        status="met" if within == total else "missed",
    )


def _decisions(found: Noise) -> Card:
    s = found.summary
    low, high = s.get("noise_decisions_flipped_interval") or (None, None)
    return Card(
        label="Decisions that noise changes",
        value=count(s.get("noise_decisions_flipped")),
        unit=f"of {count(s.get('noise_samples_compared'))}",
        detail=f"95 % interval {percent(low, 2)} to {percent(high, 2)}; on "
        f"{count(s.get('noise_clips_with_a_flipped_decision'))} of {count(s.get('noise_clips'))} "
        f"clips and chips, {count(s.get('noise_seeds'))} seeds each",
        target="reported, no target",
        status="info",
    )


def _states(found: Noise) -> Card:
    s = found.summary
    low, high = s.get("noise_states_flipped_interval") or (None, None)
    return Card(
        label="States that noise changes",
        value=count(s.get("noise_states_flipped")),
        unit=f"of {count(s.get('noise_states_compared'))}",
        detail=f"95 % interval {percent(low, 3)} to {percent(high, 3)}; in "
        f"{count(s.get('noise_samples_with_a_flip'))} of {count(s.get('noise_samples_compared'))} "
        "samples",
        target="reported, no target",
        status="info",
    )


def _mismatch(found: Noise) -> Card | None:
    s = found.summary
    ratio = s.get("noise_over_mismatch")
    if not is_number(ratio):
        return None
    return Card(
        label="Noise of a threshold beside its mismatch",
        value=percent(ratio, 1).removesuffix("\u00a0%"),
        unit="% of it, median",
        detail=f"noise {percent(s.get('noise_jitter_relative_median'), 2)} of the threshold, "
        "median; mismatch by the process's law, to first order",
        target="reported, no target",
        status="info",
    )


def _candidates(found: Noise) -> Card:
    s = found.summary
    return Card(
        label="Noise of the candidates",
        value=number(s.get("noise_candidate_rms_units"), 2),
        unit="units rms",
        detail=f"at most {number(s.get('noise_candidate_rms_max_units'), 2)} of a cell; sampled "
        "once a frame, before the first state that flips",
        target="reported, no target",
        status="info",
    )


def _logits(found: Noise) -> Card:
    s = found.summary
    return Card(
        label="Noise of the logits",
        value=number(s.get("noise_logit_rms_units"), 2),
        unit="units rms",
        detail=f"the margin of a decision moves by "
        f"{number(s.get('noise_margin_sigma_median_units'), 2)} units, median of clips",
        target="reported, no target",
        status="info",
    )


def _judge(found: Noise) -> Card | None:
    s = found.summary
    ratio = s.get("noise_judge_candidate_ratio")
    if not is_number(ratio):
        return None
    return Card(
        label="Noise of candidates, batched engine over ngspice",
        value=number(ratio, 3),
        unit="times",
        detail=f"one clip, {count(s.get('noise_judge_samples'))} seeds in ngspice; logits "
        f"{number(s.get('noise_judge_logit_ratio'), 3)} times",
        target="within a factor 1.5",
        status="met" if s.get("noise_judge_verdict") == "pass" else "missed",
    )


def _power(found: Noise) -> Card:
    ratio = found.summary.get("noise_power_ratio_mean")
    change = abs(ratio - 1) if is_number(ratio) else None
    return Card(
        label="Change of the mean power",
        value=percent(change, 2).removesuffix("\u00a0%"),
        unit="%",
        detail="with noise against without, mean of all samples",
        target="reported, no target",
        status="info",
    )
