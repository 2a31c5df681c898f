"""A line in time: a diode charged by a current, step by step in closed form.

In weak inversion C n V_T dI/dt = I (I_in - I) (Frey 1993 calls it log-domain). In y = 1 / I it is
linear,

    K dy/dt = 1 - I_in y,    y(t + h) = a y(t) + (1 - a) / I_in,    a = exp(-I_in h / K)

which is the logistic I(t) = I_in / (1 + (I_in / I_0 - 1) exp(-I_in h / K)), with y + h / K for
I_in = 0: exact for a constant I_in and stable for any step. A negative I_in empties the line until
the copies that pull leave saturation: y has an upper limit. A whole clip is one scan over steps.
"""

from typing import Any

import torch
from torch import Tensor

_MOST_NEGATIVE = -30.0


def lag(drive: Tensor, step: Tensor, charge: Tensor, highest: Tensor, initial: Tensor) -> Tensor:
    """1 / I at the end of every step, [..., T, n].

    drive [..., T, n]: mean I_in of each step, units; step [T, 1]: lengths; charge: K, unit of step
    times units; highest [..., T, n]: the largest 1 / I; initial [..., n]: 1 / I before.
    """
    h = step / charge
    z = (drive * h).clamp(min=_MOST_NEGATIVE)
    factor = torch.exp(-z)
    # (1 - exp(-z)) / z, 1 at z = 0
    small = z.abs() < 1e-4
    part = torch.where(small, 1 - z / 2, -torch.expm1(-z) / torch.where(small, 1.0, z))
    y: Tensor = _LimitedScan.apply(factor, h * part, highest, initial)  # type: ignore[no-untyped-call]
    return y


class _LimitedScan(torch.autograd.Function):
    """y_t = min(a_t y_{t-1} + b_t, m_t); no gradient reaches a value that is at its limit."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, highest: Tensor, initial: Tensor) -> Tensor:
        y, values = initial, []
        for factor, term, most in zip(a.unbind(-2), b.unbind(-2), highest.unbind(-2), strict=True):
            y = torch.minimum(torch.addcmul(term, factor, y), most)
            values.append(y)
        result = torch.stack(values, dim=-2)
        ctx.save_for_backward(a, highest, initial, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, Tensor]:
        a, highest, initial, result = ctx.saved_tensors
        free = (result < highest).to(a.dtype)
        carried = (a * free).unbind(-2)
        arriving = gradients[0].unbind(-2)
        total = arriving[-1]
        reverse = [total]
        for t in range(len(arriving) - 2, -1, -1):
            total = torch.addcmul(arriving[t], carried[t + 1], total)
            reverse.append(total)
        reverse.reverse()
        grad = torch.stack(reverse, dim=-2) * free
        before = torch.cat([initial.unsqueeze(-2), result[..., :-1, :]], dim=-2)
        return grad * before, grad, None, (carried[0] * total)
