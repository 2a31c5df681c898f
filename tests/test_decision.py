"""The decision rules on logits worked out by hand, and margins against what they promise."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from codesign.decision import (
    class_margin,
    class_margins,
    compared,
    decide,
    decision_loss,
    decision_margin,
)
from codesign.errors import InputError
from codesign.rules import EVERY_FRAME, LAST_FRAME, MAJORITY, MEAN_LOGIT, Rule, parse_rule

# Class 0 leads early, class 1 at the end; class 2 has the largest mean.
CLIP = torch.tensor([[3.0, 0.0, 2.0], [1.0, 0.0, 2.0], [0.0, 2.5, 1.5]])
PER_CLIP = [parse_rule(t) for t in ("last_frame", "mean_logit", "last_k:2", "majority", "latch:1")]


def test_the_rules_differ_where_they_should() -> None:
    assert decide(CLIP, LAST_FRAME) == 1
    assert decide(CLIP, MEAN_LOGIT) == 2
    assert decide(CLIP, Rule("last_k", frames=2)) == 2
    assert decide(CLIP, MAJORITY) == 0  # a vote each: the first of equals
    assert decide(CLIP, Rule("latch", threshold_units=0.9)) == 0
    assert decide(CLIP, Rule("latch", threshold_units=1.0)) == 1  # 1.0 is not more than 1.0
    assert decide(CLIP, EVERY_FRAME).tolist() == [0, 2, 1]
    assert compared(CLIP, LAST_FRAME).tolist() == [0.0, 2.5, 1.5]
    assert compared(CLIP, MEAN_LOGIT).tolist() == pytest.approx([4 / 3, 2.5 / 3, 5.5 / 3])
    assert decision_margin(CLIP, LAST_FRAME).item() == pytest.approx(1.0)
    assert decision_margin(CLIP, MEAN_LOGIT).item() == pytest.approx(0.5)
    assert decision_margin(CLIP, EVERY_FRAME).tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_votes_of_three_classes() -> None:
    one_hot = torch.eye(3)[torch.tensor([2, 1, 2, 0, 2])]
    assert decide(one_hot, MAJORITY) == 2
    # Class 2 has three votes of five, each by 1 unit: it loses when these go.
    assert class_margin(one_hot, torch.tensor(2), MAJORITY) == 1.0
    # Class 0 has one: with two more of the others' it has three.
    assert class_margin(one_hot, torch.tensor(0), MAJORITY) == -1.0


def test_the_latch_keeps_the_first_and_falls_back_on_the_last() -> None:
    rule = Rule("latch", threshold_units=2.0)
    early = torch.tensor([[0.0, 2.5], [9.0, 0.0], [9.0, 0.0]])
    assert decide(early, rule) == 1
    assert decision_margin(early, rule) == pytest.approx(0.5)  # then class 0 is the first
    never = torch.tensor([[0.0, 1.9], [1.0, 0.0], [0.5, 0.0]])
    assert decide(never, rule) == 0
    # Of class 0's 0.5 units at the end; class 1 would pass in the first frame for 0.1.
    assert decision_margin(never, rule) == pytest.approx(0.1)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2000),
    rule=st.sampled_from([*PER_CLIP, Rule("latch", threshold_units=0.3)]),
    classes=st.integers(2, 4),
    frames=st.integers(2, 6),
)
def test_a_margin_is_the_offset_of_a_line_that_a_class_survives(
    seed: int, rule: Rule, classes: int, frames: int
) -> None:
    logits = torch.from_numpy(np.random.default_rng(seed).normal(size=(3, frames, classes)))
    decisions, margins = decide(logits, rule), class_margins(logits, rule)
    torch.testing.assert_close(margins.argmax(-1), decisions)
    torch.testing.assert_close(compared(logits, rule).argmax(-1), decisions)
    torch.testing.assert_close(decision_margin(logits, rule), margins.amax(-1))
    assert bool((margins.amax(-1) >= 0).all())
    for k in range(classes):
        for nudge, stays in ((-1e-6, True), (1e-6, False)):
            moved = logits.clone()
            moved[..., k] -= (margins[..., k] + nudge)[..., None]
            assert bool(((decide(moved, rule) == k) == stays).all())


@settings(max_examples=20)
@given(seed=st.integers(0, 300), leading=st.sampled_from([(), (5,), (2, 5)]))
def test_any_leading_dimensions(seed: int, leading: tuple[int, ...]) -> None:
    logits = torch.from_numpy(np.random.default_rng(seed).normal(size=(*leading, 4, 3)))
    for rule in [*PER_CLIP, EVERY_FRAME]:
        flat = logits.reshape(-1, 4, 3)
        found, margins = decide(logits, rule), class_margins(logits, rule)
        assert found.dtype == torch.int64
        assert found.shape == (*leading, 4) if rule == EVERY_FRAME else found.shape == leading
        for k, clip in enumerate(flat):
            torch.testing.assert_close(found.reshape(len(flat), -1)[k], decide(clip, rule).view(-1))
            torch.testing.assert_close(
                margins.reshape(len(flat), -1)[k], class_margins(clip, rule).view(-1)
            )


@pytest.mark.parametrize("rule", PER_CLIP)
def test_the_first_of_equals_wins_by_nothing(rule: Rule) -> None:
    logits = torch.tensor([[0.5, 1.0, 1.0]]).repeat(2, 1)
    assert decide(logits, rule) == 1
    assert decision_margin(logits, rule) == 0


@pytest.mark.parametrize("rule", [LAST_FRAME, MEAN_LOGIT, Rule("last_k", frames=1)])
def test_one_frame_decides_alike(rule: Rule) -> None:
    assert torch.equal(compared(CLIP[:1], rule), CLIP[0])


def test_only_the_last_frame_learns_under_its_rule() -> None:
    logits = CLIP.clone().requires_grad_()
    (last,) = torch.autograd.grad(compared(logits, LAST_FRAME).sum(), logits)
    (mean,) = torch.autograd.grad(compared(logits, MEAN_LOGIT).sum(), logits)
    assert last.tolist() == [[0.0] * 3, [0.0] * 3, [1.0] * 3]
    torch.testing.assert_close(mean, torch.full((3, 3), 1 / 3))


def test_more_frames_than_a_clip_has_are_refused() -> None:
    with pytest.raises(InputError, match=r"last_k:4 averages more frames than a clip has \(3\)"):
        decide(CLIP, Rule("last_k", frames=4))


@pytest.mark.parametrize("rule", PER_CLIP)
def test_descending_the_loss_makes_the_decision_right(rule: Rule) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = (0.3 * torch.randn(2, 6, 5, 3, generator=generator)).requires_grad_()
    labels = torch.tensor([0, 1, 2, 2, 1, 0])
    before = decision_loss(logits, labels, rule)
    assert before.shape == (2,)
    assert float((decide(logits, rule) == labels).double().mean()) < 0.8
    moved = logits.detach().clone().requires_grad_()
    for _ in range(200):
        (gradient,) = torch.autograd.grad(decision_loss(moved, labels, rule).sum(), moved)
        moved = (moved - 5.0 * gradient).requires_grad_()
    assert bool((decide(moved, rule) == labels).all())
    assert bool((decision_loss(moved, labels, rule) < before).all())


def test_the_probabilities_of_the_latch_sum_to_one() -> None:
    logits = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    rule = Rule("latch", threshold_units=1.0)
    each = [decision_loss(logits[:1], torch.tensor([k]), rule) for k in range(3)]
    assert float(torch.exp(-torch.stack(each)).sum()) == pytest.approx(1.0)


def test_frames_without_a_label_cost_nothing() -> None:
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([[-1, 2, -1], [-1, -1, 0]])
    loss = decision_loss(logits, labels, EVERY_FRAME)
    expected = torch.nn.functional.cross_entropy(
        logits.view(-1, 4), labels.view(-1), ignore_index=-1
    )
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert bool((gradient[labels < 0] == 0).all())
    none: Tensor = decision_loss(logits.detach(), torch.full_like(labels, -1), EVERY_FRAME)
    assert float(none) == 0.0
