"""Larger states for the same function: alpha times s, the weights that read the state over s.

A state is read by the output weights of its own layer alone, and v = relu(W h + b) does not change
when a column of W is divided by what its state is multiplied by. So a state that is too small for
its line to rise in time can be raised exactly, as far as its weights allow: on the grid, s divides
every k of the column; where weights are continuous, none may fall below the smallest device.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Raised:
    """One state (``h1_4``): the factor found, alpha after it, and whether that is enough."""

    node: str
    factor: float
    alpha_units: float
    enough: bool


def raise_states(
    parameters: Mapping[str, Floats],
    needed_units: Mapping[str, float],
    grid: int | None,
    floor: float,
    alpha_max_units: float,
) -> tuple[dict[str, Floats], list[Raised]]:
    """Parameters of the same function with the states of ``needed_units`` raised towards it.

    ``grid`` is that of the weights, None where they are continuous; then ``floor`` is the smallest
    weight. The factor is the smallest that is enough, or the largest there is. States that cannot
    be raised are left out of the list.
    """
    changed = {name: np.array(values, dtype=np.float64) for name, values in parameters.items()}
    raised = []
    for node, needed in needed_units.items():
        layer, unit = (int(part) for part in node.removeprefix("h").split("_"))
        alpha = changed[f"layers.{layer}.cell.alpha"]
        column = changed[f"layers.{layer}.output.weight"][:, unit]
        wanted, most = needed / alpha[unit], alpha_max_units / alpha[unit]
        if wanted <= 1 or not column.any():
            continue
        factor = _on_grid(column, grid, wanted, most) if grid else _any(column, floor, wanted, most)
        if factor > 1:
            alpha[unit] *= factor
            column /= factor
            enough = bool(factor >= wanted * (1 - 1e-9))
            raised.append(Raised(node, float(factor), float(alpha[unit]), enough))
    return changed, raised


def _on_grid(column: Floats, grid: int, wanted: float, most: float) -> float:
    steps = np.round(np.abs(column) * grid).astype(int)
    if not np.allclose(steps, np.abs(column) * grid, atol=1e-4):
        return 1.0
    common = int(np.gcd.reduce(steps))
    divisors = [s for s in range(1, common + 1) if common % s == 0 and s <= most]
    return float(next((s for s in divisors if s >= wanted), divisors[-1] if divisors else 1))


def _any(column: Floats, floor: float, wanted: float, most: float) -> float:
    smallest = float(np.abs(column[column != 0]).min())
    return max(1.0, min(wanted, most, smallest / floor))
