"""What the objective reads of one evaluation, by the compiled pass where it serves."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from codesign.cells import Cell
from codesign.flows import TrainingSection
from codesign.network import Trace, evaluate
from codesign.training import fused


@dataclass(frozen=True)
class MeanCurrents:
    """Means over clips and frames, units: of x before each layer and after the last
    [*S, layers + 1, d], and of the states [*S, layers, state width]."""

    layer_inputs: Tensor
    states: Tensor

    @classmethod
    def of(cls, trace: Trace) -> "MeanCurrents":
        """The means of a trace."""
        nodes = [trace.projection, *trace.outputs]
        return cls(
            torch.stack([x.mean((-3, -2)) for x in nodes], -2),
            torch.stack([x.mean((-3, -2)) for x in trace.states], -2),
        )


@dataclass(frozen=True)
class Reading:
    """logits [*S, B, T, K]; the mean currents; intrusion [*S]: ``threshold_penalty`` at the margin
    of the settings. The last two are None where the objective has no weight for them."""

    logits: Tensor
    currents: MeanCurrents | None = None
    intrusion: Tensor | None = None


def read_network(
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    cell: Cell,
    settings: TrainingSection,
    leak: float = 0.0,
    stray: Tensor | None = None,
) -> Reading:
    """Evaluate networks on inputs [B, T, n_in], units; arguments as in ``network.evaluate``."""
    sharpness = settings.surrogate_sharpness  # of gradients alone: no value depends on it
    if fused.serves(parameters, inputs, cell):
        margin = settings.margin_units if settings.margin_weight else 0.0
        found = fused.one_pass(parameters, inputs, cell, leak, sharpness, stray, margin)
        return Reading(
            found.logits, MeanCurrents(found.layer_inputs, found.states), found.intrusion
        )
    trace = evaluate(parameters, inputs, cell, leak, sharpness, stray)
    return reading_of(trace, parameters, settings)


def reading_of(
    trace: Trace, parameters: Mapping[str, Tensor], settings: TrainingSection
) -> Reading:
    """The reading of a trace."""
    return Reading(
        trace.logits,
        MeanCurrents.of(trace) if settings.current_weight else None,
        threshold_penalty(trace, parameters, settings.margin_units)
        if settings.margin_weight
        else None,
    )


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


def mirrored_current(currents: MeanCurrents, parameters: Mapping[str, Tensor]) -> Tensor:
    """Mean current copied by all mirrors, units: [*S].

    The sum over |w| x of every weight, |b| of every bias, and the thresholds of the cells, whose
    bias currents flow all the time.
    """

    def copied(mean: Tensor, name: str) -> Tensor:
        per_line = parameters[f"{name}.weight"].abs().sum(-2)
        fixed = parameters[f"{name}.bias"].abs().sum(-1)
        return (mean * per_line).sum(-1) + fixed

    total = parameters["projection.bias"].abs().sum(-1)
    for layer in range(currents.states.shape[-2]):
        total = total + copied(currents.layer_inputs[..., layer, :], f"layers.{layer}.candidate")
        total = total + copied(currents.states[..., layer, :], f"layers.{layer}.output")
        for key in ("beta_hi", "width"):
            total = total + parameters[f"layers.{layer}.cell.{key}"].sum(-1)
    return total + copied(currents.layer_inputs[..., -1, :], "readout")
