"""The head of the training page: accuracy, what memory is worth, spread, room, power."""

from codesign.analysis.intervals import paired_difference
from codesign.report.page import Card
from codesign.report.sections.verdict import Verdict
from codesign.report.style import (
    MISSING,
    count,
    is_number,
    number,
    percent,
    quantity,
    signed,
    split_quantity,
)
from codesign.report.training.data import Learned, Score, rule_words
from codesign.report.training.memory import MEMORY_SHARE, uses

_NO_TARGET = "reported, no target"


def training_verdict(learned: Learned) -> Verdict:
    """Cards and a sentence; passed when memory is worth something, where that was measured."""
    cards = (
        _accuracy(learned), _control(learned), _memory(learned), _spread(learned), _room(learned),
        _used(learned), _power(learned), _parameters(learned),
    )  # fmt: skip
    shown = tuple(card for card in cards if card is not None)
    sentence = _sentence(learned)
    judged = [card.status for card in shown if card.status in ("met", "missed")]
    if not judged:
        return Verdict(sentence, None, "Reported, no target", shown)
    proven = judged == ["met"]
    word = "Memory is used" if proven else "No proof of memory"
    return Verdict(sentence, proven, word, shown)


def _sentence(learned: Learned) -> str:
    score, control = learned.score(), learned.score("memoryless")
    rule = rule_words(learned.rule)
    if score is None:
        return f"Decision by {rule}."
    text = (
        f"By {rule} the network reaches {percent(score.value)} balanced accuracy on "
        f"{count(score.total)} {learned.judged}"
    )
    if control is None:
        return f"{text}."
    return f"{text}; without memory it would be {percent(control.value)}."


def _value(fraction: float) -> str:
    return percent(fraction).removesuffix("\u00a0%")


def _of(learned: Learned, score: Score) -> str:
    low, high = score.interval
    return (
        f"of {count(score.total)} {learned.judged} in {len(score.clips)} classes, 95 % interval "
        f"{percent(low)} to {percent(high)}"
    )


def _accuracy(learned: Learned) -> Card | None:
    score = learned.score()
    if score is None:
        return None
    detail = f"{_of(learned, score)}; chance is {percent(1 / max(1, len(score.clips)))}"
    return Card("Balanced test accuracy", _value(score.value), "%", detail, _NO_TARGET, "info")


def _control(learned: Learned) -> Card | None:
    control = learned.score("memoryless")
    told = learned.metrics.get("memoryless") or {}
    starts = told.get("starts")
    several = is_number(starts) and starts > 1
    tried = f"; best of {count(starts)} starts" if several else "; one start"
    if control is None:
        value = (told.get("test") or {}).get("balanced_accuracy")
        if not is_number(value):
            return None
        detail = f"of {count((told.get('test') or {}).get('count'))} test clips{tried}"
        return Card("Control without memory", _value(value), "%", detail, _NO_TARGET, "info")
    return Card(
        "Control without memory", _value(control.value), "%", f"{_of(learned, control)}{tried}",
        _NO_TARGET, "info",
    )  # fmt: skip


def _memory(learned: Learned) -> Card | None:
    """The difference on the same clips, with the interval of a paired comparison."""
    score, control = learned.score(), learned.score("memoryless")
    if score is None or control is None or learned.evidence is None or not learned.has_control:
        return None
    rows = learned.evidence.clips
    own, other = rows["decision"] == rows["label"], rows["control_decision"] == rows["label"]
    classes = range(len(score.clips))
    gained = [int((own & ~other & (rows["label"] == k)).sum()) for k in classes]
    lost = [int((~own & other & (rows["label"] == k)).sum()) for k in classes]
    trials = [int((rows["label"] == k).sum()) for k in classes]
    interval = paired_difference(gained, lost, trials)
    points = 100 * (score.value - control.value)
    low, high = (100 * value for value in interval) if interval else (None, None)
    return Card(
        label="What memory is worth",
        value=signed(points),
        unit="points",
        detail=f"95 % interval {signed(low)} to {signed(high)}, on the same {learned.judged}: "
        f"{count(sum(gained))} right with memory alone, {count(sum(lost))} without it alone",
        target="interval above zero",
        status="met" if low is not None and low > 0 else "missed",
    )


def _spread(learned: Learned) -> Card | None:
    scores = learned.test_scores
    if not scores:
        return None
    mean = sum(scores) / len(scores)
    return Card(
        label="Over independent starts, test",
        value=_value(mean),
        unit="% on average",
        detail=f"{count(len(scores))} starts: worst {percent(min(scores))}, best "
        f"{percent(max(scores))}; the one that was kept was chosen without the test split",
        target=_NO_TARGET,
        status="info",
    )


def _room(learned: Learned) -> Card | None:
    margin = learned.metrics.get("margin") or {}
    near, ties = (margin.get(name) for name in ("fraction_within_0.05_units", "near_tie_fraction"))
    if not is_number(near):
        return None
    score = learned.score()
    detail = "candidates within 0.05 units of a threshold, all units and frames of the test clips"
    if is_number(ties):
        of = f"of {count(score.total)} decisions" if score else "of decisions"
        detail += f"; {percent(ties)} {of} within 0.1 units"
    return Card("Close to a threshold", _value(near), "%", detail, _NO_TARGET, "info")


def _used(learned: Learned) -> Card | None:
    units = learned.thresholds
    if units is None:
        return None
    words = uses(units)
    never, always = (count(words.count(f"{when} on")) for when in ("never", "always"))
    return Card(
        label="Cells that use their memory",
        value=count(words.count("remembers")),
        unit=f"of {count(len(units))}",
        detail=f"on from memory alone in at least {percent(MEMORY_SHARE, 0)} of the frames of the "
        f"test clips; {never} are never on, {always} always",
        target=_NO_TARGET,
        status="info",
    )


def _power(learned: Learned) -> Card:
    data = learned.data
    if not learned.on_chip:
        detail = "a baseline: its cell has no circuit here, and no export"
        return Card("Predicted power", MISSING, "", detail, _NO_TARGET, "info")
    predicted = ((data.design.info if data.design else {}).get("predicted_power_w") or {}).get(
        "total"
    )
    measured = data.simulation.summary.get("mean_power_w") if data.simulation else None
    label = "Predicted power"
    if not is_number(predicted):
        current = (learned.metrics.get("margin") or {}).get("mean_mirrored_current_units")
        known = f"; training prices {number(current)} units of mirrored current"
        detail = "not mapped yet: 'codesign export-netlist' predicts it from a process"
        return Card(
            label, MISSING, "", detail + (known if is_number(current) else ""), _NO_TARGET, "info"
        )
    value, unit = split_quantity(predicted, "W")
    pdk = data.hardware.get("pdk")
    detail = f"by the mapper, {pdk}, core only, mean over test clips"
    if is_number(measured):
        detail += f"; simulated: {quantity(measured, 'W')}"
    return Card(label, value, unit, detail, _NO_TARGET, "info")


def _parameters(learned: Learned) -> Card | None:
    total = (learned.metrics.get("parameters") or {}).get("total")
    if not is_number(total):
        return None
    gridded = [
        value for name, value in learned.weights.items() if name.endswith((".weight", ".bias"))
    ]
    zero = sum(int((value == 0).sum()) for value in gridded)
    detail = f"{count(zero)} weights and biases are zero: no device" if gridded else "learned"
    if not learned.on_chip:
        detail = "free of the chip's grid and ranges"
    wall = learned.metrics.get("wall_s")
    if is_number(wall):
        detail += f"; trained in {number(wall)} s"
    return Card("Parameters", count(total), "", detail, _NO_TARGET, "info")
