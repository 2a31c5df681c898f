"""The first-quadrant bistable memory cell (FQ-BMRU) and its memoryless control.

    h_t = H(c_t - beta_hi) alpha + H(c_t - beta_lo) H(beta_hi - c_t) h_{t-1},   h_0 = 0

with beta_lo = beta_hi - width, all parameters fixed per unit (Fyon et al., arXiv:2605.15216).
Training softens it with a leak eps that is annealed to 0,

    a_t = hold_t + (1 - hold_t) eps,    b_t = (1 - eps) H(c_t - beta_hi) alpha

At eps = 0 this is the deployed cell. The set term carries no factor (1 - hold): the forward
would be the same, but its gradient would be wrong while holding.
"""

from collections.abc import Callable

from torch import Tensor

from codesign.cells.scan import linear_scan
from codesign.cells.surrogate import heaviside

DEFAULT_SHARPNESS = 3.0

Cell = Callable[[Tensor, Tensor, Tensor, Tensor, float, float], Tensor]
"""(candidate [..., T, d], beta_hi, width, alpha, leak, sharpness) -> states [..., T, d]."""


def fq_bmru(
    candidate: Tensor,
    beta_hi: Tensor,
    width: Tensor,
    alpha: Tensor,
    leak: float = 0.0,
    sharpness: float = DEFAULT_SHARPNESS,
) -> Tensor:
    """States [..., T, d] of the bistable cell, in units; ``leak`` is eps (0: the deployed cell).

    Parameters broadcast against the candidates. The candidate may be given before its ReLU:
    with beta_lo > 0 the states are the same and no gradient dies.
    """
    above = heaviside(candidate - beta_hi, sharpness)
    hold = heaviside(candidate - (beta_hi - width), sharpness) * (1 - above)
    a = hold + (1 - hold) * leak if leak else hold
    return linear_scan(a, (1 - leak) * above * alpha)


def memoryless(
    candidate: Tensor,
    beta_hi: Tensor,
    width: Tensor,
    alpha: Tensor,
    leak: float = 0.0,
    sharpness: float = DEFAULT_SHARPNESS,
) -> Tensor:
    """The control, h_t = H(c_t - beta_hi) alpha: width and leak have no part in it."""
    return heaviside(candidate - beta_hi, sharpness) * alpha
