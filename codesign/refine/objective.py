"""What refinement minimises: the objective of training, with the candidates the circuit has.

The ideal twin says what the network means, the sub-stepped twin what its circuit does. What the
candidates of the two differ by (settling, mostly) is found clip by clip and frame by frame, and
added to the equations as a constant until it is found again some steps later: the gradient is
training's, which is cheap and well behaved, at the point where the circuit works.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from codesign.decision import decide, decision_loss
from codesign.flows import Flow
from codesign.network import Trace, evaluate
from codesign.tasks.base import Split
from codesign.training.reading import MeanCurrents, mirrored_current, threshold_penalty
from codesign.training.scores import balanced_accuracy
from codesign.twin.twins import TwinModel
from codesign.twin.walk import Walked

_CLIPS_AT_ONCE = 64  # a clip of the sub-stepped twin has some thirty values per frame and node


@dataclass(frozen=True)
class Score:
    """How circuit and equations do on a split.

    ``accuracy`` is balanced, of the circuit's decisions; ``states_differing`` of ``states`` (unit,
    frame) pairs on which the two twins disagree, ``changes_differing`` of the ``changes`` of the
    ideal twin's state; ``candidate_error_units`` is the mean distance of the twins' candidates and
    ``candidate_spread_units`` its rms where the states of the layers below agree.
    """

    accuracy: float
    accuracy_ideal: float
    decisions_differing: int
    clips: int
    states_differing: int
    states: int
    changes_differing: int
    changes: int
    candidate_error_units: float
    candidate_spread_units: float
    objective: float


def objective(
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    offsets: Sequence[Tensor],
    labels: Tensor,
    flow: Flow,
    margin_units: float,
) -> Tensor:
    """The objective of a batch, a scalar that has a gradient.

    inputs [B, T, channels] and offsets (of ``offsets_of``), one [B, T, d] per layer, in units.
    """
    training = flow.training
    sharpness = training.surrogate_sharpness
    trace = evaluate(parameters, inputs, sharpness=sharpness, offsets=offsets)
    total = decision_loss(trace.logits, labels, training.decision)
    if flow.refine.margin_weight and margin_units:
        total = total + flow.refine.margin_weight * threshold_penalty(
            trace, parameters, margin_units
        )
    if training.current_weight:
        total = total + training.current_weight * mirrored_current(
            MeanCurrents.of(trace), parameters
        )
    return total


def offsets_of(twin: TwinModel, parameters: Mapping[str, Tensor], inputs: Tensor) -> list[Tensor]:
    """What the circuit adds to the candidates of every layer, one [N, T, d] each, units."""
    with torch.no_grad():
        parts = [
            _apart(*_both(twin, parameters, inputs[first : first + _CLIPS_AT_ONCE]))
            for first in range(0, len(inputs), _CLIPS_AT_ONCE)
        ]
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]


def score(
    twin: TwinModel,
    parameters: Mapping[str, Tensor],
    split: Split,
    classes: int,
    flow: Flow,
    margin_units: float | None = None,
) -> Score:
    """Circuit and equations side by side on a whole split; ``margin_units`` None leaves the
    objective without its margin."""
    rule = flow.training.decision
    decided, meant = [], []
    counts = dict.fromkeys(("states", "wrong", "changes", "missed"), 0)
    distance = total = squares = 0.0
    clean = 0
    with torch.no_grad():
        for first in range(0, len(split), _CLIPS_AT_ONCE):
            part = slice(first, first + _CLIPS_AT_ONCE)
            inputs, labels = split.batch(part)
            ideal, circuit = _both(twin, parameters, inputs)
            decided.append(decide(circuit.logits, rule))
            meant.append(decide(ideal.logits, rule))
            agreeing = torch.ones(1, dtype=torch.bool)
            for layer, (state, real) in enumerate(zip(ideal.states, circuit.states, strict=True)):
                apart = (circuit.candidates[layer] - ideal.candidates[layer]).square().sum(-1)
                squares += float((apart * agreeing).sum())
                clean += int(agreeing.expand_as(apart).sum()) * state.shape[-1]
                half = parameters[f"layers.{layer}.cell.alpha"] / 2
                on, seen = state > half, real > half
                changed = on != torch.cat([torch.zeros_like(on[:, :1]), on[:, :-1]], dim=1)
                counts["states"] += on.numel()
                counts["wrong"] += int((on != seen).sum())
                counts["changes"] += int(changed.sum())
                counts["missed"] += int(((on != seen) & changed).sum())
                agreeing = agreeing & (on == seen).all(-1)
            share = len(labels) / len(split)
            offsets = _apart(ideal, circuit)
            distance += share * float(torch.stack([o.abs().mean() for o in offsets]).mean())
            total += share * float(
                objective(parameters, inputs, offsets, labels, flow, margin_units or 0.0)
            )
    decisions, ideals = torch.cat(decided), torch.cat(meant)
    return Score(
        accuracy=float(balanced_accuracy(decisions, split.labels, classes)),
        accuracy_ideal=float(balanced_accuracy(ideals, split.labels, classes)),
        decisions_differing=int((decisions != ideals).sum()),
        clips=len(split),
        states_differing=counts["wrong"],
        states=counts["states"],
        changes_differing=counts["missed"],
        changes=counts["changes"],
        candidate_error_units=distance,
        candidate_spread_units=math.sqrt(squares / clean),
        objective=total,
    )


def _both(
    twin: TwinModel, parameters: Mapping[str, Tensor], inputs: Tensor
) -> tuple[Trace, Walked]:
    return evaluate(parameters, inputs), twin.evaluate(parameters, inputs)


def _apart(ideal: Trace, circuit: Walked) -> list[Tensor]:
    pairs = zip(ideal.candidates, circuit.candidates, strict=True)
    return [seen - c for c, seen in pairs]
