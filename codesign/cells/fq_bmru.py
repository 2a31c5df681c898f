"""The first-quadrant bistable memory cell (FQ-BMRU) and its memoryless control.

    h_t = H(c_t - beta_hi) alpha + H(c_t - beta_lo) H(beta_hi - c_t) h_{t-1},   h_0 = 0

with beta_lo = beta_hi - width, all parameters fixed per unit (Fyon et al., arXiv:2605.15216).
Training softens it with a leak eps that is annealed to 0,

    a_t = hold_t + (1 - hold_t) eps,    b_t = (1 - eps) H(c_t - beta_hi) alpha

At eps = 0 this is the deployed cell. The set term carries no factor (1 - hold): the forward
would be the same, but its gradient would be wrong while holding.
"""

import torch
from torch import Tensor, nn

from codesign.cells.scan import linear_scan
from codesign.cells.surrogate import heaviside

DEFAULT_SHARPNESS = 3.0


class FirstQuadrantCell(nn.Module):
    """Parameters shared by the cell and its control: beta_hi, width, alpha, each [d], units."""

    def __init__(self, state_dim: int) -> None:
        super().__init__()
        self.beta_hi = nn.Parameter(torch.full((state_dim,), 0.7))
        self.width = nn.Parameter(torch.full((state_dim,), 0.4))
        self.alpha = nn.Parameter(torch.ones(state_dim))

    @property
    def beta_lo(self) -> Tensor:
        """Lower threshold [d] in units: the state falls when the candidate is below it."""
        return self.beta_hi - self.width


class FQBMRU(FirstQuadrantCell):
    """The bistable cell: candidates c [B, T, d] in units -> states [B, T, d] in units."""

    def forward(
        self, candidate: Tensor, leak: float = 0.0, sharpness: float = DEFAULT_SHARPNESS
    ) -> Tensor:
        """States from candidates; ``leak`` is eps (0: the deployed cell).

        The candidate may be given before its ReLU: with beta_lo > 0 the states are the same
        and no gradient dies.
        """
        above = heaviside(candidate - self.beta_hi, sharpness)
        hold = heaviside(candidate - self.beta_lo, sharpness) * (1 - above)
        a = hold + (1 - hold) * leak if leak else hold
        return linear_scan(a, (1 - leak) * above * self.alpha)


class MemorylessThreshold(FirstQuadrantCell):
    """The control: h_t = H(c_t - beta_hi) alpha; the width has no part in it."""

    def forward(
        self, candidate: Tensor, leak: float = 0.0, sharpness: float = DEFAULT_SHARPNESS
    ) -> Tensor:
        """States from candidates; ``leak`` is accepted and ignored: there is nothing to leak."""
        return heaviside(candidate - self.beta_hi, sharpness) * self.alpha
