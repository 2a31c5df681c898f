"""The study of one run: its stored test clips, decided by disturbed copies of its network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from codesign.checkpoint import Model, load_model
from codesign.decision import clip_axis, decide
from codesign.errors import InputError
from codesign.files import read_json
from codesign.network import evaluate
from codesign.robustness.disturb import DRAWN, Deviates, Kind, deviates, disturbed
from codesign.runs import Run
from codesign.tasks.base import Split
from codesign.testset import load_test_split
from codesign.training.scores import balanced_accuracy

# Signals of this many numbers (draws x units x frames x clips) at a time bound the memory.
_NUMBERS_AT_ONCE = 1 << 22

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Conditions:
    """What is tried: levels of parameter noise in percent (three sigma), of currents into the
    candidates in units, and how many draws of each that is drawn."""

    percent: tuple[float, ...] = (5.0, 10.0, 15.0)
    leak_units: tuple[float, ...] = (0.01, 0.02, 0.03, 0.05)
    draws: int = 200
    seed: int = 0

    def cases(self) -> list[tuple[Kind, float, int]]:
        """(kind, level, draws), the undisturbed network first."""
        cases: list[tuple[Kind, float, int]] = [("none", 0.0, 1)]
        cases += [("percent", level, self.draws) for level in self.percent]
        for kind in ("leak", "leak_uniform", "offset"):
            count = self.draws if kind in DRAWN else 1
            cases += [(kind, level, count) for level in self.leak_units]
        return cases


@dataclass(frozen=True)
class Subject:
    """A trained network and its test clips, with what tells it from others."""

    run: Run
    model: Model
    split: Split
    cell: str
    task: str
    seed: int

    @property
    def group(self) -> str:
        """Runs of one group differ in their seed alone, as far as the name says."""
        return f"{self.cell}, d = {self.model.state_dim}"


def load_subject(run: Run) -> Subject:
    """Raises InputError when the run has no trained model or no test clips."""
    model = load_model(run)
    metrics = read_json(run.metrics_file, "the metrics of a run")
    flow = run.flow()
    task = str(metrics.get("task", {}).get("description") or flow.task.name)
    return Subject(
        run,
        model,
        load_test_split(run),
        model.cell,
        f"{task}; {model.decision}",
        flow.seed,
    )


def study(subject: Subject, conditions: Conditions, progress: OnProgress) -> pd.DataFrame:
    """A row per case and draw: kind, level, draw, balanced_accuracy, accuracy (fractions of the
    test clips decided right, by the run's own rule).

    Raises InputError when the undisturbed network does not reach what its metrics say.
    """
    parameters = {k: v.detach() for k, v in subject.model.network.state_dict().items()}
    rows: list[dict[str, Any]] = []
    cases = conditions.cases()
    total = sum(count for _, _, count in cases)
    for kind, level, count in cases:
        for draws in _chunks(subject, count):
            given = deviates(parameters, subject.model.layers, conditions.seed, draws)
            balanced, plain = _scores(subject, parameters, kind, level, given)
            rows += [
                {
                    "kind": kind, "level": level, "draw": draw,
                    "balanced_accuracy": float(balanced[at]), "accuracy": float(plain[at]),
                }
                for at, draw in enumerate(draws)
            ]  # fmt: skip
            progress(len(rows), total)
    found = pd.DataFrame(rows)
    _check(subject, float(found["balanced_accuracy"].iloc[0]))
    return found


def _scores(
    subject: Subject, parameters: dict[str, Tensor], kind: Kind, level: float, given: Deviates
) -> tuple[Tensor, Tensor]:
    """(balanced accuracy, accuracy) of each draw, [draws]."""
    many, current = disturbed(parameters, kind, level, given)
    model, split = subject.model, subject.split
    decisions = []
    with torch.no_grad():
        for part in _parts(subject, len(given.uniform)):
            trace = evaluate(many, split.currents(part), model.network.recurrence, stray=current)
            decisions.append(decide(trace.logits, model.decision))
    predicted = torch.cat(decisions, clip_axis(model.decision))
    scored = split.labels >= 0
    right = (predicted == split.labels)[..., scored].double().mean(-1)
    return balanced_accuracy(predicted, split.labels, model.classes), right


def _clip_numbers(subject: Subject) -> int:
    return subject.split.frames * max(subject.model.state_dim, subject.split.n_inputs)


def _chunks(subject: Subject, count: int) -> Iterator[range]:
    size = max(1, _NUMBERS_AT_ONCE // (_clip_numbers(subject) * len(subject.split)))
    for first in range(0, count, size):
        yield range(first, min(first + size, count))


def _parts(subject: Subject, draws: int) -> Iterator[slice]:
    size = max(1, _NUMBERS_AT_ONCE // (_clip_numbers(subject) * draws))
    for first in range(0, len(subject.split), size):
        yield slice(first, first + size)


def _check(subject: Subject, clean: float) -> None:
    """The figures would mean nothing if the network were not the one that was trained."""
    metrics = read_json(subject.run.metrics_file, "the metrics of a run")
    stated = metrics["splits"]["test"]["balanced_accuracy"]
    # Sums of another order may move a tie; more than a few clips is another network.
    if abs(clean - stated) > 3 / len(subject.split):
        raise InputError(
            f"{subject.run.path}: the stored network reaches {clean:.4f} on the stored test clips, "
            f"and its metrics say {stated:.4f}; train it again with 'codesign train --force'."
        )
