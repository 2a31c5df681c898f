"""Training in short: how accuracy rose and what was reached; training.html has the rest."""

from typing import Any

from codesign.report.page import Figure, Section, Table, columns, figure, text
from codesign.report.rundata import RunData
from codesign.report.style import count, is_number, light, number, percent
from codesign.report.svg import HALF, drawing, new_figure, render


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
    figures: tuple[Figure, ...] = ()
    # The choice is by balanced accuracy; older histories hold the plain one alone.
    balanced = "validation_balanced_accuracy"
    score = balanced if balanced in data.history.columns else "validation_accuracy"
    if not data.history.empty:
        figures = (
            Figure(
                _curves(data, score, f"{score.replace('_', ' ')} (%)", 100, "accuracy"),
                "Score at every check, by the deployed decision rule. Bold: the start that was "
                "kept. Grey: other starts. Dashed: the control without memory, every start. Right "
                "of the dotted line the leak ε is zero and the cells are exact latches.",
            ),
        )
    wall = metrics.get("wall_s")
    clock = f" Training took {number(wall)} s." if is_number(wall) else ""
    return Section(
        key="training",
        title="Training",
        lead=f"{lead}. Decision: {str(metrics.get('decision', '–')).replace('_', ' ')}.{clock}",
        figures=figures,
        beside=_splits(metrics),
        link=(
            "training.html",
            "Curves, starts, decisions by class and rule, states, use of memory and margins",
        ),
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
