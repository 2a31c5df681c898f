"""A line in time: a diode charged by a current, step by step in closed form.

In weak inversion C n V_T dI/dt = I (I_in - I) (Frey 1993 calls it log-domain). In y = 1 / I it is
linear,

    K dy/dt = 1 - I_in y,    y(t + h) = a y(t) + (1 - a) / I_in,    a = exp(-I_in h / K)

which is the logistic I(t) = I_in / (1 + (I_in / I_0 - 1) exp(-I_in h / K)), with y + h / K for
I_in = 0: exact for a constant I_in and stable for any step. A whole clip is one scan over steps.

A line that is pulled down (a sum with negative terms) comes near its rail, where the diode carries
nothing and the copies that pull leave saturation, C dV/dt = I_in + N exp(-V / V_T). With
w = exp(V / V_T) that is linear too,

    C V_T dw/dt = I_in w + N

and takes the place of the first below a voltage at which neither effect counts.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from codesign.cells.scan import reverse_scan

_MOST_NEGATIVE = -30.0


@dataclass(frozen=True)
class Pull:
    """What a line does near its rail: ``current`` N of each step [..., T, n]; C V_T, microseconds
    times units; ``log_zero`` and ``per_fold``: V / V_T = per_fold (L - log_zero) there; ``below``:
    the L under which this holds."""

    current: Tensor
    charge: Tensor | float
    log_zero: float
    per_fold: float
    below: float


def lag(
    drive: Tensor, step: Tensor, charge: Tensor, highest: Tensor, initial: Tensor,
    pull: Pull | None = None,
) -> Tensor:  # fmt: skip
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
    near = () if pull is None else _near_rail(pull, drive.detach(), step)
    y: Tensor = _LimitedScan.apply(factor, h * part, highest, initial, *near)  # type: ignore[no-untyped-call]
    return y


def _near_rail(pull: Pull, drive: Tensor, step: Tensor) -> tuple[Any, ...]:
    h = step / pull.charge
    z = (drive * h).clamp(_MOST_NEGATIVE, -_MOST_NEGATIVE)
    part = torch.where(z.abs() < 1e-4, 1 + z / 2, torch.expm1(z) / torch.where(z == 0, 1.0, z))
    return torch.exp(z), pull.current.detach() * h * part, pull


class _LimitedScan(torch.autograd.Function):
    """y_t = min(a_t y_{t-1} + b_t, m_t); no gradient passes a limit or a line at its rail."""

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, b: Tensor, highest: Tensor, initial: Tensor,
        grows: Tensor | None = None, gets: Tensor | None = None, pull: Pull | None = None,
    ) -> Tensor:  # fmt: skip
        y, values = initial, []
        columns = zip(a.unbind(-2), b.unbind(-2), highest.unbind(-2), strict=True)
        if pull is None or grows is None or gets is None:
            for factor, term, most in columns:
                y = torch.minimum(torch.addcmul(term, factor, y), most)
                values.append(y)
            result = torch.stack(values, dim=-2)
            free = result < highest
        else:
            zero, limit = math.exp(pull.log_zero), math.exp(-pull.below)
            kept = []
            for (factor, term, most), grow, get in zip(
                columns, grows.unbind(-2), gets.unbind(-2), strict=True
            ):
                high = torch.minimum(torch.addcmul(term, factor, y), most)
                w = torch.addcmul(get, grow, (y * zero) ** -pull.per_fold).clamp(1.0, 1e6)
                low = w ** (-1 / pull.per_fold) / zero
                keep = high < limit
                y = torch.where(keep, high, low)
                values.append(y)
                kept.append(keep)
            result = torch.stack(values, dim=-2)
            free = torch.stack(kept, dim=-2)
        ctx.save_for_backward(a, free, initial, result)
        return result

    @staticmethod
    def backward(
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, Tensor, None, Tensor, None, None, None]:
        a, free, initial, result = ctx.saved_tensors
        free = free.to(a.dtype)
        carried = a * free
        total = reverse_scan(carried, gradients[0])
        grad = total * free
        before = torch.cat([initial.unsqueeze(-2), result[..., :-1, :]], dim=-2)
        return grad * before, grad, None, carried[..., 0, :] * total[..., 0, :], None, None, None
