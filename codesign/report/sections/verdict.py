"""The verdict: a sentence and a row of headline figures, each with its target and denominator."""

from collections.abc import Sequence
from dataclasses import dataclass

from codesign.report.page import Card, Status, power_split
from codesign.report.rundata import RunData, Simulation
from codesign.report.style import (
    MISSING,
    count,
    is_number,
    percent,
    quantity,
    signed,
    split_quantity,
)

STATE_TARGET = 0.99
ACCURACY_TARGET_POINTS = 2.0


@dataclass(frozen=True)
class Verdict:
    """The head of the page. ``passed`` is None where nothing has a target yet."""

    sentence: str
    passed: bool | None
    word: str
    cards: tuple[Card, ...]


def verdict(data: RunData) -> Verdict:
    """Cards of the furthest stage, and whether every target among them is met."""
    if data.simulation is None:
        cards, sentence = _training_cards(data), _training_sentence(data)
    else:
        cards, sentence = _simulation_cards(data.simulation), _decision_sentence(data.simulation)
    if data.simulation is None:
        reached = "mapped, not simulated" if data.design is not None else "trained, not mapped"
        return Verdict(sentence, None, reached.capitalize(), cards)
    return judged(sentence, cards)


def judged(sentence: str, cards: Sequence[Card]) -> Verdict:
    """The head of a page whose cards say which of their targets are met."""
    found = [card.status for card in cards if card.status in ("met", "missed")]
    missed = found.count("missed")
    word = f"{missed} of {len(found)} targets missed" if missed else "All targets met"
    return Verdict(sentence, missed == 0, word, tuple(cards))


def _judge(ok: bool | None) -> Status:
    if ok is None:
        return "warn"
    return "met" if ok else "missed"


def _target(sim: Simulation, key: str, default: float) -> float:
    """The target the simulation itself was held against."""
    value = (sim.summary.get("targets") or {}).get(key)
    return float(value) if is_number(value) else default


def _decision_sentence(sim: Simulation) -> str:
    agree, total = sim.summary.get("decisions_agreeing"), sim.summary.get("samples_ok")
    if not is_number(agree) or not total:
        return "No sample ended well, so nothing can be said of the decisions."
    what = "(chip, clip) pairs" if _of_chips(sim) else "test clips"
    if agree == total:
        return f"The transistors decide as the software twin on all {count(total)} {what}."
    return (
        f"The transistors decide as the software twin on {count(agree)} of {count(total)} {what}."
    )


def _of_chips(sim: Simulation) -> bool:
    return is_number(sim.summary.get("chips"))


def _samples(sim: Simulation) -> str:
    """How many samples ended well, as what they are: clips on one chip, or (chip, clip) pairs."""
    return f"{count(sim.summary.get('samples_ok'))} {'pairs' if _of_chips(sim) else 'clips'}"


def _training_sentence(data: RunData) -> str:
    test = data.metrics.get("splits", {}).get("test", {})
    return (
        f"In software the network reaches {percent(test.get('balanced_accuracy'))} balanced "
        f"accuracy on {count(test.get('count'))} test clips."
    )


def _simulation_cards(sim: Simulation) -> tuple[Card, ...]:
    cards = [_decisions(sim), _states(sim), _changed(sim), _accuracy(sim), _power(sim)]
    if _of_chips(sim):
        cards.insert(1, _chips(sim))
    return (*cards, _parameters(sim), _failed(sim))


def _decisions(sim: Simulation) -> Card:
    s = sim.summary
    beyond = s.get("decisions_differing_not_near_tie")
    interval = s.get("vote_agreement_interval") or (None, None)
    ties = len(s.get("near_ties") or ())
    low, high = percent(interval[0], 0), percent(interval[1], 0)
    target, ok = "every clip except near-ties", (beyond == 0) if is_number(beyond) else None
    floor = s.get("min_agreement")
    if is_number(floor):
        target += f", and at least {percent(floor)}"
        ok = bool(ok) and s.get("vote_agreement", 0) >= floor
    near = s.get("near_tie_units")
    below = f" (twin margin below {near:g} units)" if is_number(near) else ""
    tied = f"{ties} near-{'tie' if ties == 1 else 'ties'}{below}, listed below"
    tied = tied if ties else f"no near-ties{below}"
    return Card(
        label="Decisions equal to the twin's",
        value=count(s.get("decisions_agreeing")),
        unit=f"of {_samples(sim)}",
        detail=f"{percent(s.get('vote_agreement'))}, 95 % interval {low} to {high}; {tied}",
        target=target,
        status=_judge(ok if s.get("samples_ok") else None),
    )


def _chips(sim: Simulation) -> Card:
    s = sim.summary
    return Card(
        label="Chips that decide as the twin on every clip",
        value=count(s.get("chips_all_decisions_agreeing")),
        unit=f"of {count(s.get('chips'))}",
        detail=f"accuracy of a chip: {percent(s.get('accuracy_chip_mean'))} on average, "
        f"{percent(s.get('accuracy_chip_p5'))} at the 5th percentile, "
        f"{percent(s.get('accuracy_chip_min'))} at least",
        target="reported, no target",
        status="info",
    )


def _states(sim: Simulation) -> Card:
    value = sim.summary.get("state_agreement")
    target = _target(sim, "state_agreement", STATE_TARGET)
    whole = sim.summary.get("samples_with_all_states_agreeing")
    clips = f"; every state right on {count(whole)} of {_samples(sim)}"
    return Card(
        label="States equal to the twin's",
        value=percent(value, 2).removesuffix("\u00a0%"),
        unit="%" if is_number(value) else "",
        detail=f"of {count(sim.summary.get('state_count'))} (unit, frame) pairs"
        + (clips if is_number(whole) else ""),
        target=f"at least {percent(target, 0)}",
        status=_judge(value >= target if is_number(value) else None),
    )


def _changed(sim: Simulation) -> Card:
    value, n = (sim.summary.get(f"state_{key}") for key in ("agreement_changed", "changed_count"))
    everything = sim.summary.get("state_count")
    share = f", {percent(n / everything)} of all" if is_number(n) and everything else ""
    return Card(
        label="Same, where the twin's state changes",
        value=percent(value, 2).removesuffix("\u00a0%"),
        unit="%" if is_number(value) else "",
        detail=f"of {count(n)} pairs{share}: the plain figure flatters",
        target="reported, no target",
        status="info",
    )


def _accuracy(sim: Simulation) -> Card:
    s = sim.summary
    points = s.get("accuracy_difference_points")
    if not is_number(points) and is_number(s.get("chip_accuracy")):
        points = 100 * (s["chip_accuracy"] - s["twin_accuracy"])
    target = _target(sim, "accuracy_difference_points", ACCURACY_TARGET_POINTS)
    # The tolerance is for 2 points that come out of a subtraction as 2.0000000000000018.
    ok = abs(points) <= target + 1e-9 if is_number(points) else None
    return Card(
        label="Accuracy, transistors minus software",
        value=signed(points),
        unit="points" if is_number(points) else "",
        detail=f"{percent(s.get('chip_accuracy'))} against {percent(s.get('twin_accuracy'))} "
        f"on the same {_samples(sim)}",
        target=f"within {target:g} points",
        status=_judge(ok),
    )


def _power(sim: Simulation) -> Card:
    s = sim.summary
    value, unit = split_quantity(s.get("mean_power_w"), "W")
    parts = [
        (block, float(s[key]), quantity(s[key], "W"))
        for block in ("cells", "feedforward", "bias", "strobe")
        if is_number(s.get(key := f"mean_power_{block}_w"))
    ]
    return Card(
        label="Mean power",
        value=value,
        unit=unit,
        detail=f"{quantity(s.get('energy_per_clip_j'), 'J')} per clip, mean over "
        f"{_samples(sim)}; core only, without bias generator or front end",
        target="reported, no target",
        status="info",
        split=power_split(parts),
    )


def _parameters(sim: Simulation) -> Card:
    rows, learned = sim.summary.get("parameter_rows"), sim.summary.get("parameters_learned")
    known = is_number(rows) and is_number(learned)
    return Card(
        label="Parameters with a row of their own",
        value=count(rows),
        unit=f"of {count(learned)} learned",
        detail=f"{count(sim.summary.get('transistors'))} transistors in the network",
        target="rows = learned parameters",
        status=_judge(rows == learned if known else None),
    )


def _failed(sim: Simulation) -> Card:
    failed, total = sim.summary.get("samples_failed"), sim.summary.get("samples_total")
    return Card(
        label="Samples failed",
        value=count(failed),
        unit=f"of {count(total)}",
        detail="listed with their logs; means are over the others"
        if failed
        else "every simulation ended and gave all its outputs",
        target="none",
        status=_judge(failed == 0 if is_number(failed) else None),
    )


def _training_cards(data: RunData) -> tuple[Card, ...]:
    metrics = data.metrics
    test = metrics.get("splits", {}).get("test", {})
    plain = (metrics.get("memoryless") or {}).get("test", {})
    accuracy, control = test.get("balanced_accuracy"), plain.get("balanced_accuracy")
    both = is_number(accuracy) and is_number(control)
    total = (metrics.get("parameters") or {}).get("total")
    clips = f"of {count(test.get('count'))} test clips, balanced over classes"
    tried = (metrics.get("memoryless") or {}).get("starts")
    controls = f"best of {count(tried)} starts" if is_number(tried) else "one start"
    starts = f"in {len(metrics.get('starts') or ())} independent starts; validation chose one"
    rows = None if data.design is None else len(data.design.mapping)
    reached = Card(
        "Test accuracy", _percent_value(accuracy), "%", clips, "reported, no target", "info"
    )
    if metrics and "memoryless" not in metrics:  # a baseline, which has no control
        return (
            reached,
            Card("Parameters learned", count(total), "", starts, "reported, no target", "info"),
        )
    return (
        reached,
        Card(
            "Without memory", _percent_value(control), "%",
            f"cells that forget, same data; {controls}",
            "reported, no target", "info",
        ),
        Card(
            "What memory is worth", signed(100 * (accuracy - control)) if both else MISSING,
            "points", "network minus memoryless control", "above zero",
            _judge(accuracy > control if both else None),
        ),
        Card("Parameters learned", count(total), "", starts, "reported, no target", "info")
        if rows is None
        else Card(
            "Parameters with a row of their own", count(rows), f"of {count(total)} learned",
            starts, "rows = learned parameters", _judge(rows == total),
        ),
    )  # fmt: skip


def _percent_value(value: object) -> str:
    return percent(value).removesuffix("\u00a0%")
