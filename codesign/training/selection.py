"""Keeping a start when validation is too small to rank them.

With few validation clips the best of many starts is mostly the luckiest: of eight d = 4 keyword
networks judged on 38 clips of the word, validation correlated 0.48 with the test split and the
training clips 0.85. The one-standard-error rule (Breiman et al., 1984, section 3.4.3) treats
starts that validation cannot tell from its best as equals; among those the training clips,
of which there are many, decide. A start that overfits fails on validation first.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from codesign.flows import Flow
from codesign.tasks.base import NOT_SCORED, TaskData
from codesign.training.choice import cell_of
from codesign.training.metrics import Chosen
from codesign.training.packing import Packing
from codesign.training.scores import balanced_accuracy, predictions_of


def standard_error(accuracy: float, labels: Tensor) -> float:
    """Of a balanced accuracy over labels [N]: each class adds its binomial variance / classes^2."""
    counts = torch.bincount(labels[labels != NOT_SCORED]).double()
    counts = counts[counts > 0]
    variance = accuracy * (1 - accuracy) * float((1 / counts).sum())
    return math.sqrt(variance) / len(counts)


def select(best: Chosen, flow: Flow, data: TaskData, packing: Packing) -> Chosen:
    """The start to keep by ``training.selection``, given the best on validation."""
    if flow.training.selection == "validation":
        return best
    top = best.starts[best.index]
    bound = top.accuracy - standard_error(top.accuracy, data.validation.labels)
    equals = [index for index, start in enumerate(best.starts) if start.accuracy >= bound]
    rows = torch.stack([best.starts[index].row.cpu() for index in equals])
    predictions = predictions_of(
        packing.unpack(rows), data.train, flow.training.decision, cell_of(flow, top.kind)
    )
    scores = balanced_accuracy(predictions, data.train.labels, len(data.class_names))
    return replace(best, index=equals[int(scores.argmax())])
