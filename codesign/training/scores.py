"""Scores of networks on a split, and the margins a circuit depends on."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from codesign.cells import Cell
from codesign.decision import clip_axis, decide, decision_margin
from codesign.flows import TrainingSection
from codesign.network import FQ_BMRU, Trace, evaluate
from codesign.rules import Rule
from codesign.tasks.base import NOT_SCORED, Split
from codesign.training.objective import objective
from codesign.training.reading import MeanCurrents, mirrored_current, read_network, thresholds

_CLIPS_AT_ONCE, _FRAMES_AT_ONCE = 512, 1 << 16  # bound memory

NEAR_THRESHOLD_UNITS = 0.05
NEAR_TIE_UNITS = 0.1


def plain_accuracy(predictions: Tensor, labels: Tensor) -> Tensor:
    """Share of right decisions: predictions [*S, N], labels [N] -> float64 [*S].

    With labels per frame both end in [N, T], and frames that are NOT_SCORED do not count.
    """
    return (predictions == labels).to(torch.float64)[..., labels != NOT_SCORED].mean(-1)


def balanced_accuracy(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean recall over the classes that occur: predictions [*S, N], labels [N] -> [*S].

    With labels per frame both end in [N, T], and frames that are NOT_SCORED do not count.
    """
    right = (predictions == labels).to(torch.float64)
    recalls = [
        right[..., labels == k].mean(-1) for k in range(classes) if bool((labels == k).any())
    ]
    return torch.stack(recalls).mean(0)


def confusion(predictions: Tensor, labels: Tensor, classes: int) -> list[list[int]]:
    """Counts by (true class, predicted class) for predictions [N] or [N, T], like labels."""
    scored = labels != NOT_SCORED
    pairs = labels[scored] * classes + predictions[scored]
    counts = torch.bincount(pairs, minlength=classes * classes)
    table: list[list[int]] = counts.view(classes, classes).tolist()
    return table


def validate(
    parameters: Mapping[str, Tensor], split: Split, cell: Cell, settings: TrainingSection
) -> tuple[Tensor, Tensor, Tensor]:
    """(predictions [*S, N], objective [*S], cross-entropy [*S]) at eps = 0, no draws."""
    predictions, totals, entropies = [], [], []
    with torch.no_grad():
        for part in _parts(split):
            inputs, labels = split.batch(part)
            reading = read_network(parameters, inputs, cell, settings)
            total, entropy = objective(reading, parameters, labels, settings)
            predictions.append(decide(reading.logits, settings.decision))
            totals.append(total * (len(labels) / len(split)))
            entropies.append(entropy * (len(labels) / len(split)))
    decided = torch.cat(predictions, clip_axis(settings.decision))
    return decided, torch.stack(totals).sum(0), torch.stack(entropies).sum(0)


def split_scores(
    parameters: Mapping[str, Tensor],
    split: Split,
    classes: int,
    settings: TrainingSection,
    cell: Cell = FQ_BMRU,
) -> dict[str, Any]:
    """accuracy, balanced_accuracy, loss (cross-entropy of the decision), count; one network.

    With labels per frame also bits_per_frame, the usual metric of text: the loss over ln 2.
    """
    predictions, _, entropy = validate(parameters, split, cell, settings)
    return {
        "accuracy": float(plain_accuracy(predictions, split.labels)),
        "balanced_accuracy": float(balanced_accuracy(predictions, split.labels, classes)),
        "loss": float(entropy),
        **({"bits_per_frame": float(entropy) / math.log(2)} if split.per_frame else {}),
        "count": len(split),
    }


def margins(
    parameters: Mapping[str, Tensor], split: Split, decision: Rule, cell: Cell = FQ_BMRU
) -> dict[str, float]:
    """How much room a circuit has to err on a split, for one network (units in the names).

    fraction_within_0.05_units: candidates that close to one of the cell's two thresholds.
    near_tie_fraction: clips whose two best logits differ by less than 0.1 units.
    changed_fraction: (unit, frame) pairs whose state differs from the previous frame's.
    """
    near = count = changed = pairs = 0
    leads, peaks, logit_peak, current = [], [0.0], 0.0, 0.0
    with torch.no_grad():
        for part in _parts(split):
            trace = evaluate(parameters, split.currents(part), cell)
            for layer, candidate in enumerate(trace.candidates):
                distance = torch.stack(
                    [(candidate - t).abs() for t in thresholds(parameters, layer)]
                ).amin(0)
                near += int((distance < NEAR_THRESHOLD_UNITS).sum())
                count += distance.numel()
                changed += _changes(trace.states[layer])
                pairs += distance.numel()
            peaks += [float(node.max()) for node in _nodes(trace)]
            logit_peak = max(logit_peak, float(trace.logits.abs().max()))
            leads.append(decision_margin(trace.logits, decision))
            current += (
                float(mirrored_current(MeanCurrents.of(trace), parameters))
                * len(trace.logits)
                / len(split)
            )
    lead = torch.cat(leads).double()
    return {
        "fraction_within_0.05_units": near / count,
        "near_tie_fraction": float((lead < NEAR_TIE_UNITS).double().mean()),
        "logit_lead_median_units": float(lead.quantile(0.5)),
        "logit_lead_5th_percentile_units": float(lead.quantile(0.05)),
        "max_node_current_units": max(peaks),
        "max_logit_units": logit_peak,
        "mean_mirrored_current_units": current,
        "changed_fraction": changed / pairs,
    }


def predictions_of(
    parameters: Mapping[str, Tensor], split: Split, decision: Rule, cell: Cell = FQ_BMRU
) -> Tensor:
    """Deployed decisions [*S, N], [*S, N, T] under every_frame."""
    with torch.no_grad():
        parts = [
            decide(evaluate(parameters, split.currents(part), cell).logits, decision)
            for part in _parts(split)
        ]
    return torch.cat(parts, clip_axis(decision))


def _nodes(trace: Trace) -> list[Tensor]:
    return [trace.projection, *trace.candidates, *trace.states, *trace.outputs]


def _changes(states: Tensor) -> int:
    before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], dim=1)
    return int((states != before).sum())


def _parts(split: Split) -> list[slice]:
    size = max(1, min(_CLIPS_AT_ONCE, _FRAMES_AT_ONCE // split.frames))
    return [slice(first, first + size) for first in range(0, len(split), size)]
