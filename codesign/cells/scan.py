"""One linear scan for every cell: h_t = a_t h_{t-1} + b_t, with a backward of its own.

The backward of the scan is the same scan run from the end: with g_t the gradient that arrives
at h_t, the total gradient is

    G_t = g_t + a_{t+1} G_{t+1},    dL/db_t = G_t,    dL/da_t = G_t h_{t-1},    dL/dh_0 = a_1 G_1

A reset before frame t is a_t = 0. Both directions are plain loops over ``unbind``: slicing
``a[:, t]`` under autograd would make the backward quadratic in T.
"""

from typing import Any

import torch
from torch import Tensor


class _LinearScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, initial: Tensor) -> Tensor:
        states = _scan(a.unbind(-2), b.unbind(-2), initial)
        ctx.save_for_backward(a, initial, states)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, initial, states = ctx.saved_tensors
        grad_b = reverse_scan(a, gradients[0])
        previous = torch.cat([initial.unsqueeze(-2), states[..., :-1, :]], dim=-2)
        return grad_b * previous, grad_b, a[..., 0, :] * grad_b[..., 0, :]


def reverse_scan(a: Tensor, arriving: Tensor) -> Tensor:
    """G_t = g_t + a_{t+1} G_{t+1} from the end, both [..., T, D]: the backward of such a scan."""
    factors, gradients = a.unbind(-2), arriving.unbind(-2)
    total = gradients[-1]
    reverse = [total]
    for t in range(len(gradients) - 2, -1, -1):
        total = torch.addcmul(gradients[t], factors[t + 1], total)
        reverse.append(total)
    reverse.reverse()
    return torch.stack(reverse, dim=-2)


def _scan(a: tuple[Tensor, ...], b: tuple[Tensor, ...], state: Tensor) -> Tensor:
    states = []
    for factor, term in zip(a, b, strict=True):
        state = torch.addcmul(term, factor, state)
        states.append(state)
    return torch.stack(states, dim=-2)


def linear_scan(a: Tensor, b: Tensor, initial: Tensor | None = None) -> Tensor:
    """States h [..., T, D] of h_t = a_t h_{t-1} + b_t.

    a, b: [..., T, D], T >= 1, same shape, any floating dtype and device.
    initial: h_0 [..., D], 0 when None.
    """
    if a.shape != b.shape or a.ndim < 2 or a.shape[-2] == 0:
        raise ValueError(f"a and b must be [..., T, D] with T >= 1, not {a.shape} and {b.shape}")
    if initial is None:
        initial = a.new_zeros(a.shape[:-2] + a.shape[-1:])
    if initial.shape != a.shape[:-2] + a.shape[-1:]:
        raise ValueError(f"the initial state must be [..., D], not {initial.shape}")
    states: Tensor = _LinearScan.apply(a, b, initial)  # type: ignore[no-untyped-call]
    return states
