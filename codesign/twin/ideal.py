"""The ideal software twin: exactly the equations, in double precision, for one clip or many."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.decision import decide, decision_margin
from codesign.network import evaluate
from codesign.rules import Rule

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TwinTrace:
    """What the network does with one clip, in units.

    candidates, states: (layers, units, frames); logits: (frames, classes); ``margin_units`` is
    the lead of the winning class under the decision rule.
    """

    candidates: Array
    states: Array
    logits: Array
    decision: int
    margin_units: float


def ideal_twin(parameters: Mapping[str, Array], inputs: Array, rule: Rule) -> list[TwinTrace]:
    """Evaluate clips ``inputs`` (clips, frames, channels) in units."""
    tensors = {key: torch.from_numpy(np.asarray(value)) for key, value in parameters.items()}
    with torch.no_grad():
        trace = evaluate(tensors, torch.from_numpy(np.asarray(inputs, dtype=np.float64)))
        decisions = decide(trace.logits, rule)
        margins = decision_margin(trace.logits, rule)
    candidates = torch.stack(trace.candidates, dim=1).transpose(-1, -2).numpy()
    states = torch.stack(trace.states, dim=1).transpose(-1, -2).numpy()
    logits = trace.logits.numpy()
    return [
        TwinTrace(candidates[k], states[k], logits[k], int(decisions[k]), float(margins[k]))
        for k in range(len(inputs))
    ]
