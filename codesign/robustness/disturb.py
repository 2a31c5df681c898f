"""Disturbed copies of a trained network: noise on its parameters, currents added to candidates.

Parameter noise multiplies every stored parameter by 1 + p/300 N(0, 1), independently: p is a
three-sigma figure in percent. A current is added to every candidate, that is to the drive the cell
compares, accumulates or mixes into its state (for BMRU and GRU-like cells the candidate before its
nonlinearity, for the LRU the input of its state), in units:

    leak          the same level into every candidate of the network, which is what a leakage that
                  all nodes share does
    leak_uniform  U(0, level), drawn for every unit
    offset        U(-level, level), drawn for every unit

Draw k belongs to (seed, k) alone: all levels, and all networks of one shape, see the same deviates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Kind = Literal["none", "percent", "leak", "leak_uniform", "offset"]
DRAWN: tuple[Kind, ...] = ("percent", "leak_uniform", "offset")


@dataclass(frozen=True)
class Deviates:
    """Standard deviates of some draws: normal ones by parameter [draws, ...], and uniform ones in
    (0, 1) for candidates [draws, layers, width]."""

    normal: Mapping[str, Tensor]
    uniform: Tensor


def deviates(parameters: Mapping[str, Tensor], layers: int, seed: int, draws: range) -> Deviates:
    """The deviates of ``draws``, in the parameters' dtype."""
    width = candidate_width(parameters)
    dtype = next(iter(parameters.values())).dtype
    normal: dict[str, list[Tensor]] = {name: [] for name in parameters}
    uniform = []
    for index in draws:
        state = np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
        # Currents first, so that they are the same for cells with other parameters.
        uniform.append(torch.rand((layers, width), generator=generator, dtype=dtype))
        for name, value in parameters.items():
            normal[name].append(torch.randn(value.shape, generator=generator, dtype=dtype))
    return Deviates(
        {name: torch.stack(rows) for name, rows in normal.items()}, torch.stack(uniform)
    )


def candidate_width(parameters: Mapping[str, Tensor]) -> int:
    """Candidates per layer."""
    return int(parameters["layers.0.candidate.bias"].shape[-1])


def disturbed(
    parameters: Mapping[str, Tensor], kind: Kind, level: float, given: Deviates
) -> tuple[dict[str, Tensor], Tensor | None]:
    """(parameters [draws, ...], current into the candidates [draws, layers, width] or None).

    level: percent for ``percent``, else units. Raises ValueError for a kind it does not know.
    """
    count = len(given.uniform)
    if kind == "percent":
        return {
            name: value * (1 + level / 300 * given.normal[name])
            for name, value in parameters.items()
        }, None
    many = {name: value.expand(count, *value.shape) for name, value in parameters.items()}
    if kind == "none":
        return many, None
    if kind == "leak":
        return many, torch.full_like(given.uniform, level)
    if kind == "leak_uniform":
        return many, level * given.uniform
    if kind == "offset":
        return many, level * (2 * given.uniform - 1)
    raise ValueError(f"unknown disturbance {kind!r}")
