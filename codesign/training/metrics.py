"""Which start is kept, and what metrics.json says about it."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from codesign.errors import InputError
from codesign.flows import Flow
from codesign.tasks.base import TaskData
from codesign.training.choice import Kind, cell_of, settings_of
from codesign.training.group import GroupSpec, GroupState
from codesign.training.packing import Packing
from codesign.training.scores import (
    balanced_accuracy,
    confusion,
    margins,
    predictions_of,
    split_scores,
)

SELECTION = {
    "validation": "validation balanced accuracy at eps = 0 and on the grid, then objective",
    "one_standard_error": "training balanced accuracy among the starts within one standard error "
    "of the best on validation, at eps = 0 and on the grid",
}


def _drawn(draws: int) -> str:
    return f"; validation is the mean over {draws} drawn chips" if draws else ""


@dataclass(frozen=True)
class Start:
    """The checkpoint of one start: where it was chosen and how it scored on validation."""

    kind: Kind
    number: int
    seed: int
    step: int
    accuracy: float
    objective: float
    row: Tensor


@dataclass(frozen=True)
class Chosen:
    """All starts of a kind, and which of them is kept."""

    starts: tuple[Start, ...]
    index: int

    @property
    def row(self) -> Tensor:
        """Deployed parameters [P] of the start that is kept."""
        return self.starts[self.index].row


def choose(groups: list[tuple[GroupSpec, GroupState]]) -> Chosen:
    """The best start by balanced accuracy on validation, then by the objective there.

    Raises InputError when no start has a checkpoint, because all diverged.
    """
    starts = [
        Start(
            kind=spec.kind,
            number=number,
            seed=next(row["seed"] for row in state.history if row["start"] == number),
            step=int(state.best_step[index]),
            accuracy=float(state.best_accuracy[index]),
            objective=float(state.best_objective[index]),
            row=state.best_rows[index],
        )
        for spec, state in groups
        for index, number in enumerate(spec.starts)
    ]
    index = min(range(len(starts)), key=lambda i: (-starts[i].accuracy, starts[i].objective))
    if not math.isfinite(starts[index].objective):
        raise InputError(
            "Training diverged in every start (the loss is not a number); lower "
            "training.learning_rate."
        )
    return Chosen(tuple(starts), index)


def metrics_of(
    flow: Flow, data: TaskData, packing: Packing, chosen: dict[Kind, Chosen]
) -> dict[str, Any]:
    """The content of metrics.json, JSON-able; scores by the deployed decision and values.

    The control and the margins at thresholds are those of networks of the chip.
    """
    settings, classes, cell = settings_of(flow), len(data.class_names), cell_of(flow)
    network = packing.unpack(chosen["network"].row.cpu())
    test_predictions = predictions_of(network, data.test, settings.decision, cell)
    control = chosen.get("memoryless")
    return {
        "cell": cell.name,
        "splits": {
            name: split_scores(network, split, classes, settings, cell)
            for name, split in data.splits().items()
        },
        **({"memoryless": _control(flow, data, packing, control)} if control else {}),
        "starts": _starts(flow, data, packing, chosen["network"]),
        "selection": SELECTION[settings.selection] + _drawn(settings.selection_draws),
        "parameters": {
            "total": sum(packing.sizes),
            **dict(zip(packing.names, packing.sizes, strict=True)),
        },
        "confusion": confusion(test_predictions, data.test.labels, classes),
        "decision": str(settings.decision),
        "class_names": list(data.class_names),
        **(
            {"margin": margins(network, data.test, settings.decision, cell)}
            if cell.first_quadrant
            else {}
        ),
        "task": {"description": data.description, "notes": data.notes},
    }


def _control(flow: Flow, data: TaskData, packing: Packing, chosen: Chosen) -> dict[str, Any]:
    parameters = packing.unpack(chosen.row.cpu())
    cell, classes = cell_of(flow, "memoryless"), len(data.class_names)
    scores = {
        name: split_scores(parameters, split, classes, flow.training, cell)
        for name, split in data.splits().items()
    }
    return {**scores, "starts": len(chosen.starts), "steps_per_start": flow.training.steps}


def _starts(flow: Flow, data: TaskData, packing: Packing, chosen: Chosen) -> list[dict[str, Any]]:
    rows = torch.stack([start.row.cpu() for start in chosen.starts])
    predictions = predictions_of(
        packing.unpack(rows), data.test, flow.training.decision, cell_of(flow)
    )
    test = balanced_accuracy(predictions, data.test.labels, len(data.class_names))
    return [
        {
            "start": start.number,
            "seed": start.seed,
            "step": start.step,
            "validation_balanced_accuracy": start.accuracy if start.step >= 0 else None,
            "validation_objective": start.objective if start.step >= 0 else None,
            "test_balanced_accuracy": float(test[index]) if start.step >= 0 else None,
            "selected": index == chosen.index,
        }
        for index, start in enumerate(chosen.starts)
    ]
