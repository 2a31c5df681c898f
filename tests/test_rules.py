"""Rules as text: what a flow may say, and what it is told when it says something else."""

import pytest

from codesign.errors import InputError
from codesign.flows import dump_flow, load_flow, parse_flow
from codesign.rules import LAST_FRAME, RULE_NAMES, Rule, parse_rule

TEXTS = ("last_frame", "mean_logit", "last_k:10", "majority", "latch:1.5", "every_frame")


@pytest.mark.parametrize("text", TEXTS)
def test_a_rule_is_written_as_it_is_read(text: str) -> None:
    rule = parse_rule(text)
    assert str(rule) == text
    assert parse_rule(rule) is rule
    assert parse_rule(str(parse_rule(f" {text} "))) == rule


def test_every_name_has_a_form() -> None:
    assert {parse_rule(text).name for text in TEXTS} == set(RULE_NAMES)
    assert parse_rule("latch:0.1") == Rule("latch", threshold_units=0.1)
    assert parse_rule("last_k:3") == Rule("last_k", frames=3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("votes", "'votes' is no decision rule; expected one of last_frame"),
        ("majority:3", "'majority:3' is no decision rule"),
        ("last_k", "needs the number of frames"),
        ("last_k:0", "needs the number of frames"),
        ("last_k:2.5", "'2.5' where a number belongs"),
        ("last_k:many", "'many' where a number belongs"),
        ("latch", "needs the lead in units"),
        ("latch:-1", "needs the lead in units"),
        ("latch:nan", "needs the lead in units"),
        ("latch:inf", "needs the lead in units"),
        (["last_frame"], "is a text"),
    ],
)
def test_what_is_no_rule_is_refused_in_words(text: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_rule(text)


@pytest.mark.parametrize("text", TEXTS)
def test_a_flow_keeps_its_rule(text: str) -> None:
    flow = load_flow("digits", (f"training.decision={text}",))
    assert flow.training.decision == parse_rule(text)
    assert f'decision = "{text}"' in dump_flow(flow)
    again = load_flow("digits", (f'training.decision="{text}"',))
    assert again == flow


def test_flows_without_a_rule_decide_at_the_last_frame() -> None:
    assert parse_flow({}, "empty").training.decision == LAST_FRAME


def test_a_wrong_rule_in_a_flow_names_its_key() -> None:
    with pytest.raises(InputError, match=r"training\.decision: 'last:3' is no decision rule"):
        load_flow("digits", ("training.decision=last:3",))
