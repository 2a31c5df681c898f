"""The compiled scan: the same numbers as plain torch, whatever its blocks, threads and machine."""

import logging
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from codesign import native
from codesign.cells import compiled, linear_scan, scan, scan_native, scan_torch

needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("g++", "clang++", "c++")), reason="no C++ compiler"
)
ERROR = {torch.float32: 2e-5, torch.float64: 1e-12, torch.complex64: 2e-5, torch.complex128: 1e-12}
Tensors = tuple[Tensor, ...]


def _both(
    a: Tensor, b: Tensor, initial: Tensor | None, arriving: Tensor
) -> tuple[Tensors, Tensors]:
    """(states, gradients by a, b and the initial state), by the kernel and by torch."""
    results = []
    for backend in (scan_native, scan_torch):
        states = backend.forward(a, b, initial)
        by = backend.backward(a, states, initial, arriving, True, initial is not None)
        results.append((states, *(x for x in by if x is not None)))
    return results[0], results[1]


@needs_compiler
@pytest.mark.parametrize("dtype", list(ERROR))
@settings(max_examples=25)
@given(
    leading=st.sampled_from([(), (1,), (5,), (3, 2)]),
    frames=st.sampled_from([1, 2, 7]),
    width=st.sampled_from([1, 2, 3, 4, 7, 8, 13, 16, 19, 37, 64, 130, 531]),
    starts=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_kernel_equals_torch(
    dtype: torch.dtype, leading: tuple[int, ...], frames: int, width: int, starts: bool, seed: int
) -> None:
    """Every width is cut into blocks in its own way: 64 bytes, 16 bytes, single numbers."""
    assert scan_native.serves(torch.zeros(1, dtype=dtype))
    g = torch.Generator().manual_seed(seed)
    shape = (*leading, frames, width)
    a, b, arriving = (torch.randn(shape, generator=g, dtype=dtype) for _ in range(3))
    initial = torch.randn((*leading, width), generator=g, dtype=dtype) if starts else None
    found, expected = _both(0.7 * a, b, initial, arriving)
    assert len(found) == len(expected) == (4 if starts else 3)
    for x, y in zip(found, expected, strict=True):
        torch.testing.assert_close(x, y, rtol=ERROR[dtype], atol=ERROR[dtype])


@needs_compiler
@pytest.mark.parametrize("shape", [(7, 9, 5), (1, 9, 83), (2, 9, 300)])
def test_threads_do_not_change_a_bit(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    g = torch.Generator().manual_seed(0)
    a, b, arriving = (torch.randn(shape, generator=g) for _ in range(3))
    results = []
    for threads in (1, 2, 3, 5):
        monkeypatch.setattr(scan_native, "threads_for", lambda numbers, n=threads: n)
        states = scan_native.forward(a, b, None)
        to_a, to_b, _ = scan_native.backward(a, states, None, arriving, True, False)
        assert to_a is not None
        results.append((states, to_a, to_b))
    for result in results[1:]:
        for x, y in zip(result, results[0], strict=True):
            assert torch.equal(x, y)


def test_only_large_tensors_take_several_threads() -> None:
    assert compiled.threads_for(32 * 101 * 16) == 1
    assert compiled.threads_for(1 << 24) == torch.get_num_threads()


def test_without_a_compiler_torch_does_it_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = torch.rand(2, 5, 3), torch.rand(2, 5, 3)
    expected = linear_scan(a, b)
    native.load_if_possible.cache_clear()
    scan_native._functions.cache_clear()
    monkeypatch.setenv("CXX", "no-such-compiler")
    try:
        with caplog.at_level(logging.WARNING):
            again = [linear_scan(a, b) for _ in range(3)]
        assert not scan_native.serves(a)
        assert scan._backend(a) is scan_torch
    finally:
        native.load_if_possible.cache_clear()
        scan_native._functions.cache_clear()
    for states in again:
        torch.testing.assert_close(states, expected)
    messages = [record.message for record in caplog.records]
    assert len(messages) == 1
    assert "no-such-compiler was found" in messages[0]
    assert "slower" in messages[0]


@needs_compiler
def test_results_in_large_pages_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for large pages changes where memory comes from, not what is in it."""
    g = torch.Generator().manual_seed(0)
    a, b, arriving = (torch.randn(3, 500, 67, generator=g) for _ in range(3))
    small, _ = _both(0.5 * a, b, None, arriving)
    monkeypatch.setattr(compiled, "_LARGE_BYTES", 1)
    large, _ = _both(0.5 * a, b, None, arriving)
    assert all(torch.equal(x, y) for x, y in zip(small, large, strict=True))
