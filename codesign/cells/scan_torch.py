"""The linear scan in plain torch, for any device and dtype: loops over ``unbind``.

Slicing ``a[:, t]`` under autograd instead would make the backward quadratic in T.
"""

import torch
from torch import Tensor


def forward(a: Tensor, b: Tensor, initial: Tensor | None) -> Tensor:
    """States [..., T, D]; initial [..., D] or None for 0."""
    state = torch.zeros_like(b[..., 0, :]) if initial is None else initial
    states = []
    for factor, term in zip(a.unbind(-2), b.unbind(-2), strict=True):
        state = torch.addcmul(term, factor, state)
        states.append(state)
    return torch.stack(states, dim=-2)


def reverse_scan(a: Tensor, arriving: Tensor) -> Tensor:
    """G_t = g_t + conj(a_{t+1}) G_{t+1} from the end, both [..., T, D]."""
    factors, gradients = a.conj().unbind(-2), arriving.unbind(-2)
    total = gradients[-1]
    reverse = [total]
    for t in range(len(gradients) - 2, -1, -1):
        total = torch.addcmul(gradients[t], factors[t + 1], total)
        reverse.append(total)
    reverse.reverse()
    return torch.stack(reverse, dim=-2)


def backward(
    a: Tensor,
    states: Tensor,
    initial: Tensor | None,
    arriving: Tensor,
    wants_a: bool,
    wants_initial: bool,
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """Gradients by a, b and the initial state, from the gradient arriving at the states."""
    return gradients(a, states, initial, reverse_scan(a, arriving), wants_a, wants_initial)


def gradients(
    a: Tensor,
    states: Tensor,
    initial: Tensor | None,
    total: Tensor,
    wants_a: bool,
    wants_initial: bool,
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """All gradients from the total gradient of the states."""
    to_a = to_initial = None
    if wants_a:
        first = torch.zeros_like(states[..., 0, :]) if initial is None else initial
        before = torch.cat([first.unsqueeze(-2), states[..., :-1, :]], dim=-2)
        to_a = before.conj() * total
    if wants_initial:
        to_initial = a[..., 0, :].conj() * total[..., 0, :]
    return to_a, total, to_initial
