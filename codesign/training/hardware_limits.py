"""What the chip can hold: weights on the grid, bias currents in range, thresholds above leaks."""

from dataclasses import dataclass

import torch
from torch import Tensor

from codesign.flows import Flow
from codesign.training.packing import Packing


@dataclass(frozen=True)
class Limits:
    """Ranges of deployed parameters, in units; grid is k of the weights' k/grid."""

    grid: int
    weight_limit: float
    bias_max: float
    beta_lo_min: float
    alpha_min: float
    width_min: float

    @classmethod
    def of(cls, flow: Flow) -> "Limits":
        """The limits that a flow's hardware and training sections state."""
        return cls(
            grid=flow.hardware.weight_grid,
            weight_limit=flow.training.weight_limit,
            bias_max=flow.hardware.bias_max_units,
            beta_lo_min=flow.training.beta_lo_min_units,
            alpha_min=max(flow.hardware.bias_min_units, flow.training.alpha_min_units),
            width_min=max(flow.hardware.bias_min_units, flow.training.width_min_units),
        )


def on_grid(rows: Tensor, packing: Packing, grid: int) -> Tensor:
    """Rows [..., P] with weights and biases rounded to multiples of 1/grid."""
    return torch.where(packing.gridded.to(rows.device), torch.round(rows * grid) / grid, rows)


def toward_grid(rows: Tensor, packing: Packing, grid: int, strength: float) -> Tensor:
    """Rows moved a part of the way to the grid; the gradient passes straight through.

    strength 0 leaves them, 1 puts them on the grid.
    """
    if strength == 0:
        return rows
    return rows + strength * (on_grid(rows, packing, grid) - rows).detach()


def confine(rows: Tensor, packing: Packing, limits: Limits) -> Tensor:
    """Rows [..., P] with every parameter inside what the chip can hold.

    Weights within +-weight_limit; alpha, width and beta_hi between their smallest values and the
    largest bias current, with beta_lo = beta_hi - width at least beta_lo_min. Rows of a network
    that is not for the chip are returned as they are.
    """
    if not packing.limited:
        return rows
    largest = torch.floor(torch.tensor(limits.weight_limit * limits.grid)).item() / limits.grid
    gridded = packing.gridded.to(rows.device)
    confined = torch.where(gridded, rows.clamp(-largest, largest), rows)
    lowest = {
        "alpha": limits.alpha_min,
        "beta_hi": limits.width_min + limits.beta_lo_min,
        "width": limits.width_min,
    }
    for key, low in lowest.items():
        at = packing.positions(f"cell.{key}").to(rows.device)
        confined[..., at] = confined[..., at].clamp(low, limits.bias_max)
    upper = packing.positions("cell.beta_hi").to(rows.device)
    width = packing.positions("cell.width").to(rows.device)
    widest = confined[..., upper] - limits.beta_lo_min
    # Rounding may leave the difference a hair below the range of a bias current.
    confined[..., width] = torch.minimum(confined[..., width], widest).clamp_min(limits.width_min)
    return confined
