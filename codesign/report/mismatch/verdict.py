"""The head of the mismatch page: what was asked, what was found, what it is out of."""

from typing import Any

from codesign.analysis.summary import TARGETS
from codesign.report.mismatch.data import Population
from codesign.report.page import Card, Status, power_split
from codesign.report.sections.verdict import Verdict, judged
from codesign.report.style import (
    count,
    is_number,
    number,
    percent,
    quantity,
    signed,
    split_quantity,
)

# Votes kept where the network's margin exceeds its spread over chips.
VOTES_TARGET = 0.99
# What the page asks of the yield where the command asked for nothing: most of a wafer.
YIELD_TARGET = 0.9


def mismatch_verdict(found: Population) -> Verdict:
    """Cards and a sentence; passed when every target is met."""
    s = found.summary
    cards = [
        _votes(s), _yield(s), _accuracy(s), _states(s), _all_votes(s), _failed(s), _power(found),
        _cost(s),
    ]  # fmt: skip
    if s.get("engine") == "batched":
        cards.insert(6, _judge(s))
    return judged(_sentence(found), cards)


def _sentence(found: Population) -> str:
    s = found.summary
    chips, clips = found.chips["chip"].nunique(), found.spread["clip"].nunique()
    corners = len(found.corners)
    at = f", at {count(corners)} corners of the process" if corners > 1 else ""
    on = f"{count(clips)} {'clip' if clips == 1 else 'clips'} each"
    what = f"{count(chips)} {'chip' if chips == 1 else 'chips'} with mismatch, {on}{at}"
    if not s.get("samples_ok"):
        return f"{what}: no sample ended well, so nothing can be said of them."
    scale = found.plan.partition("_area")[2].partition("_")[0]
    if scale:
        what = f"Devices of {scale} times the drawn area: {what}"
    return (
        f"{what}: {count(s.get('yield_count'))} of {count(s.get('yield_chips'))} meet every "
        f"specification, and {count(s.get('decisions_agreeing'))} of {count(s.get('samples_ok'))} "
        f"decisions are the twin's{_failures(s)}."
    )


def _failures(s: dict[str, Any]) -> str:
    if not s.get("samples_failed"):
        return ""
    return f"; {count(s['samples_failed'])} of {count(s.get('samples_total'))} samples failed"


def _status(ok: bool | None) -> Status:
    return "warn" if ok is None else "met" if ok else "missed"


def _bare(value: Any, decimals: int = 1) -> str:
    return percent(value, decimals).removesuffix("\u00a0%")


def _interval(values: Any, decimals: int = 1) -> str:
    low, high = values or (None, None)
    return f"95 % interval {percent(low, decimals)} to {percent(high, decimals)}"


def _votes(s: dict[str, Any]) -> Card:
    value, pairs = s.get("votes_kept_beyond_spread"), s.get("pairs_beyond_spread")
    sigmas = s.get("margin_spread_sigmas", 3)
    if not is_number(value):
        return Card(
            "Votes kept beyond the spread", "–", "", "no clip has a margin larger than "
            f"{number(sigmas, 2)} sigma of its own over chips, or there is one chip only",
            f"at least {percent(VOTES_TARGET, 0)}", "warn",
        )  # fmt: skip
    failed = s.get("pairs_beyond_spread_failed")
    detail = (
        f"{count(s.get('votes_kept_beyond_spread_count'))} of {count(pairs)} pairs of chip and "
        f"clip whose margin exceeds {number(sigmas, 2)} sigma over chips, "
        f"{_interval(s.get('votes_kept_beyond_spread_interval'))}; within it "
        f"{count(s.get('votes_kept_within_spread_count'))} of {count(s.get('pairs_within_spread'))}"
    )
    if failed:
        detail += f"; {count(failed)} failed samples count as lost"
    return Card(
        "Votes kept beyond the spread", _bare(value, 2), f"% of {count(pairs)}", detail,
        f"at least {percent(VOTES_TARGET, 0)}", _status(value >= VOTES_TARGET),
    )  # fmt: skip


def _yield(s: dict[str, Any]) -> Card:
    value, least = s.get("yield"), s.get("min_yield")
    least = YIELD_TARGET if least is None else least
    named = ", ".join(s.get("yield_by_spec") or {})
    detail = f"{_interval(s.get('yield_interval'))}; all of {named}"
    if s.get("chips_with_failed_samples"):
        detail += f"; {count(s['chips_with_failed_samples'])} with failed samples count as not"
    return Card(
        label="Yield, all specifications",
        value=_bare(value),
        unit=f"% of {count(s.get('yield_chips'))}" if is_number(value) else "",
        detail=detail if is_number(value) else "no chip has all its samples here",
        target=f"at least {percent(least, 0)}",
        status=_status(value >= least if is_number(value) else None),
    )


def _accuracy(s: dict[str, Any]) -> Card:
    points, most = s.get("accuracy_difference_points"), TARGETS["accuracy_difference_points"]
    return Card(
        label="Accuracy over chips, minus software",
        value=signed(points),
        unit="points" if is_number(points) else "",
        detail=f"{percent(s.get('chip_accuracy'))} on average against "
        f"{percent(s.get('twin_accuracy'))}; of a chip {percent(s.get('accuracy_chip_p5'))} at the "
        f"5th percentile, {percent(s.get('accuracy_chip_min'))} at least",
        target=f"within {most:g} points",
        status=_status(abs(points) <= most + 1e-9 if is_number(points) else None),
    )


def _states(s: dict[str, Any]) -> Card:
    value, least = s.get("state_agreement"), TARGETS["state_agreement"]
    return Card(
        label="States equal to the twin's",
        value=_bare(value, 2),
        unit="%",
        detail=f"of {count(s.get('state_count'))} (unit, frame) pairs on all chips; "
        f"{percent(s.get('state_agreement_changed'))} where the twin's state changes",
        target=f"at least {percent(least, 0)}",
        status=_status(value >= least if is_number(value) else None),
    )


def _all_votes(s: dict[str, Any]) -> Card:
    value = s.get("vote_agreement")
    return Card(
        label="All votes equal to the twin's",
        value=_bare(value),
        unit=f"% of {count(s.get('samples_ok'))}",
        detail=f"{_interval(s.get('vote_agreement_interval'))}; "
        f"{count(s.get('chips_all_decisions_agreeing'))} of {count(s.get('chips'))} chips decide "
        "as the twin on every clip",
        target="reported, no target",
        status="info",
    )


def _failed(s: dict[str, Any]) -> Card:
    failed = s.get("samples_failed")
    ended = ", ".join(f"{count(n)} {name}" for name, n in (s.get("failures") or {}).items())
    retried = s.get("samples_retried")
    again = f"; {count(retried)} needed another try" if retried else ""
    return Card(
        label="Samples failed",
        value=count(failed),
        unit=f"of {count(s.get('samples_total'))}",
        detail=(f"{ended.replace('_', ' ')}; listed below" if failed else
                "every simulation ended and gave all its outputs") + again,
        target="none",
        status=_status(failed == 0 if is_number(failed) else None),
    )  # fmt: skip


def _judge(s: dict[str, Any]) -> Card:
    word = str(s.get("judge_verdict"))
    error = s.get("judge_candidate_error_rms_relative")
    detail = "not checked against ngspice (--judge 0)"
    if word != "skipped":
        detail = "; ".join(map(str, s.get("judge_reasons") or ())) or (
            f"candidates within {percent(error, 3)} rms, "
            f"{count(s.get('judge_states_differing'))} of {count(s.get('judge_states_compared'))} "
            "states differ"
        )
    return Card(
        label="Samples of the batched engine repeated in ngspice",
        value={"pass": "agree", "fail": "differ"}.get(word, "none"),
        unit=f"{count(s.get('judge_samples_compared'))} compared" if word != "skipped" else "",
        detail=detail,
        target="ngspice agrees",
        status={"pass": "met", "fail": "missed"}.get(word, "warn"),  # type: ignore[arg-type]
    )


def _power(found: Population) -> Card:
    s, chips = found.summary, found.chips
    value, unit = split_quantity(s.get("mean_power_w"), "W")
    parts = [
        (block, float(s[key]), quantity(s[key], "W"))
        for block in ("cells", "feedforward", "bias", "strobe")
        if is_number(s.get(key := f"mean_power_{block}_w"))
    ]
    power = chips["mean_power_w"].dropna()
    detail = ""
    if len(power) > 1:
        detail = (
            f"sigma {percent(power.std(ddof=1) / power.mean())} over chips, "
            f"{quantity(power.min(), 'W')} to {quantity(power.max(), 'W')}"
        )
    return Card(
        "Mean power", value, unit, detail, "reported, no target", "info", power_split(parts)
    )


def _cost(s: dict[str, Any]) -> Card:
    value, unit = split_quantity(s.get("wall_s"), "s")
    memory = s.get("peak_memory_bytes")
    rate = s.get("samples_per_s")
    parts = [
        f"{number(s.get('seconds_per_sample'))} s per sample"
        if is_number(s.get("seconds_per_sample"))
        else "",
        f"{number(rate)} samples per second" if is_number(rate) else "",
        f"at most {number(memory / 2**20)} MiB of memory" if is_number(memory) else "",
    ]
    engine = {"batched": "batched engine", "ngspice": "ngspice"}.get(str(s.get("engine")), "")
    return Card(
        "Time of the last call", value, unit, "; ".join([engine, *filter(None, parts)]),
        "reported, no target", "info",
    )  # fmt: skip
