"""The compiled bistable cell against the same cell composed of torch operations."""

import shutil
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradgradcheck

from codesign.cells import latch_native
from codesign.cells.fq_bmru import composed, fq_bmru
from codesign.cells.latch_native import Composed

pytestmark = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("g++", "clang++", "c++")), reason="no C++ compiler"
)
ERROR = {torch.float32: 3e-5, torch.float64: 1e-12}
SHAPES = [
    # candidates, thresholds and level, initial state
    ((3, 4, 9, 21), (3, 4, 1, 1), (3, 4, 21)),
    ((3, 4, 9, 21), (4, 1, 1), (21,)),
    ((5, 7, 64), (5, 1, 1), (5, 64)),
    ((2, 6, 13), (13,), (2, 13)),
    ((2, 6, 13), (2, 1, 13), (13,)),
    ((11, 1), (), (1,)),
    ((2, 1, 150), (150,), (2, 150)),
]


def _states(
    cell: Composed,
    tensors: Sequence[Tensor],
    leak: float = 0.0,
    sharpness: float = 3.0,
    initial: Tensor | None = None,
    resets: Tensor | None = None,
) -> Tensor:
    """States by a cell from candidate, beta_hi, width and alpha."""
    candidate, beta_hi, width, alpha = tensors
    return cell(candidate, beta_hi, width, alpha, leak, sharpness, initial, resets)


def _draw(shapes: tuple[tuple[int, ...], ...], seed: int, dtype: torch.dtype) -> list[Tensor]:
    """Candidate on all sides of the thresholds, beta_hi, width, alpha, initial state."""
    g = torch.Generator().manual_seed(seed)
    candidate, parameter, start = shapes
    spans = ((-0.2, 1.8), (0.9, 1.1), (0.4, 0.6), (0.8, 1.2), (0.0, 1.0))
    return [
        (low + (high - low) * torch.rand(shape, generator=g, dtype=dtype)).requires_grad_()
        for shape, (low, high) in zip((candidate, *[parameter] * 3, start), spans, strict=True)
    ]


@pytest.mark.parametrize("dtype", list(ERROR))
@pytest.mark.parametrize("shapes", SHAPES)
@settings(max_examples=6)
@given(
    leak=st.sampled_from([0.0, 0.37]),
    starts=st.booleans(),
    resets=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_states_to_the_bit_and_gradients_to_rounding(
    dtype: torch.dtype, shapes: Any, leak: float, starts: bool, resets: bool, seed: int
) -> None:
    tensors = _draw(shapes, seed, dtype)
    candidate, initial = tensors[0], tensors[4] if starts else None
    g = torch.Generator().manual_seed(seed)
    forget = torch.rand((*shapes[0][-2:-1], 1), generator=g) < 0.3 if resets else None
    if initial is not None:  # the scan of the composition wants the whole shape
        initial = initial.expand(*shapes[0][:-2], shapes[0][-1])
    assert latch_native.serves(*tensors[:4])
    arriving = torch.randn(candidate.shape, generator=g, dtype=dtype)
    wanted = tensors if starts else tensors[:4]
    found, expected = (
        _states(cell, tensors[:4], leak, 2.5, initial, forget) for cell in (fq_bmru, composed)
    )
    assert torch.equal(found, expected)
    assert bool((found != found[..., :1, :]).any()) or candidate.shape[-2] < 3
    for x, y in zip(
        torch.autograd.grad(found, wanted, arriving),
        torch.autograd.grad(expected, wanted, arriving),
        strict=True,
    ):
        assert x.shape == y.shape
        torch.testing.assert_close(x, y, rtol=ERROR[dtype], atol=ERROR[dtype])


def test_only_what_is_asked_for_and_any_strides() -> None:
    candidate, *parameters, _ = (x.detach() for x in _draw(SHAPES[0], 0, torch.float32))
    turned = candidate.transpose(0, 3).contiguous().transpose(0, 3).requires_grad_()
    states = _states(fq_bmru, [turned, *parameters])
    assert torch.equal(states, _states(composed, [candidate, *parameters]))
    assert torch.autograd.grad(states.sum(), turned)[0].abs().sum() > 0
    assert not _states(fq_bmru, [candidate, *parameters]).requires_grad


def test_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    *tensors, _ = _draw(SHAPES[0], 1, torch.float32)
    results = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(latch_native, "threads_for", lambda numbers, n=threads: n)
        states = _states(fq_bmru, tensors, 0.3)
        results.append((states, *torch.autograd.grad(states.square().sum(), tensors)))
    for result in results[1:]:
        assert all(torch.equal(x, y) for x, y in zip(result, results[0], strict=True))


def test_a_second_derivative_takes_the_composition() -> None:
    """By the level the states are linear: there numeric derivatives hold."""
    *fixed, alpha, _ = _draw(((2, 5, 3), (3,), (2, 3)), 2, torch.float64)
    fixed = [x.detach() for x in fixed]
    assert gradgradcheck(lambda level: _states(fq_bmru, [*fixed, level], 0.3).square(), (alpha,))


def test_what_the_kernel_does_not_take() -> None:
    candidate, *parameters, _ = (x.detach() for x in _draw(SHAPES[0], 0, torch.float32))
    assert latch_native.serves(candidate, *parameters)
    assert not latch_native.serves(candidate.half(), *(x.half() for x in parameters))
    assert not latch_native.serves(candidate, parameters[0].double())
    assert not latch_native.serves(candidate, parameters[0].expand(3, 4, 9, 1))
    assert not latch_native.serves(candidate[:1], *parameters)
    assert not latch_native.serves(candidate[..., :0, :], *parameters)
    changing = torch.linspace(0.8, 1.2, 9)[:, None].expand(9, 21)
    states = fq_bmru(candidate, changing, parameters[1], parameters[2])
    assert torch.equal(states, composed(candidate, changing, parameters[1], parameters[2]))
