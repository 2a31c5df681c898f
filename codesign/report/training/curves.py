"""How it was learned: loss and accuracy of every start over steps, above the schedules."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from codesign.flows import TrainingSection
from codesign.report.page import Figure, Section
from codesign.report.style import count, is_number, light
from codesign.report.svg import NARROW, WIDE, drawing, new_figure, render
from codesign.report.training.data import Learned
from codesign.training.choice import settings_of
from codesign.training.schedule import moment

# What a schedule does, by its field in training.schedule.Moment: name, palette role.
_KNOBS = {
    "leak": ("leak ε", "cells"),
    "grid_strength": ("grid", "feedforward"),
    "margin_strength": ("margin", "strobe"),
    "learning_rate": ("rate", "bias"),
}
_POINTS = 240


def section(learned: Learned) -> Section | None:
    """None without a history of the training."""
    history = learned.data.history
    if history.empty:
        return None
    settings = settings_of(learned.data.flow)
    score = _score_column(history)
    kept = kept_start(learned)
    step = kept.get("step") if kept else None
    chosen = f", checkpoint of step {count(step)}" if is_number(step) else ""
    starts = history[history["model"] == "network"]["start"].nunique()
    return Section(
        key="curves",
        title="Learning curves",
        lead=f"{count(starts)} independent starts of {count(settings.steps)} steps"
        + (f"; start {kept['start']} was kept{chosen}." if kept else "."),
        figures=(
            Figure(
                _draw(learned, score, WIDE[0], "curves"),
                _caption(learned, score),
                _draw(learned, score, NARROW[0], "curves-narrow"),
            ),
        ),
    )


def kept_start(learned: Learned) -> dict[str, Any] | None:
    """The start that was kept, as metrics.json describes it, with its number."""
    for position, start in enumerate(learned.metrics.get("starts") or ()):
        if start.get("selected"):
            return {**start, "start": start.get("start", position)}
    return None


def schedule(settings: TrainingSection, steps: int = _POINTS) -> pd.DataFrame:
    """The knobs of the schedule over the steps of a training: step, leak, grid_strength, ..."""
    at = np.unique(np.linspace(0, settings.steps - 1, min(steps, settings.steps)).astype(int))
    rows = [{"step": int(step), **vars(moment(int(step), settings))} for step in at]
    return pd.DataFrame(rows)


def _score_column(history: pd.DataFrame) -> str:
    """The choice is by balanced accuracy; older histories hold the plain one alone."""
    balanced = "validation_balanced_accuracy"
    return balanced if balanced in history.columns else "validation_accuracy"


def _knobs(learned: Learned) -> pd.DataFrame | None:
    """The schedule; None where what the history recorded is not what the recipe says now."""
    table = schedule(settings_of(learned.data.flow))
    seen = learned.data.history[learned.data.history["model"] == "network"]
    recorded = seen["eps"].to_numpy(np.float64)
    computed = np.interp(seen["step"] - 1, table["step"], table["leak"])
    step = max(1, int(table["step"].diff().max() or 1))
    slope = float(table["leak"].diff().abs().max() or 0.0)
    if np.abs(recorded - computed).max() > 0.02 + 2 * slope / step:
        return None
    return table


def _caption(learned: Learned, score: str) -> str:
    control = bool((learned.data.history["model"] == "memoryless").any())
    word = "Balanced" if "balanced" in score else "Plain"
    return (
        "Top: cross-entropy of the kept start on its training batches (thin) and on validation "
        f"(bold), of the other starts on validation (grey). Middle: {word.lower()} validation "
        "accuracy by the deployed decision; "
        + ("dashed: the control without memory, every start; " if control else "")
        + "the ring is the checkpoint. Below: what the schedule did meanwhile, each strip from 0 "
        "to its largest value."
        + (
            " Only right of the dotted line, with exact latches and weights on the grid, may a "
            "checkpoint be chosen."
            if learned.on_chip
            else ""
        )
    )


def _draw(learned: Learned, score: str, width: float, name: str) -> Any:
    history, knobs = learned.data.history, _knobs(learned)
    kept = kept_start(learned)
    strips = _strips(learned, knobs)
    with drawing():
        fig = new_figure((width, 470 + 26.0 * len(strips)))
        heights = [190.0, 190.0, *[26.0] * len(strips)]
        axes = np.atleast_1d(fig.subplots(len(heights), 1, sharex=True, height_ratios=heights))
        loss, accuracy = axes[:2]
        _lines(loss, history, "validation_loss", 1, kept)
        _train_loss(loss, history, kept)
        _lines(accuracy, history, score, 100, kept)
        _ring(accuracy, history, score, kept)
        loss.set(ylabel="loss")
        loss.set_ylim(*_loss_range(history))
        accuracy.set(ylabel="accuracy (%)")
        for ax, key in zip(axes[2:], strips, strict=True):
            assert knobs is not None
            _strip(ax, knobs, key)
        allowed = _allowed(history, knobs)
        for ax in axes if allowed else ():
            ax.axvline(allowed, color=light("muted"), linestyle=(0, (1, 2)), linewidth=1.2)
        for ax in axes[:-1]:
            ax.xaxis.set_visible(False)
        axes[-1].set(xlabel="optimiser step")
        axes[-1].set_xlim(0, float(history["step"].max()))
        handles, labels = accuracy.get_legend_handles_labels()
        more, words = loss.get_legend_handles_labels()
        shown = dict(zip([*labels, *words], [*handles, *more], strict=True))
        fig.legend(
            shown.values(), shown.keys(), loc="outside upper left", ncols=2 if width < 500 else 4
        )
        return render(fig, name, "Loss, accuracy and schedules over the steps of training")


def _strips(learned: Learned, knobs: pd.DataFrame | None) -> list[str]:
    """The schedules that did anything; grid and margin are for networks of the chip."""
    if knobs is None:
        return []
    names = list(_KNOBS) if learned.on_chip else ["leak", "learning_rate"]
    return [name for name in names if name in knobs and knobs[name].any()]


def _lines(
    ax: Axes, history: pd.DataFrame, column: str, factor: float, kept: dict[str, Any] | None
) -> None:
    chosen = kept["start"] if kept else None
    network = history[history["model"] == "network"]
    first = True
    for start, part in sorted(network.groupby("start"), key=lambda item: item[0] == chosen):
        own = start == chosen
        label = "kept start" if own else "other starts" if first else None
        first = first and own
        ax.plot(
            part["step"], factor * part[column], label=label,
            color=light("chip" if own else "bias"), linewidth=2.2 if own else 0.9,
            alpha=1 if own else 0.6, zorder=3 if own else 2,
        )  # fmt: skip
    control = history[history["model"] == "memoryless"]
    for number_, (_, part) in enumerate(control.groupby("start")):
        ax.plot(
            part["step"], factor * part[column], color=light("twin"), linewidth=1.2,
            linestyle=(0, (4, 2)), label=None if number_ else "without memory",
        )  # fmt: skip


def _train_loss(ax: Axes, history: pd.DataFrame, kept: dict[str, Any] | None) -> None:
    if kept is None:
        return
    own = history[(history["model"] == "network") & (history["start"] == kept["start"])]
    ax.plot(
        own["step"], own["train_loss"], color=light("chip"), linewidth=0.9, alpha=0.75,
        label="kept, training batches", zorder=3,
    )  # fmt: skip


def _ring(ax: Axes, history: pd.DataFrame, score: str, kept: dict[str, Any] | None) -> None:
    if kept is None:
        return
    own = history[(history["model"] == "network") & (history["start"] == kept["start"])]
    at = own[own["step"] == kept.get("step")]
    ax.plot(
        at["step"], 100 * at[score], "o", markersize=9, markerfacecolor="none",
        markeredgecolor=light("chip"), markeredgewidth=1.8, zorder=4, clip_on=False,
    )  # fmt: skip


def _loss_range(history: pd.DataFrame) -> tuple[float, float]:
    """From 0 to what nearly all values stay below: one start that diverges hides no other."""
    losses = pd.concat([history["validation_loss"], history["train_loss"]]).dropna()
    finite = losses[np.isfinite(losses)]
    if finite.empty:
        return 0.0, 1.0
    return 0.0, 1.05 * float(min(finite.max(), 1.5 * finite.quantile(0.98)))


def _strip(ax: Axes, knobs: pd.DataFrame, key: str) -> None:
    word, role = _KNOBS[key]
    values = knobs[key].to_numpy(np.float64)
    top = float(values.max())
    ax.fill_between(
        knobs["step"], 0, values / top, color=light(role), alpha=0.75, linewidth=0, step="post"
    )
    ax.set(ylim=(0, 1.05))
    ax.yaxis.set_visible(False)
    ax.text(
        -0.008, 0.5, word, transform=ax.transAxes, ha="right", va="center", fontsize=10,
        color=light("muted"),
    )  # fmt: skip
    ends = f"{values[0]:.2g} → {values[-1]:.2g}"
    if values[0] == values[-1]:
        ends = f"{values[0]:.2g}"
    ax.text(
        1.01, 0.5, ends, transform=ax.transAxes, ha="left", va="center", fontsize=9.5,
        color=light("muted"),
    )  # fmt: skip
    ax.grid(False)


def _allowed(history: pd.DataFrame, knobs: pd.DataFrame | None) -> float | None:
    """The first step whose checkpoint may be chosen; None when it is the first of all."""
    if knobs is not None:
        free = knobs[(knobs["leak"] == 0) & (knobs["grid_strength"] == 1)]["step"]
    else:
        network = history[history["model"] == "network"]
        free = network[network["eps"] <= 0]["step"]
    if free.empty or float(free.min()) <= 0:
        return None
    return float(free.min())
