"""The FQ-BMRU and its control against the published equation; the gradient of their steps."""

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from codesign.cells import fq_bmru, heaviside, memoryless

CURRENTS = st.floats(0, 3)
# Thresholds and level of the hand-worked cases, exact in binary.
LOW, HIGH, ALPHA = 0.375, 1.0, 0.75
BETA_HI, WIDTH, LEVEL = torch.tensor([[HIGH], [HIGH - LOW], [ALPHA]], dtype=torch.float64)


def _step(x: float) -> float:
    return 1.0 if x > 0 else 0.0


def _surrogate(x: float, sharpness: float) -> float:
    return sharpness / (1 + (math.pi * sharpness * x) ** 2)


def _column(*values: float) -> Tensor:
    """Candidates [T, 1] of one unit."""
    return torch.tensor(values, dtype=torch.float64)[:, None]


@given(
    candidates=st.lists(CURRENTS, min_size=1, max_size=30),
    high=st.floats(0.01, 2),
    ratio=st.floats(0, 1),
    alpha=CURRENTS,
)
def test_without_leak_it_is_the_published_equation(
    candidates: list[float], high: float, ratio: float, alpha: float
) -> None:
    width = ratio * high
    low = high - width
    assume(high not in candidates)
    expected, h = [], 0.0
    for c in candidates:
        h = _step(c - high) * alpha + _step(c - low) * _step(high - c) * h
        expected.append(h)
    beta_hi, spacing, level = torch.tensor([[high], [width], [alpha]], dtype=torch.float64)
    states = fq_bmru(_column(*candidates), beta_hi, spacing, level)
    assert states[:, 0].tolist() == expected


def test_units_and_clips_do_not_mix() -> None:
    g = torch.Generator().manual_seed(0)
    c = 1.5 * torch.rand(4, 20, 3, generator=g)
    high, width, alpha = (
        0.9 + 0.2 * torch.rand(3, generator=g),
        torch.full((3,), 0.4),
        torch.ones(3),
    )
    states = fq_bmru(c, high, width, alpha)
    for clip in range(4):
        for unit in range(3):
            one = slice(unit, unit + 1)
            alone = fq_bmru(c[clip, :, one], high[one], width[one], alpha[one])
            assert torch.equal(states[clip, :, one], alone)
    assert 0 < states.mean() < 1


def test_on_a_threshold_it_does_as_just_below() -> None:
    on_high = fq_bmru(_column(1.2, HIGH), BETA_HI, WIDTH, LEVEL)
    on_low = fq_bmru(_column(1.2, LOW), BETA_HI, WIDTH, LEVEL)
    assert on_high[:, 0].tolist() == [ALPHA, ALPHA]
    assert on_low[:, 0].tolist() == [ALPHA, 0.0]


@given(candidates=st.lists(st.floats(-3, 3), min_size=1, max_size=20))
def test_the_candidate_may_be_given_before_its_relu(candidates: list[float]) -> None:
    c = _column(*candidates)
    before, after = (fq_bmru(x, BETA_HI, WIDTH, LEVEL) for x in (c, c.relu()))
    assert torch.equal(before, after)


@given(candidates=st.lists(CURRENTS, min_size=1, max_size=20), leak=st.floats(0, 1))
def test_the_leak_softens_it_by_the_annealing_formula(candidates: list[float], leak: float) -> None:
    h, expected = 0.0, []
    for c in candidates:
        hold = 1.0 if LOW < c <= HIGH else 0.0
        h = (hold + (1 - hold) * leak) * h + (1 - leak) * _step(c - HIGH) * ALPHA
        expected.append(h)
    states = fq_bmru(_column(*candidates), BETA_HI, WIDTH, LEVEL, leak)
    torch.testing.assert_close(states, _column(*expected), rtol=1e-12, atol=1e-12)


@given(x=st.floats(-5, 5), sharpness=st.floats(0.1, 20))
def test_step_and_its_surrogate(x: float, sharpness: float) -> None:
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    value = heaviside(point, sharpness)
    (slope,) = torch.autograd.grad(7 * value, point)
    assert value.item() == _step(x)
    assert slope.item() == pytest.approx(7 * _surrogate(x, sharpness), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_step_keeps_the_type(dtype: torch.dtype) -> None:
    value = heaviside(torch.tensor([-1.0, 0.0, 1.0], dtype=dtype), 3.0)
    assert value.dtype == dtype
    assert value.tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("leak", [0.0, 0.3])
@pytest.mark.parametrize("was_set", [False, True])
def test_gradient_of_the_set_term_survives_while_holding(was_set: bool, leak: float) -> None:
    """b = z_hi alpha; b = (1 - hold) z_hi alpha has the same states and no such gradient."""
    sharpness, c = 3.0, 0.8
    candidates = _column(1.5 if was_set else 0.0, c).requires_grad_()
    states = fq_bmru(candidates, BETA_HI, WIDTH, LEVEL, leak, sharpness)
    (gradient,) = torch.autograd.grad(states[1, 0], candidates)
    before = (1 - leak) * ALPHA if was_set else 0.0
    high, low = _surrogate(c - HIGH, sharpness), _surrogate(c - LOW, sharpness)
    assert states[1, 0].item() == pytest.approx(before)
    expected = (1 - leak) * (ALPHA * high + before * (low - high))
    assert expected > 0.1
    assert gradient[1, 0].item() == pytest.approx(expected)


def _soft_loop(
    c: Tensor, high: Tensor, width: Tensor, alpha: Tensor, leak: float, sharpness: float
) -> Tensor:
    """The cell as a loop under autograd; steps by the primitive of the surrogate."""

    def step(x: Tensor) -> Tensor:
        smooth = torch.atan(math.pi * sharpness * x) / math.pi
        return (x > 0).to(x.dtype) + (smooth - smooth.detach())

    h = torch.zeros_like(c[..., 0, :])
    states = []
    for frame in c.unbind(-2):
        above = step(frame - high)
        hold = step(frame - high + width) * (1 - above)
        h = (hold + (1 - hold) * leak) * h + (1 - leak) * above * alpha
        states.append(h)
    return torch.stack(states, dim=-2)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), leak=st.sampled_from([0.0, 0.4, 0.9]))
def test_every_gradient_equals_a_loop_under_autograd(seed: int, leak: float) -> None:
    g = torch.Generator().manual_seed(seed)

    def draw(*shape: int, low: float, high: float) -> Tensor:
        values = low + (high - low) * torch.rand(shape, generator=g, dtype=torch.float64)
        return values.requires_grad_()

    tensors = (
        draw(2, 12, 3, low=0, high=1.6),
        draw(3, low=0.7, high=1.1),
        draw(3, low=0.2, high=0.6),
        draw(3, low=0.5, high=1.0),
    )
    weight = torch.randn(2, 12, 3, generator=g, dtype=torch.float64)
    found, expected = fq_bmru(*tensors, leak, 2.0), _soft_loop(*tensors, leak, 2.0)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad((found * weight).sum(), tensors),
        torch.autograd.grad((expected * weight).sum(), tensors),
    )


@pytest.mark.parametrize("leak", [0.0, 0.5])
def test_numeric_derivative_by_the_level(leak: float) -> None:
    """The states are linear in alpha: there the gradient is exact, not a surrogate."""
    c = 1.6 * torch.rand(2, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    alpha = torch.tensor([0.5, 0.8, 1.0], dtype=torch.float64, requires_grad=True)
    assert fq_bmru(c, BETA_HI, WIDTH, alpha, leak).any()
    assert gradcheck(lambda level: fq_bmru(c, BETA_HI, WIDTH, level, leak), (alpha,))
    assert gradcheck(lambda level: memoryless(c, BETA_HI, WIDTH, level, leak), (alpha,))


@given(candidates=st.lists(CURRENTS, min_size=2, max_size=20), leak=st.floats(0, 1), data=st.data())
def test_the_control_has_no_memory(
    candidates: list[float], leak: float, data: st.DataObject
) -> None:
    c = _column(*candidates).requires_grad_()
    states = memoryless(c, BETA_HI, WIDTH, LEVEL, leak)
    assert states[:, 0].tolist() == [ALPHA * _step(value - HIGH) for value in candidates]
    frame = data.draw(st.integers(0, len(candidates) - 1))
    (gradient,) = torch.autograd.grad(states[frame, 0], c)
    others = torch.arange(len(candidates)) != frame
    assert gradient[frame, 0] > 0
    assert not gradient[others].any()


def test_the_cell_has_memory_where_the_control_has_none() -> None:
    c = _column(1.5, 0.7, 0.7, 0.1, 0.7)
    assert fq_bmru(c, BETA_HI, WIDTH, LEVEL)[:, 0].tolist() == [ALPHA, ALPHA, ALPHA, 0.0, 0.0]
    assert memoryless(c, BETA_HI, WIDTH, LEVEL)[:, 0].tolist() == [ALPHA, 0.0, 0.0, 0.0, 0.0]
