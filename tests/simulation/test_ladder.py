"""The ladder: which options, in which order, after which failure; and that they help in ngspice."""

from collections.abc import Sequence

import pytest

from codesign.simulation.attempts import read_attempts
from codesign.simulation.ladder import LADDER, next_rung
from codesign.simulation.retry import Tried, climb
from codesign.spice.ngspice import Outcome, Status, find_ngspice, run_text

DECK = "* title\n.options method=gear bypass=1\nr1 a 0 1\n.tran 200u 80m 0 200u\n.end\n"


def _climb(ends: Sequence[Status]) -> tuple[Tried, list[str]]:
    left, seen = list(ends), []

    def run(name: str, text: str) -> Outcome:
        seen.append(name)
        status = left.pop(0)
        return Outcome(status, "" if status == "ok" else f"why {len(seen)}", 1.0, "log", (), 7)

    tried = climb(DECK, run)
    assert not left
    return tried, seen


def test_a_good_run_is_run_once() -> None:
    tried, seen = _climb(["ok"])
    assert seen == ["deck.cir"]
    assert (tried.log, tried.message, tried.wall_s, tried.peak_memory_bytes) == ("log", "", 1.0, 7)


def test_no_convergence_goes_up_to_the_first_rung_that_works() -> None:
    tried, seen = _climb(["no_convergence", "no_convergence", "ok"])
    assert seen == ["deck.cir", "deck-exact.cir", "deck-short_steps.cir"]
    attempts = read_attempts(tried.text())
    assert [a.rung for a in attempts] == [rung.name for rung in LADDER[:3]]
    assert [a.status for a in attempts] == ["no_convergence", "no_convergence", "ok"]
    assert attempts[0].message == "why 1"
    assert tried.outcome.status == "ok"
    assert tried.message == ""
    assert "attempt 3, short_steps" in tried.log


def test_the_ladder_ends() -> None:
    tried, seen = _climb(["no_convergence"] * len(LADDER))
    assert len(seen) == len(LADDER)
    assert tried.outcome.status == "no_convergence"
    assert tried.message.endswith(f"(tried: {', '.join(rung.name for rung in LADDER)})")


@pytest.mark.parametrize("status", ["crashed", "missing_output"])
def test_an_accident_is_run_again_as_it_was(status: Status) -> None:
    tried, seen = _climb([status, "ok"])
    assert seen == ["deck.cir"] * 2
    assert (tried.outcome.status, len(tried.attempts)) == ("ok", 2)
    tried, seen = _climb([status, status])
    assert tried.outcome.status == status
    assert tried.message == "why 2"
    tried, seen = _climb(["no_convergence", status, "ok"])
    assert seen == ["deck.cir", "deck-exact.cir", "deck-exact.cir"]


@pytest.mark.parametrize("status", ["timeout", "memory", "ok"])
def test_what_would_end_the_same_is_not_run_again(status: Status) -> None:
    assert next_rung(0, status, 1) is None


def test_rungs_change_the_options_and_the_longest_step_alone() -> None:
    assert LADDER[0].apply(DECK) == DECK
    for rung in LADDER[1:]:
        changed = rung.apply(DECK).split("\n")
        assert changed[3] == f".options {rung.options}"
        step = 200e-6 / rung.steps
        expected = ".tran 200u 80m 0 200u" if rung.steps == 1 else f".tran 200u 80m 0 {step:.9g}"
        assert changed[4] == expected
        assert changed[:3] + changed[5:] == [*DECK.split("\n")[:3], ".end", ""]


def test_a_deck_without_one_transient_is_refused() -> None:
    with pytest.raises(ValueError, match="has 0"):
        LADDER[1].apply("* title\n.end\n")


# A pulse into a circuit with tolerances that no step satisfies: what converges depends on the rung.
_HARD = """* hard
v1 a 0 pulse(0 1.8 1m 1n 1n 5m 10m)
{}
.options method=gear {}
.tran 200u 4m 0 200u
.control
run
write out.raw
.endc
.end
"""
_RC, _DIODE = (
    "r1 a b 1meg\nc1 b 0 1p",
    "r1 a b 1k\nd1 b 0 dm\nc1 b 0 1p\n.model dm d(is=1e-16 cjo=1p)",
)
# An inverter without transition that drives itself: no voltage solves it, whatever the step.
_NONE = "r1 a 0 1meg\nb1 b 0 v=v(b)>0.5 ? 0 : v(a)"
_CHARGE, _TIGHT = "reltol=1e-9 chgtol=1e-30 trtol=1e-3", "reltol=1e-12 vntol=1e-14 abstol=1e-22"


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("circuit", "options", "rung"),
    [(_RC, "", 1), (_RC, _CHARGE, 3), (_DIODE, _TIGHT, 5), (_NONE, "", None)],
)
def test_rungs_in_ngspice(circuit: str, options: str, rung: int | None) -> None:
    program, deck = find_ngspice(), _HARD.format(circuit, options)
    tried = climb(deck, lambda _, text: run_text(program, text, 60.0))
    status = ["no_convergence"] * ((rung or len(LADDER) + 1) - 1) + ["ok"] * (rung is not None)
    assert [attempt.status for attempt in tried.attempts] == status


@pytest.mark.ngspice
def test_options_of_a_rung_override_the_decks_own() -> None:
    """More than one line of options: the last word counts, in ngspice."""
    program, deck = find_ngspice(), _HARD.format(_RC, "itl4=3")
    points = [len(run_text(program, rung.apply(deck)).plots[0].scale) for rung in LADDER[1:3]]
    assert points[1] > 1.8 * points[0]
