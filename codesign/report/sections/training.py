"""Training: how the loss fell, what each start reached, and what the memory is worth."""

from typing import Any

import pandas as pd

from codesign.report.page import Cell, Figure, Section, Table, columns, figure, text
from codesign.report.rundata import RunData
from codesign.report.style import count, is_number, light, number, percent
from codesign.report.svg import HALF, drawing, new_figure, render

_MARGINS = {
    "fraction_within_0.05_units": "candidates within 0.05 units of a threshold",
    "near_tie_fraction": "clips whose two best logits are within 0.1 units",
    "logit_lead_median_units": "lead of the best logit, median",
    "logit_lead_5th_percentile_units": "lead of the best logit, 5th percentile",
    "max_node_current_units": "largest current at a node",
    "max_logit_units": "largest logit",
    "mean_mirrored_current_units": "current copied by all mirrors, mean",
    "changed_fraction": "states that change from one frame to the next",
}


def training_section(data: RunData) -> Section | None:
    """None for a model that was not trained here."""
    metrics = data.metrics
    if not metrics:
        return None
    test = metrics.get("splits", {}).get("test", {})
    plain = (metrics.get("memoryless") or {}).get("test", {})
    lead = f"{percent(test.get('balanced_accuracy'))} balanced test accuracy"
    if is_number(plain.get("balanced_accuracy")):
        lead += f", against {percent(plain['balanced_accuracy'])} without memory"
    figures = []
    # The choice is by balanced accuracy; older histories hold the plain one alone.
    balanced = "validation_balanced_accuracy"
    score = balanced if balanced in data.history.columns else "validation_accuracy"
    if not data.history.empty:
        figures = [
            Figure(
                _curves(data, score, f"{score.replace('_', ' ')} (%)", 100, "accuracy"),
                "Score at every check, by the deployed decision rule. Bold: the start that was "
                "kept. Grey: other starts. Dashed: the control without memory, every start.",
            ),
            Figure(
                _curves(data, "validation_loss", "validation loss", 1, "loss"),
                "Validation loss. The leak ε of the cells falls to zero during training; right of "
                "the dotted line the cells are exact latches.",
            ),
        ]
    wall = metrics.get("wall_s")
    clock = f" Training took {number(wall)} s." if is_number(wall) else ""
    return Section(
        key="training",
        title="Training",
        lead=f"{lead}. Decision: {str(metrics.get('decision', '–')).replace('_', ' ')}.{clock}",
        figures=tuple(figures),
        tables=(_splits(metrics), _starts(metrics), _margin(metrics)),
    )


def _selected(data: RunData) -> Any:
    """Index of the start that was kept, as the history numbers it."""
    for number_, start in enumerate(data.metrics.get("starts") or ()):
        if start.get("selected"):
            return start.get("start", number_)
    return None


def _curves(data: RunData, column: str, label: str, factor: float, name: str) -> Any:
    history = data.history
    chosen = _selected(data)
    with drawing():
        fig = new_figure((HALF[0], 270))
        ax = fig.subplots()
        network = history[history["model"] == "network"]
        for start, part in sorted(network.groupby("start"), key=lambda item: item[0] == chosen):
            kept = start == chosen
            ax.plot(
                part["step"], part[column] * factor, color=light("chip" if kept else "bias"),
                linewidth=2.0 if kept else 0.9, alpha=1 if kept else 0.75,
                label="kept start" if kept else None,
            )  # fmt: skip
        control = history[history["model"] == "memoryless"]
        for start, part in control.groupby("start"):
            first = start == control["start"].min()
            ax.plot(
                part["step"], part[column] * factor, color=light("twin"),
                linestyle=(0, (4, 2)), linewidth=1.4, label="without memory" if first else None,
            )  # fmt: skip
        latched = network[network["eps"] <= 0]["step"]
        if len(latched) and float(latched.min()) > float(network["step"].min()):
            ax.axvline(float(latched.min()), color=light("muted"), linestyle=(0, (1, 2)))
            ax.annotate(
                "ε = 0", (float(latched.min()), 1), xytext=(4, -3), va="top", fontsize=10,
                xycoords=("data", "axes fraction"), textcoords="offset points",
                color=light("muted"),
            )  # fmt: skip
        ax.set(xlabel="optimiser step", ylabel=label)
        ax.margins(x=0)
        fig.legend(loc="outside upper left", ncols=2)
        return render(fig, f"training-{name}", f"{label} during training")


def _splits(metrics: dict[str, Any]) -> Table:
    rows = [(f"network, {name}", values) for name, values in metrics.get("splits", {}).items()]
    plain = metrics.get("memoryless") or {}
    rows += [
        (f"without memory, {name}", values)
        for name, values in plain.items()
        if isinstance(values, dict)
    ]
    return Table(
        "Software results",
        columns("Model, split | #Clips | #Accuracy | #Balanced accuracy | #Loss"),
        tuple(
            (
                text(name),
                figure(values.get("count"), count(values.get("count"))),
                figure(values.get("accuracy"), percent(values.get("accuracy"))),
                figure(values.get("balanced_accuracy"), percent(values.get("balanced_accuracy"))),
                figure(values.get("loss")),
            )
            for name, values in rows
        ),
    )


def _starts(metrics: dict[str, Any]) -> Table:
    starts = metrics.get("starts") or []
    scores = [s.get("test_balanced_accuracy") for s in starts]
    finite = pd.Series([s for s in scores if is_number(s)], dtype=float)
    spread = (
        f"Test: mean {percent(finite.mean())}, worst {percent(finite.min())}, best "
        f"{percent(finite.max())}. The choice was made on validation."
        if len(finite)
        else ""
    )
    return Table(
        f"Independent starts: {len(starts)}",
        columns("Start | Seed | #Step | #Validation | #Test | Kept"),
        tuple(
            (
                figure(n, str(n)),
                figure(start.get("seed"), str(start.get("seed"))),
                figure(start.get("step"), str(start.get("step"))),
                _score(start.get("validation_balanced_accuracy")),
                _score(start.get("test_balanced_accuracy")),
                text("✓ kept", "good") if start.get("selected") else Cell(""),
            )
            for n, start in enumerate(starts)
        ),
        note=f"Balanced accuracy, at the step that validation chose. {spread}".strip(),
    )


def _score(value: Any) -> Any:
    return figure(value, percent(value))


def _margin(metrics: dict[str, Any]) -> Table:
    return Table(
        "Room for a circuit to err, in software",
        columns("Measure | #Value"),
        tuple(
            (text(_MARGINS.get(key, key.replace("_", " "))), _margin_cell(key, value))
            for key, value in (metrics.get("margin") or {}).items()
        ),
        empty="Not measured.",
    )


def _margin_cell(key: str, value: Any) -> Cell:
    if "fraction" in key:
        return figure(value, percent(value, 2))
    return figure(value, f"{number(value)} units" if key.endswith("_units") else None)
