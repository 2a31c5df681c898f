"""What every node of a network carries, from the twin's traces of some clips.

Nodes are named as the lines of the netlist, without their kind: ``u_3``, ``x0_2`` (what enters
layer 0), ``c0_1``, ``h0_1``, ``v0_1``, ``x1_2`` (the sum after the skip), and ``y_0`` for logits.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.device.turns import TurnTable
from codesign.network import evaluate

# Smaller currents than this are "off": no weight makes anything of them.
USED_UNITS = 0.01

KINDS = {
    "u": "input", "c": "candidate", "h": "state", "v": "output", "x": "sum", "y": "logit",
}  # fmt: skip


@dataclass(frozen=True)
class NodeCurrent:
    """Currents of one node over all clips and frames, in units.

    ``smallest_units``: smallest that is used (above ``USED_UNITS``; of a logit, of its magnitude),
    0 where none is; ``typical_units``: mean weighted by the current itself, at which an error of
    gain costs most.
    """

    node: str
    kind: str
    smallest_units: float
    mean_units: float
    largest_units: float
    typical_units: float


def node_currents(
    parameters: Mapping[str, NDArray[np.float64]], inputs: NDArray[np.float64]
) -> dict[str, NodeCurrent]:
    """Currents of every node for clips ``inputs`` (clips, frames, channels), by node."""
    tensors = {key: torch.from_numpy(np.asarray(value)) for key, value in parameters.items()}
    with torch.no_grad():
        trace = evaluate(tensors, torch.from_numpy(np.asarray(inputs, dtype=np.float64)))
    groups = {"u": torch.from_numpy(np.asarray(inputs, dtype=np.float64))}
    groups["x0"] = before = trace.projection
    for layer, after in enumerate(trace.outputs):
        groups[f"c{layer}"], groups[f"h{layer}"] = trace.candidates[layer], trace.states[layer]
        groups[f"v{layer}"], groups[f"x{layer + 1}"] = after - before, after
        before = after
    groups["y"] = trace.logits
    return {
        f"{name}_{unit}": _node(name, unit, values[..., unit].numpy())
        for name, values in groups.items()
        for unit in range(values.shape[-1])
    }


def trimmed_turns(currents: Mapping[str, NodeCurrent], table: TurnTable) -> dict[str, float]:
    """Lengths (m) of the turns of N lines, by node, each for the current it typically carries.

    Candidates are left out: the cell that reads one is programmed with its turn included, and so
    are nodes that carry nothing.
    """
    return {
        node: table.length(current.typical_units)
        for node, current in currents.items()
        if current.kind in ("projection", "output", "sum") and current.typical_units > 0
    }


def _node(name: str, unit: int, values: NDArray[np.float64]) -> NodeCurrent:
    size = np.abs(values)
    used = size[size > USED_UNITS]
    total = float(size.sum())
    kind = "projection" if name == "x0" else KINDS[name[0]]
    return NodeCurrent(
        node=f"{name}_{unit}",
        kind=kind,
        smallest_units=float(used.min()) if used.size else 0.0,
        mean_units=float(size.mean()),
        largest_units=float(size.max()),
        typical_units=float((size**2).sum()) / total if total > 0 else 0.0,
    )
