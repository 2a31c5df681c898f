"""A few clips from input to decision: features, states of every unit, logits."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from codesign.report.page import Figure, Section
from codesign.report.style import class_color, light
from codesign.report.svg import NARROW, WIDE, drawing, new_figure, plain, render
from codesign.report.training.data import Floats, Learned, rule_words
from codesign.report.training.heat import binned, heat
from codesign.training.evidence import Raster

MAX_COLUMNS, MAX_BINS, MAX_LOGITS = 4, 128, 8


def gallery_section(learned: Learned) -> Section | None:
    """None where no clips were kept."""
    if learned.evidence is None or not learned.evidence.rasters:
        return None
    rasters = learned.evidence.rasters
    shown = gallery_of(rasters, MAX_COLUMNS)
    return Section(
        key="gallery",
        title="From input to decision",
        lead="What the network makes of typical clips: the input as it arrives, which cells are "
        "on, and the logits that are compared.",
        figures=(
            Figure(
                _gallery(learned, shown, WIDE[0], "gallery"),
                _caption(learned, shown),
                _gallery(learned, gallery_of(rasters, 2), NARROW[0], "gallery-narrow"),
            ),
        ),
    )


def gallery_of(rasters: tuple[Raster, ...], columns: int) -> list[Raster]:
    """The clips that stand side by side: right decisions first, the wrong one last if any."""
    wrong = [raster for raster in rasters if raster.label != raster.decision][-1:]
    right = [raster for raster in rasters if raster.label == raster.decision]
    return right[: columns - len(wrong)] + wrong


def _caption(learned: Learned, shown: list[Raster]) -> str:
    rule = rule_words(learned.rule)
    states = (
        "Middle: states, one row per unit, layer by layer; full where a cell is on from memory "
        "alone, pale where its candidate drives it."
        if learned.thresholds is not None
        else "Middle: states, one row per unit, layer by layer; blue positive, orange negative."
    )
    assert learned.evidence is not None
    more = len(learned.evidence.rasters) > len(shown)
    rest = " The viewer below has those of the other classes." if more else ""
    chosen = "; ".join(f"{plain(raster.clip_id, 40)}: {raster.why}" for raster in shown)
    decided = (
        ""
        if shown[0].label < 0
        else f"; the dots at the end are what {rule} compares, the ring is the decision"
    )
    return (
        f"Top: input lines, the stronger the tone the more current. {states} "
        f"Below: logits{decided}. Clips: {chosen}.{rest}"
    )


def _gallery(learned: Learned, shown: list[Raster], width: float, name: str) -> Any:
    first = shown[0]
    layers, _, units = first.states.shape
    every = np.concatenate([raster.inputs.ravel() for raster in shown])
    span = (float(np.quantile(every, 0.02)), float(np.quantile(every, 0.98)))
    if span[0] == span[1]:  # tokens: nearly all lines are off
        span = (0.0, float(every.max()) or 1.0)
    rows = [
        float(np.clip(9.0 * first.inputs.shape[1], 60, 150)),
        *[float(np.clip(9.0 * units, 60, 220))] * layers,
        150.0,
    ]
    with drawing():
        fig = new_figure((width, sum(rows) + 22.0 * len(rows) + 70))
        axes = fig.subplots(
            len(rows), len(shown), sharex=True, squeeze=False, height_ratios=rows, sharey="row"
        )
        for column, raster in enumerate(shown):
            _title(axes[0, column], raster, learned)
            _inputs(axes[0, column], raster, span)
            for layer in range(layers):
                draw_states(axes[1 + layer, column], learned, raster, layer)
            _logits(axes[-1, column], learned, raster, bool(column))
            axes[-1, column].set_xlabel("frame")
            axes[-1, column].set_xlim(0, 1.06 * len(raster.logits))
        for ax in axes[:-1].flat:
            ax.xaxis.set_visible(False)
        axes[0, 0].set_ylabel("input")
        for layer in range(layers):
            axes[1 + layer, 0].set_ylabel(f"layer {layer}")
        axes[-1, 0].set_ylabel("logits (units)")
        _legend(fig, axes[-1, 0], learned)
        return render(fig, name, "Inputs, states and logits of chosen clips")


def _title(ax: Axes, raster: Raster, learned: Learned) -> None:
    if raster.label < 0:
        ax.set_title(raster.why)
        return
    right = raster.label == raster.decision
    label, decided = (
        plain(learned.data.class_name(k), 12) for k in (raster.label, raster.decision)
    )
    ax.set_title(
        f"✓ {label}" if right else f"✗ {label} taken for {decided}",
        color=light("good" if right else "bad"),
    )


def _bare(ax: Axes, rows: int, frames: int) -> None:
    ax.set(ylim=(rows, 0), yticks=[], xlim=(0, frames), facecolor=light("panel"))
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)


def _inputs(ax: Axes, raster: Raster, span: tuple[float, float]) -> None:
    values, length = binned(raster.inputs.astype(np.float64), MAX_BINS)
    heat_stretched(ax, values - span[0], "ink", span[1] - span[0], length)
    _bare(ax, values.shape[1], len(raster.inputs))


def draw_states(ax: Axes, learned: Learned, raster: Raster, layer: int) -> None:
    """The states of a layer as a raster; of cells without thresholds as two shades of sign."""
    state = raster.states[layer].astype(np.float64)
    if learned.thresholds is not None:
        held = (state > 0) & (raster.candidates[layer] <= beta_hi(learned, layer))
        for values, role, strength in (
            (held, "cells", 1.0), ((state > 0) & ~held, "cells", 0.35),
        ):  # fmt: skip
            shares, length = binned(strength * values.astype(np.float64), MAX_BINS)
            heat_stretched(ax, shares, role, 1.0, length, 0.2)
    else:
        largest = float(np.abs(state).max())
        for sign, role in ((1, "chip"), (-1, "twin")):
            values, length = binned(np.maximum(sign * state, 0), MAX_BINS)
            heat_stretched(ax, values, role, largest, length, 0.2)
    _bare(ax, state.shape[1], len(state))


def beta_hi(learned: Learned, layer: int) -> Floats:
    """Upper thresholds of a layer [d], units."""
    assert learned.thresholds is not None
    rows = learned.thresholds[learned.thresholds["layer"] == layer].sort_values("unit")
    return rows["beta_hi_units"].to_numpy(np.float64)


def heat_stretched(
    ax: Axes, values: Floats, role: str, largest: float, length: int, gap: float = 0.0
) -> None:
    """``heat`` of values that stand for ``length`` frames each."""
    before = len(ax.patches)
    heat(ax, values, role, largest, gap)
    for patch in list(ax.patches)[before:]:
        path = patch.get_path()
        path.vertices = np.asarray(path.vertices) * (length, 1)


def shown_classes(learned: Learned, raster: Raster) -> list[int]:
    """The logits to draw: all, or the largest of those compared."""
    values = raster.compared
    if len(values) <= MAX_LOGITS:
        return list(range(len(values)))
    return sorted({*np.argsort(-values)[: MAX_LOGITS - 1].tolist(), raster.label})


def _logits(ax: Axes, learned: Learned, raster: Raster, quiet: bool) -> None:
    frames = len(raster.logits)
    values, length = binned(raster.logits.astype(np.float64), 4 * MAX_BINS)
    at = np.arange(len(values) + 1) * length
    for k in shown_classes(learned, raster):
        role = class_color(k)
        ax.stairs(
            values[:, k], at, baseline=None, color=light(role), linewidth=1.6,
            label=None if quiet else plain(learned.data.class_name(k), 14),
        )  # fmt: skip
        if raster.label < 0:  # every frame is decided by itself
            continue
        ax.plot(
            1.03 * frames, raster.compared[k], "o", color=light(role), markersize=5, clip_on=False
        )
    ax.axhline(0, color=light("muted"), linewidth=0.7)
    if raster.label < 0:
        return
    ax.plot(
        1.03 * frames, raster.compared[raster.decision], "o", markersize=10, clip_on=False,
        markerfacecolor="none", markeredgecolor=light("ink"), markeredgewidth=1.2,
    )  # fmt: skip


def _legend(fig: Drawing, ax: Axes, learned: Learned) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if 1 < len(labels) <= MAX_LOGITS:
        fig.legend(handles, labels, loc="outside lower left", ncols=min(len(labels), 6))
