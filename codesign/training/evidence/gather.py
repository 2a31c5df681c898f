"""One pass over a split: everything the training page shows of a network's behaviour."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from codesign.cells import cell_named
from codesign.checkpoint import CHIP_CELL, Model
from codesign.decision import class_margin, compared, decide, decision_margin
from codesign.network import Trace, evaluate
from codesign.rules import Rule
from codesign.tasks.base import NOT_SCORED, Split
from codesign.training.evidence.cells import REACH_UNITS
from codesign.training.evidence.clips import MAX_FRAMES, Raster, choose_clips, clips_that_fit
from codesign.training.evidence.rules import rules_to_compare
from codesign.training.evidence.units import ChipSums, forgetting

SCHEMA = 2
MAX_ROWS = 20_000  # rows of clips.parquet
_VALUES_AT_ONCE = 4_000_000  # of one node: bounds memory


@dataclass(frozen=True)
class Networks:
    """The kept network, and the parameters of the control without memory if there is one."""

    model: Model
    control: Mapping[str, Tensor] | None = None

    @property
    def network(self) -> dict[str, Tensor]:
        """The network's parameters by name."""
        return {key: value.detach() for key, value in self.model.network.state_dict().items()}

    def traces(self, inputs: Tensor) -> dict[str, Trace]:
        """Every node of "network", and of "memoryless" where there is one."""
        found = {"network": evaluate(self.network, inputs, self.model.network.recurrence)}
        if self.control is not None:
            found["memoryless"] = evaluate(self.control, inputs, cell_named("memoryless"))
        return found


@dataclass(frozen=True)
class Evidence:
    """Measurements on the test split; docs/report.md lists columns and keys.

    facts: what evidence.json holds. rules: right decisions by rule, model and class. clips: one
    row per clip, or per scored frame where frames have labels. units: one row per unit, and
    distances: candidates by distance from the threshold that decides; both empty for cells
    without thresholds. rasters: the clips that are drawn.
    """

    facts: dict[str, Any]
    rules: pd.DataFrame
    clips: pd.DataFrame
    units: pd.DataFrame
    distances: pd.DataFrame
    rasters: tuple[Raster, ...]


def evidence_of(networks: Networks, split: Split) -> Evidence:
    """Evaluate the network and its control on ``split``, by the deployed equations."""
    model = networks.model
    rules = rules_to_compare(model.decision, split.frames)
    sums = ChipSums(networks.network) if model.cell == CHIP_CELL else None
    right: dict[tuple[str, str], Any] = {}
    counts: Any = 0
    tables = []
    with torch.no_grad():
        for part in _parts(split, model):
            inputs, labels = split.batch(part)
            traces = networks.traces(inputs)
            counts = counts + _by_class(labels, torch.ones_like(labels), model.classes)
            for name, trace in traces.items():
                for rule in rules:
                    hits = decide(trace.logits, rule) == labels
                    key = (str(rule), name)
                    right[key] = right.get(key, 0) + _by_class(labels, hits, model.classes)
            if sums is not None:
                sums.add(traces["network"])
            tables.append(_clip_table(traces, labels, model.decision, part.start))
        clips = pd.concat(tables, ignore_index=True)
        rasters, left_out = _rasters(networks, split, clips)
        units, forgot = (
            (pd.DataFrame(), None)
            if sums is None
            else forgetting(networks.network, split, sums.unit_table(), model.decision)
        )
    facts = {
        "schema": SCHEMA,
        "split": "test",
        "cell": model.cell,
        "clips": len(split),
        "frames": split.frames,
        "per_frame": split.per_frame,
        "decision": str(model.decision),
        "distance_reach_units": REACH_UNITS,
        "mirrored_current_units": None if sums is None else sums.mirrored_units(),
        "forgetting": forgot,
        "raster_clips_left_out": left_out,
    }
    kept = clips.iloc[:: -(-len(clips) // MAX_ROWS)].reset_index(drop=True)
    distances = pd.DataFrame() if sums is None else sums.distance_table()
    return Evidence(facts, _rule_table(right, counts), kept, units, distances, rasters)


def _rule_table(right: Mapping[tuple[str, str], Any], counts: Any) -> pd.DataFrame:
    """rule, model, class_index, clips, right."""
    rows = [
        (rule, model, k, int(counts[k]), int(hits[k]))
        for (rule, model), hits in right.items()
        for k in range(len(counts))
    ]
    return pd.DataFrame(rows, columns=["rule", "model", "class_index", "clips", "right"])


def _clip_table(
    traces: Mapping[str, Trace], labels: Tensor, rule: Rule, first: int
) -> pd.DataFrame:
    """Per clip or scored frame: label, decisions, margins of the decision and of the right class
    in units."""
    logits = traces["network"].logits
    clip = torch.arange(first, first + len(labels))
    columns = {
        "clip": clip if labels.ndim == 1 else clip[:, None].expand(labels.shape),
        "label": labels,
        "decision": decide(logits, rule),
        "margin_units": decision_margin(logits, rule),
        "right_lead_units": class_margin(logits, labels.clamp_min(0), rule),
    }
    if "memoryless" in traces:
        columns["control_decision"] = decide(traces["memoryless"].logits, rule)
    scored = labels != NOT_SCORED
    return pd.DataFrame({name: value[scored].numpy() for name, value in columns.items()})


def _rasters(
    networks: Networks, split: Split, clips: pd.DataFrame
) -> tuple[tuple[Raster, ...], int]:
    """The clips that are drawn, and how many of those chosen do not fit."""
    model = networks.model
    first = max(0, split.frames - MAX_FRAMES)
    found: list[Raster] = []
    width = model.state_dim + model.network.recurrence.state_width(model.state_dim)
    fit = clips_that_fit(split.frames, split.n_inputs + model.layers * width + model.classes)
    chosen = choose_clips(clips, fit)
    for choice in chosen:
        inputs, labels = split.batch(slice(choice.clip, choice.clip + 1))
        trace = networks.traces(inputs)["network"]
        decision = decide(trace.logits, model.decision)
        values = compared(trace.logits, model.decision).reshape(-1, model.classes)
        found.append(
            Raster(
                clip=choice.clip,
                clip_id=split.ids[choice.clip],
                label=-1 if split.per_frame else int(labels),
                decision=-1 if split.per_frame else int(decision),
                why=choice.why,
                first_frame=first,
                inputs=inputs[0, first:].numpy(),
                candidates=torch.cat(trace.candidates)[:, first:].numpy(),
                states=torch.cat(trace.states)[:, first:].numpy(),
                logits=trace.logits[0, first:].numpy(),
                compared=values[-1].numpy(),
            )
        )  # fmt: skip
    return tuple(found), len(choose_clips(clips, model.classes + 1)) - len(found)


def _by_class(labels: Tensor, chosen: Tensor, classes: int) -> Any:
    return torch.bincount(labels[chosen.bool() & (labels != NOT_SCORED)], minlength=classes).numpy()


def _parts(split: Split, model: Model) -> Iterator[slice]:
    size = max(1, _VALUES_AT_ONCE // (split.frames * model.state_dim))
    for first in range(0, len(split), size):
        yield slice(first, first + size)
