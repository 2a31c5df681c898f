"""What bistable cells do on real clips: distances from thresholds, use of memory, currents.

Sums over clips, so that a split can be taken in parts of any size.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.network import Trace
from codesign.training.reading import thresholds

# Distances are counted in bins of a fortieth of a unit; the first and the last count the rest.
REACH_UNITS, BINS = 1.5, 120

Counts = NDArray[np.int64]


def states_before(states: Tensor) -> Tensor:
    """The state each frame [..., T, d] began with; 0 before the first."""
    return torch.cat([torch.zeros_like(states[..., :1, :]), states[..., :-1, :]], dim=-2)


def distance_counts(
    candidate: Tensor, state: Tensor, upper: Tensor, lower: Tensor
) -> dict[str, Counts]:
    """Candidates minus the threshold that decides, counted by bin: {"off", "on"} -> [BINS + 2].

    candidate, state: [B, T, d]; upper, lower: beta_hi and beta_lo [d], units. A cell that is off
    can only be set, so beta_hi decides; one that is on can only be cleared, so beta_lo does.
    """
    on = states_before(state) > 0
    edges = np.linspace(-REACH_UNITS, REACH_UNITS, BINS + 1)
    padded = np.concatenate([[-np.inf], edges, [np.inf]])
    found = {}
    for name, chosen, threshold in (("off", ~on, upper), ("on", on, lower)):
        distance = (candidate.double() - threshold.double())[chosen]
        found[name] = np.histogram(distance.numpy(), padded)[0].astype(np.int64)
    return found


def unit_counts(
    candidate: Tensor, state: Tensor, upper: Tensor, lower: Tensor
) -> dict[str, Counts]:
    """How each unit of a layer is used, counts [d] over clips and frames of [B, T, d].

    on: frames with the state on. held: of those, frames whose candidate is not above beta_hi, so
    that the state is on from memory alone. window: frames with the candidate between the
    thresholds, on or off. holds: uninterrupted runs of held frames. sets, clears: changes.
    clips_on, clips_always_on: clips with a frame on, and with every frame on.
    """
    on, held = state > 0, (state > 0) & (candidate <= upper)
    before, before_held = states_before(state) > 0, states_before(held.float()) > 0
    marks = {
        "on": on,
        "held": held,
        "window": (candidate > lower) & (candidate <= upper),
        "holds": held & ~before_held,
        "sets": on & ~before,
        "clears": before & ~on,
    }
    counts = {name: mark.sum((0, 1)).numpy() for name, mark in marks.items()}
    counts["clips_on"] = on.any(1).sum(0).numpy()
    counts["clips_always_on"] = on.all(1).sum(0).numpy()
    return counts


def mirrored_by_block(trace: Trace, parameters: Mapping[str, Tensor]) -> dict[str, float]:
    """Mean current copied by the mirrors of each block, units; they add up to what
    ``reading.mirrored_current`` prices: |w| x of every weight, |b| of every bias, and the bias
    currents of the cells.

    Names are those of the parameters: ``projection`` (its biases; the inputs come from outside),
    per layer ``candidate``, ``cell`` and ``output``, and ``readout``.
    """

    def copied(x: Tensor, name: str) -> float:
        per_line = parameters[f"{name}.weight"].abs().sum(-2)
        moving = (x.mean((-3, -2)) * per_line).sum()
        return float(moving + parameters[f"{name}.bias"].abs().sum())

    blocks = {"projection": float(parameters["projection.bias"].abs().sum())}
    before = [trace.projection, *trace.outputs[:-1]]
    for layer, (x, state) in enumerate(zip(before, trace.states, strict=True)):
        name = f"layers.{layer}"
        blocks[f"{name}.candidate"] = copied(x, f"{name}.candidate")
        cell = (parameters[f"{name}.cell.{key}"].sum() for key in ("beta_hi", "width"))
        blocks[f"{name}.cell"] = float(sum(cell))
        blocks[f"{name}.output"] = copied(state, f"{name}.output")
    blocks["readout"] = copied(trace.outputs[-1], "readout")
    return blocks


def forgetful(parameters: Mapping[str, Tensor], layer: int) -> dict[str, Tensor]:
    """Networks [d, ...], of which the u-th has a unit u of ``layer`` that forgets.

    With no width between its thresholds a cell keeps nothing: h = H(c - beta_hi) alpha.
    """
    upper, _ = thresholds(parameters, layer)
    key = f"layers.{layer}.cell.width"
    stacked = {name: value.expand(len(upper), *value.shape) for name, value in parameters.items()}
    return {**stacked, key: stacked[key] * (1 - torch.eye(len(upper), dtype=upper.dtype))}
