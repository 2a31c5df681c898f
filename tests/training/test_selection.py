"""The one-standard-error rule: equals on validation are told apart on the training clips."""

import math

import pytest
import torch
from torch import Tensor

from codesign.flows import Flow, parse_flow
from codesign.network import FirstQuadrantNetwork
from codesign.tasks.base import Split, TaskData
from codesign.training.metrics import Chosen, Start
from codesign.training.packing import packing_of
from codesign.training.selection import select, standard_error

SHAPE = (1, 1, 1, 2)
PACKING = packing_of(FirstQuadrantNetwork(*SHAPE))


def row(threshold: float) -> Tensor:
    """A network that says class 1 when its input is above ``threshold``."""
    named = {n: torch.zeros_like(p) for n, p in FirstQuadrantNetwork(*SHAPE).named_parameters()}
    named["projection.weight"] = torch.ones(1, 1)
    named["layers.0.cell.beta_hi"], named["layers.0.cell.width"] = torch.ones(1), torch.ones(1) / 2
    named["readout.weight"] = torch.tensor([[0.0], [1.0]])
    named["readout.bias"] = torch.tensor([threshold, 0.0])
    return PACKING.pack(named)


def split(inputs: list[float], labels: list[int]) -> Split:
    ids = tuple(str(n) for n in range(len(labels)))
    return Split(torch.tensor(inputs).view(-1, 1, 1), torch.tensor(labels), ids)


TRAIN = split([0.1, 0.3, 0.5, 0.7], [0, 0, 1, 1])
VALIDATION = split([0.2, 0.6] * 10, [0, 1] * 10)
DATA = TaskData(TRAIN, VALIDATION, VALIDATION, ("a", "b"), "thresholds")


def starts(*accuracies: float, thresholds: tuple[float, ...]) -> Chosen:
    made = tuple(
        Start("network", n, n, 10, accuracy, 0.0, row(threshold))
        for n, (accuracy, threshold) in enumerate(zip(accuracies, thresholds, strict=True))
    )
    return Chosen(made, max(range(len(made)), key=lambda n: made[n].accuracy))


def flow(selection: str) -> Flow:
    return parse_flow({"training": {"selection": selection}}, "test")


def test_validation_alone_by_default() -> None:
    best = starts(0.90, 0.88, thresholds=(0.2, 0.4))
    assert Flow().training.selection == "validation"
    assert select(best, Flow(), DATA, PACKING).index == 0


def test_training_decides_between_equals() -> None:
    best = starts(0.90, 0.88, thresholds=(0.2, 0.4))  # 0.4 splits the training clips perfectly
    assert select(best, flow("one_standard_error"), DATA, PACKING).index == 1


def test_a_start_clearly_worse_on_validation_is_out() -> None:
    best = starts(0.90, 0.80, thresholds=(0.2, 0.4))
    assert select(best, flow("one_standard_error"), DATA, PACKING).index == 0


def test_a_start_that_diverged_is_out() -> None:
    best = starts(0.90, -1.0, thresholds=(0.2, 0.4))
    assert select(best, flow("one_standard_error"), DATA, PACKING).index == 0


def test_the_standard_error_of_a_balanced_accuracy() -> None:
    labels = torch.tensor([0] * 100 + [1] * 25)
    expected = math.sqrt(0.9 * 0.1 / 100 + 0.9 * 0.1 / 25) / 2
    assert standard_error(0.9, labels) == pytest.approx(expected)
    assert standard_error(1.0, labels) == 0
