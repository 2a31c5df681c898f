"""The linear scan against a plain loop, a closed form, and numeric derivatives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from codesign.cells import linear_scan

SEEDS = st.integers(0, 10_000)
LEADING = st.sampled_from([(), (3,), (2, 3)])


def _loop(a: Tensor, b: Tensor, initial: Tensor) -> Tensor:
    """The recurrence, one number at a time, in the arithmetic of Python."""
    number = complex if a.is_complex() else float
    states = torch.empty_like(b, dtype=torch.complex128 if a.is_complex() else torch.float64)
    frames, width = a.shape[-2:]
    rows = a.reshape(-1, frames, width), b.reshape(-1, frames, width), initial.reshape(-1, width)
    flat = states.view(-1, frames, width)
    for n in range(flat.shape[0]):
        for k in range(width):
            h = number(rows[2][n, k].item())
            for t in range(frames):
                h = number(rows[0][n, t, k].item()) * h + number(rows[1][n, t, k].item())
                flat[n, t, k] = torch.tensor(h, dtype=flat.dtype)
    return states


def _draw(
    leading: tuple[int, ...], frames: int, seed: int, dtype: torch.dtype, width: int = 4
) -> tuple[Tensor, Tensor, Tensor]:
    """Factors in [-1, 1] (parts of them, if complex), a third 0; terms and initial state normal."""
    g = torch.Generator().manual_seed(seed)
    shape = (*leading, frames, width)
    a = 2 * torch.rand(shape, generator=g, dtype=dtype) - (1 + 1j if dtype.is_complex else 1)
    a[torch.rand(shape, generator=g) < 1 / 3] = 0
    b = torch.randn(shape, generator=g, dtype=dtype)
    return a, b, torch.randn((*leading, width), generator=g, dtype=dtype)


@pytest.mark.parametrize(
    ("dtype", "error"),
    [
        (torch.float32, 1e-5),
        (torch.float64, 1e-13),
        (torch.complex64, 1e-5),
        (torch.complex128, 1e-13),
    ],
)
@settings(max_examples=25)
@given(leading=LEADING, frames=st.integers(1, 9), seed=SEEDS)
def test_scan_is_the_recurrence(
    dtype: torch.dtype, error: float, leading: tuple[int, ...], frames: int, seed: int
) -> None:
    a, b, initial = _draw(leading, frames, seed, dtype)
    for start in (initial, None):
        states = linear_scan(a, b, start)
        assert states.dtype == dtype
        expected = _loop(a, b, torch.zeros_like(initial) if start is None else start)
        found = states.to(expected.dtype)
        torch.testing.assert_close(found, expected, rtol=error, atol=error)


@given(frames=st.integers(2, 8), seed=SEEDS, data=st.data())
def test_a_reset_forgets_the_past_and_its_gradient(
    frames: int, seed: int, data: st.DataObject
) -> None:
    reset = data.draw(st.integers(0, frames - 1))
    a, b, initial = _draw((2,), frames, seed, torch.float64)
    a[:, reset] = 0
    b.requires_grad_()
    initial.requires_grad_()
    states = linear_scan(a, b, initial)
    fresh = linear_scan(a[:, reset:], b[:, reset:])
    torch.testing.assert_close(states[:, reset:], fresh, rtol=0, atol=0)
    grad_b, grad_initial = torch.autograd.grad(states[:, reset:].sum(), (b, initial))
    assert not grad_initial.any()
    assert not grad_b[:, :reset].any()
    assert (grad_b[:, -1] == 1).all()


@given(frames=st.integers(1, 40), seed=SEEDS, overwritten=st.floats(0, 1))
def test_a_latch_holds_its_last_overwrite_exactly(
    frames: int, seed: int, overwritten: float
) -> None:
    """With a in {0, 1} and b = 0 while holding, h_t = b at the last t' <= t with a = 0."""
    g = torch.Generator().manual_seed(seed)
    hold = torch.rand(3, frames, 5, generator=g) >= overwritten
    b = torch.randn(3, frames, 5, generator=g).masked_fill(hold, 0.0)
    initial = torch.randn(3, 5, generator=g)
    index = torch.arange(1, frames + 1)[None, :, None].expand_as(b).masked_fill(hold, 0)
    last = index.cummax(dim=1).values
    expected = torch.cat([initial[:, None], b], dim=1).gather(1, last)
    assert torch.equal(linear_scan(hold.float(), b, initial), expected)


@given(frames=st.integers(1, 8), seed=SEEDS)
def test_resets_are_factors_of_zero(frames: int, seed: int) -> None:
    a, b, initial = (x.requires_grad_() for x in _draw((3,), frames, seed, torch.float64))
    resets = torch.rand(3, frames, 1, generator=torch.Generator().manual_seed(seed)) < 0.4
    zeroed = (a.detach() * ~resets).requires_grad_()
    found, expected = linear_scan(a, b, initial, resets), linear_scan(zeroed, b, initial)
    assert torch.equal(found, expected)
    weight = torch.randn(b.shape, generator=torch.Generator().manual_seed(1), dtype=b.dtype)
    by = torch.autograd.grad((found * weight).sum(), (a, b, initial))
    due = torch.autograd.grad((expected * weight).sum(), (zeroed, b, initial))
    assert not by[0][resets.expand_as(a)].any()
    assert torch.equal(by[0][~resets.expand_as(a)], due[0][~resets.expand_as(a)])
    assert torch.equal(by[1], due[1])
    assert torch.equal(by[2], due[2])


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("leading", [(), (2,), (2, 2)])
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_gradient(leading: tuple[int, ...], frames: int, dtype: torch.dtype) -> None:
    a, b, initial = (x.requires_grad_() for x in _draw(leading, frames, frames, dtype, 3))
    assert gradcheck(linear_scan, (a, b, initial))
    assert gradcheck(linear_scan, (a, b))
    assert gradcheck(lambda b: linear_scan(a.detach(), b), (b,))
    assert gradcheck(lambda a: linear_scan(a, b.detach(), initial.detach()), (a,))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_second_derivative(dtype: torch.dtype) -> None:
    a, b, initial = (x.requires_grad_() for x in _draw((2,), 3, 0, dtype, 2))
    assert gradgradcheck(linear_scan, (a, b, initial))


def test_gradient_equals_autograd_through_a_loop_in_float32() -> None:
    tensors = tuple(x.requires_grad_() for x in _draw((4,), 60, 1, torch.float32))
    a, b, h = tensors
    looped = []
    for factor, term in zip(a.unbind(1), b.unbind(1), strict=True):
        h = factor * h + term
        looped.append(h)
    expected = torch.stack(looped, dim=1)
    weight = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2))
    for found, correct in zip(
        torch.autograd.grad((linear_scan(*tensors) * weight).sum(), tensors),
        torch.autograd.grad((expected * weight).sum(), tensors),
        strict=True,
    ):
        torch.testing.assert_close(found, correct, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("a", "b", "initial"),
    [
        ((2, 3, 4), (2, 3, 5), None),
        ((2, 0, 4), (2, 0, 4), None),
        ((4,), (4,), None),
        ((2, 3, 4), (2, 3, 4), (4,)),
        ((2, 3, 4), (2, 3, 4), (2, 3)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    a: tuple[int, ...], b: tuple[int, ...], initial: tuple[int, ...] | None
) -> None:
    start = None if initial is None else torch.zeros(initial)
    with pytest.raises(ValueError, match="must be"):
        linear_scan(torch.zeros(a), torch.zeros(b), start)


def test_dtypes_that_differ_are_refused() -> None:
    a = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match="one dtype"):
        linear_scan(a, a.double())
    with pytest.raises(ValueError, match="one dtype"):
        linear_scan(a, a, torch.zeros(2, 4, dtype=torch.complex64))


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 3, 0), (2, 0, 5, 3)])
def test_no_rows_or_no_lanes(shape: tuple[int, ...]) -> None:
    a, b = torch.rand(shape).requires_grad_(), torch.rand(shape).requires_grad_()
    states = linear_scan(a, b)
    assert states.shape == shape
    assert torch.autograd.grad(states.sum(), (a, b))[0].shape == shape


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_types_run_in_torch(dtype: torch.dtype) -> None:
    a, b, initial = _draw((2,), 5, 0, torch.float32)
    states = linear_scan(a.to(dtype), b.to(dtype), initial.to(dtype))
    assert states.dtype == dtype
    expected = linear_scan(a, b, initial)
    torch.testing.assert_close(states.float(), expected, rtol=0.1, atol=0.1)


def test_any_strides_and_pending_conjugations() -> None:
    a, b, initial = _draw((4, 6), 5, 3, torch.complex128, 3)
    plain = linear_scan(a.conj().resolve_conj(), b, initial)
    turned = linear_scan(
        a.transpose(0, 1).contiguous().transpose(0, 1).conj(),
        b.permute(3, 2, 0, 1).contiguous().permute(2, 3, 1, 0),
        initial.flip(-1).flip(-1),
    )
    assert torch.equal(turned, plain)
    constant = a[:, :, :1].real.expand(4, 6, 5, 3)
    assert torch.equal(
        linear_scan(constant, b.imag), linear_scan(constant.contiguous(), b.imag.contiguous())
    )
    negated = b.conj().imag  # a view with its sign pending
    assert torch.equal(linear_scan(constant, negated), -linear_scan(constant, b.imag))


def test_a_gradient_without_memory_of_its_own() -> None:
    """sum() sends one number, expanded: no strides to walk along."""
    a, b, _ = (x.requires_grad_() for x in _draw((2,), 6, 0, torch.float64))
    summed = torch.autograd.grad(linear_scan(a, b).sum(), (a, b))
    weighted = torch.autograd.grad(linear_scan(a, b), (a, b), torch.ones_like(a))
    assert torch.equal(summed[0], weighted[0])
    assert torch.equal(summed[1], weighted[1])
