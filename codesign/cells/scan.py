"""One linear scan for every cell: h_t = a_t h_{t-1} + b_t, with a backward of its own.

The backward of the scan is the same scan run from the end: with g_t the gradient that arrives
at h_t, the total gradient is

    G_t = g_t + a_{t+1}* G_{t+1},    dL/db_t = G_t,    dL/da_t = G_t h_{t-1}*,    dL/dh_0 = a_1* G_1

(* the complex conjugate, torch's convention). A reset before frame t is a_t = 0. On the CPU a
compiled kernel does each direction in one pass over the data, on CUDA a Triton program; in other
dtypes, or where there is no compiler or no Triton, plain torch does. docs/scan.md has the figures.
"""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from codesign.cells import scan_native, scan_torch, scan_triton


def _backend(x: Tensor) -> ModuleType:
    for backend in (scan_native, scan_triton):
        if backend.serves(x):
            return backend
    return scan_torch


class _LinearScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, initial: Tensor | None) -> Tensor:
        states: Tensor = _backend(a).forward(a, b, initial)
        ctx.save_for_backward(a, initial, states)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        a, initial, states = ctx.saved_tensors
        wants_a, _, wants_initial = ctx.needs_input_grad
        if torch.is_grad_enabled():  # the backward is itself to be differentiated
            total = reverse_scan(a, gradients[0])
            return scan_torch.gradients(a, states, initial, total, wants_a, wants_initial)
        found: tuple[Tensor | None, Tensor, Tensor | None] = _backend(a).backward(
            a, states, initial, gradients[0], wants_a, wants_initial
        )
        return found


def reverse_scan(a: Tensor, arriving: Tensor) -> Tensor:
    """G_t = g_t + a_{t+1}* G_{t+1} from the end, both [..., T, D]: the backward of such a scan."""
    later = torch.cat([a[..., 1:, :], torch.zeros_like(a[..., :1, :])], dim=-2)
    return linear_scan(later.conj().flip(-2), arriving.flip(-2)).flip(-2)


def linear_scan(
    a: Tensor, b: Tensor, initial: Tensor | None = None, resets: Tensor | None = None
) -> Tensor:
    """States h [..., T, D] of h_t = a_t h_{t-1} + b_t.

    a, b: [..., T, D], T >= 1, same shape and dtype, floating or complex, on any device.
    initial: h_0 [..., D], 0 when None. resets: bool, broadcast to a; where true, the state before
    that frame is forgotten (as a_t = 0 does), and so is the initial one at the first frame.

    Raises ValueError on shapes or dtypes that do not fit. Differentiable any number of times.
    """
    if a.shape != b.shape or a.ndim < 2 or a.shape[-2] == 0:
        raise ValueError(f"a and b must be [..., T, D] with T >= 1, not {a.shape} and {b.shape}")
    if initial is not None and initial.shape != a.shape[:-2] + a.shape[-1:]:
        raise ValueError(f"the initial state must be [..., D], not {initial.shape}")
    if a.dtype != b.dtype or (initial is not None and initial.dtype != a.dtype):
        kinds = [str(x.dtype) for x in (a, b, initial) if x is not None]
        raise ValueError(f"a, b and the initial state must be of one dtype, not {kinds}")
    if resets is not None:
        a = a.masked_fill(resets, 0)
    states: Tensor = _LinearScan.apply(a, b, initial)  # type: ignore[no-untyped-call]
    return states
