"""Every unit of a chip's network over a split: use of its memory, distances, what it is worth."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from codesign.decision import decide
from codesign.network import Trace, evaluate
from codesign.rules import Rule
from codesign.tasks.base import Split
from codesign.training.evidence import cells
from codesign.training.reading import thresholds
from codesign.training.scores import balanced_accuracy

_AT_ONCE = 4_000_000  # values of one node: bounds memory
_WORK = 400_000_000  # node values spent on units that forget: some seconds


class ChipSums:
    """Sums over the parts of a split, for a network of bistable cells on the chip."""

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        self._parameters = parameters
        self._layers: list[dict[str, Any]] = []
        self._distances: dict[tuple[int, str], Any] = defaultdict(int)
        self._currents: dict[str, float] = defaultdict(float)
        self._clips = self._frames = 0

    def add(self, trace: Trace) -> None:
        """The clips of one evaluation."""
        clips, frames = trace.logits.shape[:2]
        for name, value in cells.mirrored_by_block(trace, self._parameters).items():
            self._currents[name] += value * clips
        for layer, nodes in enumerate(zip(trace.candidates, trace.states, strict=True)):
            limits = thresholds(self._parameters, layer)
            for side, counts in cells.distance_counts(*nodes, *limits).items():
                self._distances[layer, side] = self._distances[layer, side] + counts
            if len(self._layers) == layer:
                self._layers.append(defaultdict(int))
            for name, counts in cells.unit_counts(*nodes, *limits).items():
                self._layers[layer][name] = self._layers[layer][name] + counts
        self._clips += clips
        self._frames += clips * frames

    def mirrored_units(self) -> dict[str, float]:
        """Mean mirrored current of each block."""
        return {name: value / self._clips for name, value in self._currents.items()}

    def distance_table(self) -> pd.DataFrame:
        """layer, before ("off" or "on"), low_units, high_units, count; the ends are open."""
        edges = np.linspace(-cells.REACH_UNITS, cells.REACH_UNITS, cells.BINS + 1)
        low, high = np.append(-np.inf, edges), np.append(edges, np.inf)
        tables = [
            pd.DataFrame(
                {
                    "layer": layer, "before": side, "low_units": low, "high_units": high,
                    "count": counts,
                }
            )
            for (layer, side), counts in self._distances.items()
        ]  # fmt: skip
        return pd.concat(tables, ignore_index=True)

    def unit_table(self) -> pd.DataFrame:
        """Thresholds, state and use of every unit."""
        tables = []
        for layer, sums in enumerate(self._layers):
            upper, lower = thresholds(self._parameters, layer)
            columns = {
                "layer": layer,
                "unit": np.arange(len(upper)),
                "beta_lo_units": lower.double().numpy(),
                "beta_hi_units": upper.double().numpy(),
                "alpha_units": self._parameters[f"layers.{layer}.cell.alpha"].double().numpy(),
                "frames": self._frames,
                **sums,
            }
            tables.append(pd.DataFrame(columns))
        return pd.concat(tables, ignore_index=True)


def forgetting(
    parameters: Mapping[str, Tensor], split: Split, units: pd.DataFrame, rule: Rule
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """``units`` with column forgotten_balanced_accuracy, when one unit at a time forgets; and the
    clips it was measured on with the balanced accuracy of the whole network there.

    As many clips, evenly spread, as a fixed amount of work allows.
    """
    width = int(units["unit"].max()) + 1
    affordable = _WORK // (split.frames * width * len(units))
    step = max(1, -(-len(split) // max(1, affordable)))
    inputs, labels = split.batch(torch.arange(0, len(split), step))
    classes = int(parameters["readout.bias"].shape[-1])

    def score(networks: Mapping[str, Tensor]) -> Tensor:
        return balanced_accuracy(decide(evaluate(networks, inputs).logits, rule), labels, classes)

    scores: list[float] = []
    at_once = max(1, _AT_ONCE // (len(labels) * split.frames * width))
    for layer in range(int(units["layer"].max()) + 1):
        stacked = cells.forgetful(parameters, layer)
        for first in range(0, width, at_once):
            some = {name: value[first : first + at_once] for name, value in stacked.items()}
            scores += score(some).tolist()
    facts = {"clips": len(labels), "balanced_accuracy": float(score(parameters))}
    return units.assign(forgotten_balanced_accuracy=scores), facts
