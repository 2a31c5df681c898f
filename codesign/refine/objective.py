"""What refinement minimises: the decision the circuit takes, and its distance from the equations.

The ideal twin says what the network means, the sub-stepped twin what its circuit does.
Cross-entropy and margins are those of the equations with the circuit's own candidates: what the two
twins differ by is added to every candidate as a constant, so the gradient is training's, at the
point where the circuit works. The difference itself (settling, mostly) has a price, with a gradient
through every line of the sub-stepped twin: lines that settle late lose their part in decisions.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from codesign.decision import decide, decision_logits
from codesign.flows import Flow
from codesign.network import Trace, evaluate
from codesign.tasks.base import Split
from codesign.training.objective import mirrored_current, threshold_penalty
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
    twin: TwinModel,
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    labels: Tensor,
    flow: Flow,
    margin_units: float,
) -> Tensor:
    """The objective of a batch, inputs [B, T, channels] in units; a scalar that has a gradient."""
    # Without a price on their distance nothing needs the gradient of the sub-stepped twin, which
    # is most of the time of a step.
    with torch.set_grad_enabled(flow.refine.agreement_weight > 0):
        ideal, circuit = _both(twin, parameters, inputs, flow)
    return _total(parameters, inputs, ideal, circuit, labels, flow, margin_units)


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
            labels = split.labels[part]
            ideal, circuit = _both(twin, parameters, split.inputs[part], flow)
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
            distance += float(_distance(ideal, circuit)) * share
            inputs = split.inputs[part]
            total += share * float(
                _total(parameters, inputs, ideal, circuit, labels, flow, margin_units or 0.0)
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
    twin: TwinModel, parameters: Mapping[str, Tensor], inputs: Tensor, flow: Flow
) -> tuple[Trace, Walked]:
    sharpness = flow.training.surrogate_sharpness
    ideal = evaluate(parameters, inputs, sharpness=sharpness)
    return ideal, twin.evaluate(parameters, inputs, sharpness=sharpness)


def _total(
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    ideal: Trace,
    circuit: Walked,
    labels: Tensor,
    flow: Flow,
    margin_units: float,
) -> Tensor:
    training = flow.training
    pairs = zip(ideal.candidates, circuit.candidates, strict=True)
    offsets = [(seen - c).detach() for c, seen in pairs]
    trace = evaluate(parameters, inputs, sharpness=training.surrogate_sharpness, offsets=offsets)
    total = F.cross_entropy(decision_logits(trace.logits, training.decision), labels)
    if flow.refine.margin_weight and margin_units:
        total = total + flow.refine.margin_weight * threshold_penalty(
            trace, parameters, margin_units
        )
    if flow.refine.agreement_weight:
        total = total + flow.refine.agreement_weight * _distance(ideal, circuit)
    if training.current_weight:
        total = total + training.current_weight * mirrored_current(trace, parameters)
    return total


def _distance(ideal: Trace, circuit: Walked) -> Tensor:
    """Mean distance of the twins' candidates, units, averaged over layers."""
    pairs = zip(ideal.candidates, circuit.candidates, strict=True)
    return torch.stack([(c - seen).abs().mean() for c, seen in pairs]).mean()
