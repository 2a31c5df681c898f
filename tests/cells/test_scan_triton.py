"""The Triton scan: by its interpreter where there is no GPU, and on the GPU where there is one."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from codesign.cells import linear_scan, scan_triton

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

INTERPRETED = """
import torch
from codesign.cells import scan_torch, scan_triton

compared = 0
for dtype in (torch.float32, torch.float64, torch.complex64, torch.complex128):
    for shape in ((2, 5, 3), (1, 1, 1), (3, 7, 40), (2, 2, 6, 33), (0, 3, 2)):
        for starts in (True, False):
            g = torch.Generator().manual_seed(0)
            a, b, arriving = (torch.randn(shape, generator=g, dtype=dtype) for _ in range(3))
            initial = torch.randn(shape[:-2] + shape[-1:], generator=g, dtype=dtype)
            initial = initial if starts else None
            results = []
            for backend in (scan_triton, scan_torch):
                h = backend.forward(a, b, initial)
                results.append((h, *backend.backward(a, h, initial, arriving, True, starts)))
            for x, y in zip(*results, strict=True):
                assert (x is None) == (y is None)
                if x is not None:
                    torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-4)
                    compared += 1
print(compared, "tensors agree")
"""


@needs_triton
def test_the_interpreted_programs_equal_torch() -> None:
    """In a process of its own: Triton decides at import whether it interprets."""
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[0] == "140"


def test_it_is_for_cuda_alone() -> None:
    assert not scan_triton.serves(torch.zeros(1))


@needs_cuda
@needs_triton
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.float64])
def test_on_the_gpu_it_equals_the_processor(dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(0)
    a, b, arriving = (torch.randn(6, 50, 37, generator=g, dtype=dtype) for _ in range(3))
    initial = torch.randn(6, 37, generator=g, dtype=dtype)
    resets = torch.rand(6, 50, 1, generator=g) < 0.2
    results = []
    for device in ("cpu", "cuda"):
        factor, term, start = ((0.5 * x).to(device).requires_grad_() for x in (a, b, initial))
        assert scan_triton.serves(factor) == (device == "cuda")
        states = linear_scan(factor, term, start, resets.to(device))
        by = torch.autograd.grad(states, (factor, term, start), arriving.to(device))
        results.append([x.cpu() for x in (states.detach(), *by)])
    for x, y in zip(*results, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-4)
