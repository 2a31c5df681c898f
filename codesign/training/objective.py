"""What is minimised: cross-entropy of the deployed decision, plus what the circuit asks for."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from codesign.decision import decision_loss, lead_missing
from codesign.flows import TrainingSection
from codesign.network import Trace


def objective(
    trace: Trace,
    parameters: Mapping[str, Tensor],
    labels: Tensor,
    settings: TrainingSection,
    margin_strength: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """(objective, cross-entropy) per network [*S] for labels [B].

    The loss is that of the deployed decision (``decision_loss``). Added, each with its weight:
    candidates closer than margin_units to a threshold, right classes that lead by less than
    logit_margin_units, and the mirrored current (power, and error, grow with it).
    """
    entropy = decision_loss(trace.logits, labels, settings.decision)
    total = entropy
    if settings.margin_weight:
        total = total + margin_strength * settings.margin_weight * threshold_penalty(
            trace, parameters, settings.margin_units
        )
    if settings.logit_margin_weight:
        short = lead_missing(trace.logits, labels, settings.decision, settings.logit_margin_units)
        total = total + settings.logit_margin_weight * short
    if settings.current_weight:
        total = total + settings.current_weight * mirrored_current(trace, parameters)
    return total, entropy


def thresholds(parameters: Mapping[str, Tensor], layer: int) -> tuple[Tensor, Tensor]:
    """(beta_hi, beta_lo) of a layer, each [*S, d], units."""
    upper = parameters[f"layers.{layer}.cell.beta_hi"]
    return upper, upper - parameters[f"layers.{layer}.cell.width"]


def threshold_penalty(trace: Trace, parameters: Mapping[str, Tensor], margin: float) -> Tensor:
    """How far candidates intrude on the thresholds that decide: [*S], units, summed over layers.

    A cell that is off can only be set, and one that is on can only be cleared, so the mean over
    clips, frames and units is of relu(m - |c - beta_hi|) where the state before was off, and of
    relu(m - |c - beta_lo|) where it was on. (A state between the two, while eps > 0, counts in
    part for both.)
    """
    terms = []
    for layer, (candidate, state) in enumerate(zip(trace.candidates, trace.states, strict=True)):
        alpha = parameters[f"layers.{layer}.cell.alpha"][..., None, None, :]
        before = torch.cat([torch.zeros_like(state[..., :1, :]), state[..., :-1, :]], dim=-2)
        on = (before / alpha).detach().clamp(0, 1)
        for threshold, decides in zip(thresholds(parameters, layer), (1 - on, on), strict=True):
            distance = (candidate - threshold[..., None, None, :]).abs()
            terms.append((decides * F.relu(margin - distance)).mean((-3, -2, -1)))
    return torch.stack(terms).sum(0)


def mirrored_current(trace: Trace, parameters: Mapping[str, Tensor]) -> Tensor:
    """Mean current copied by all mirrors, units: [*S].

    The sum over |w| x of every weight, |b| of every bias, and the thresholds of the cells, whose
    bias currents flow all the time.
    """

    def copied(x: Tensor, name: str) -> Tensor:
        per_line = parameters[f"{name}.weight"].abs().sum(-2)
        fixed = parameters[f"{name}.bias"].abs().sum(-1)
        return (x.mean((-3, -2)) * per_line).sum(-1) + fixed

    before = [trace.projection, *trace.outputs[:-1]]
    total = parameters["projection.bias"].abs().sum(-1)
    for layer, (x, state) in enumerate(zip(before, trace.states, strict=True)):
        total = total + copied(x, f"layers.{layer}.candidate")
        total = total + copied(state, f"layers.{layer}.output")
        for key in ("beta_hi", "width"):
            total = total + parameters[f"layers.{layer}.cell.{key}"].sum(-1)
    return total + copied(trace.outputs[-1], "readout")
