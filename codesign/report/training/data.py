"""What the training page reads beside the tables of the report."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from codesign.analysis.intervals import mean_proportion
from codesign.checkpoint import CHIP_CELL
from codesign.errors import InputError
from codesign.report.rundata import RunData
from codesign.report.style import is_number
from codesign.rules import parse_rule
from codesign.training.evidence import Evidence, find_evidence

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """A balanced accuracy with what it is made of: right decisions and clips of every class."""

    right: tuple[int, ...]
    clips: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.clips)

    @property
    def value(self) -> float:
        """Mean recall over the classes that occur; NaN when none does."""
        recalls = [r / n for r, n in zip(self.right, self.clips, strict=True) if n]
        return float(np.mean(recalls)) if recalls else float("nan")

    @property
    def interval(self) -> list[float]:
        """95 %, [low, high]; NaN when no class occurs."""
        return mean_proportion(self.right, self.clips) or [float("nan"), float("nan")]


@dataclass(frozen=True)
class Learned:
    """A trained run as the page sees it; ``evidence`` and ``weights`` are None or empty for a
    run that holds no test clips or no weights."""

    data: RunData
    evidence: Evidence | None
    weights: dict[str, Floats]

    @property
    def metrics(self) -> dict[str, Any]:
        return self.data.metrics

    @property
    def rule(self) -> str:
        """The deployed decision rule."""
        return str(self.metrics.get("decision", ""))

    @property
    def on_chip(self) -> bool:
        """Whether the network is one of the chip, not a baseline free of its limits."""
        return str(self.metrics.get("cell", CHIP_CELL)) == CHIP_CELL

    @property
    def judged(self) -> str:
        """What decisions are counted over."""
        per_frame = self.evidence is not None and bool(self.evidence.facts["per_frame"])
        return "test frames" if per_frame else "test clips"

    @property
    def has_control(self) -> bool:
        """Whether the decisions of the memoryless control are known clip by clip."""
        return self.evidence is not None and "control_decision" in self.evidence.clips.columns

    def score(self, model: str = "network", rule: str | None = None) -> Score | None:
        """The score of "network" or "memoryless" by a rule (default: the deployed one)."""
        if self.evidence is None:
            return self._confusion_score() if (model, rule) == ("network", None) else None
        rows = self.evidence.rules
        rows = rows[(rows["model"] == model) & (rows["rule"] == (rule or self.rule))]
        if rows.empty:
            return None
        rows = rows.sort_values("class_index")
        return Score(tuple(map(int, rows["right"])), tuple(map(int, rows["clips"])))

    def _confusion_score(self) -> Score | None:
        table = self.metrics.get("confusion")
        if not table:
            return None
        right = tuple(int(row[k]) for k, row in enumerate(table))
        return Score(right, tuple(int(sum(row)) for row in table))

    @property
    def thresholds(self) -> pd.DataFrame | None:
        """One row per unit of a cell with thresholds; None for other cells."""
        return None if self.evidence is None or self.evidence.units.empty else self.evidence.units

    @property
    def test_scores(self) -> list[float]:
        """Balanced test accuracy of every start."""
        found = [start.get("test_balanced_accuracy") for start in self.metrics.get("starts") or ()]
        return [float(value) for value in found if is_number(value)]


def load_learned(data: RunData) -> Learned | None:
    """None for a model that was not trained here. Raises InputError for damaged files."""
    if not data.metrics:
        return None
    path = data.run.weights_file
    weights: dict[str, Floats] = {}
    if path.is_file():
        try:
            found = load_file(path)
        except (OSError, SafetensorError, ValueError) as error:
            raise InputError(f"{path} cannot be read ({error}); train the run again.") from error
        weights = {name: np.asarray(value, np.float64) for name, value in found.items()}
    return Learned(data, find_evidence(data.run), weights)


def rule_words(rule: str) -> str:
    """A decision rule as it stands in a sentence: ``last_k:10`` is "the last 10 frames"."""
    try:
        parsed = parse_rule(rule)
    except ValueError:  # a rule of another version
        return rule.replace("_", " ")
    words = {
        "last_frame": "the last frame",
        "mean_logit": "the mean logit",
        "last_k": f"the last {parsed.frames} frames",
        "majority": "majority of frames",
        "latch": f"a latch at {parsed.threshold_units:g} units",
        "every_frame": "every frame",
    }
    return words[parsed.name]


def unit_name(layer: int, unit: int) -> str:
    """How the page names a unit: layer.unit."""
    return f"{layer}.{unit}"
