"""The decision rules on logits worked out by hand, and against numpy."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codesign.decision import RULES, Decision, decide, decision_logits, decision_margin

# Class 0 leads early, class 1 at the end; class 2 has the largest mean.
CLIP = torch.tensor([[3.0, 0.0, 2.0], [1.0, 0.0, 2.0], [0.0, 2.5, 1.5]])


def test_the_rules_differ_where_they_should() -> None:
    assert decide(CLIP, "last_frame") == 1
    assert decide(CLIP, "mean_logit") == 2
    assert decision_logits(CLIP, "last_frame").tolist() == [0.0, 2.5, 1.5]
    assert decision_logits(CLIP, "mean_logit").tolist() == pytest.approx([4 / 3, 2.5 / 3, 5.5 / 3])
    assert decision_margin(CLIP, "last_frame").item() == pytest.approx(1.0)
    assert decision_margin(CLIP, "mean_logit").item() == pytest.approx(0.5)


@given(seed=st.integers(0, 1000), leading=st.sampled_from([(), (5,), (2, 5)]))
def test_any_leading_dimensions(seed: int, leading: tuple[int, ...]) -> None:
    logits = np.random.default_rng(seed).normal(size=(*leading, 4, 3))
    expected = {"last_frame": logits[..., -1, :], "mean_logit": logits.mean(axis=-2)}
    for rule in RULES:
        compared = expected[rule]
        found = decide(torch.from_numpy(logits), rule)
        assert found.dtype == torch.int64
        np.testing.assert_array_equal(found.numpy(), compared.argmax(-1))
        ordered = np.sort(compared, axis=-1)
        margin = decision_margin(torch.from_numpy(logits), rule).numpy()
        np.testing.assert_allclose(margin, ordered[..., -1] - ordered[..., -2], atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_the_first_of_equals_wins_by_nothing(rule: Decision) -> None:
    logits = torch.tensor([[0.5, 1.0, 1.0]]).repeat(2, 1)
    assert decide(logits, rule) == 1
    assert decision_margin(logits, rule) == 0


@pytest.mark.parametrize("rule", RULES)
def test_one_frame_decides_alike(rule: Decision) -> None:
    assert torch.equal(decision_logits(CLIP[:1], rule), CLIP[0])


def test_only_the_last_frame_learns_under_its_rule() -> None:
    logits = CLIP.clone().requires_grad_()
    (last,) = torch.autograd.grad(decision_logits(logits, "last_frame").sum(), logits)
    (mean,) = torch.autograd.grad(decision_logits(logits, "mean_logit").sum(), logits)
    assert last.tolist() == [[0.0] * 3, [0.0] * 3, [1.0] * 3]
    torch.testing.assert_close(mean, torch.full((3, 3), 1 / 3))


def test_an_unknown_rule_is_named() -> None:
    unknown: Any = "majority"
    with pytest.raises(ValueError, match="'majority'; expected one of last_frame, mean_logit"):
        decide(CLIP, unknown)
