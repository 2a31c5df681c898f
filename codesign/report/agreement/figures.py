"""Pictures of errors: where states differ, how far candidates and logits are off, and why."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.causes import CANDIDATE_SPREAD_UNITS
from codesign.report.agreement.data import CAUSES, ROLES, Disagreements, counts_by_place
from codesign.report.page import Figure
from codesign.report.rundata import RunData
from codesign.report.style import class_color, count, light, number, percent
from codesign.report.svg import HALF, NARROW, WIDE, dots, drawing, new_figure, plain, render
from codesign.report.thresholds import cell_thresholds, distances

Floats = NDArray[np.float64]


def place_map(found: Disagreements) -> Figure:
    """Unit by frame: how many samples have a state there that differs."""
    return Figure(
        _places(found, WIDE[0], "places"),
        "States that differ, by unit and frame, over all samples; inherited ones included.",
        _places(found, NARROW[0], "places-narrow"),
    )


def _places(found: Disagreements, width: float, name: str) -> Any:
    table = counts_by_place(found)
    layers, units, frames = table.shape
    grid = table.reshape(layers * units, frames)
    top = max(1, int(grid.max()))
    with drawing():
        fig = new_figure((width, 70 + 15.0 * layers * units))
        ax = fig.subplots()
        for row, frame in np.argwhere(grid):
            value = grid[row, frame]
            ax.add_patch(_box(frame, row, 0.15 + 0.8 * value / top))
            if frames <= 24:
                ax.text(frame + 0.5, row + 0.5, str(value), ha="center", va="center", fontsize=9)
        for layer in range(1, layers):
            ax.axhline(layer * units, color=light("muted"), linewidth=1)
        names = [f"{row // units}.{row % units}" for row in range(layers * units)]
        ax.set(
            xlim=(0, frames), ylim=(layers * units, 0), xlabel="frame", ylabel="layer.unit",
            yticks=np.arange(layers * units) + 0.5, yticklabels=names,
        )  # fmt: skip
        step = max(1, int(frames * 30 / width))
        ax.set_xticks(np.arange(0, frames, step) + 0.5, [str(k) for k in range(0, frames, step)])
        ax.grid(False)
        return render(fig, name, "States that differ by unit and frame")


def _box(frame: float, row: float, alpha: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((frame, row), 1, 1, facecolor=light("bad"), alpha=alpha, linewidth=0)


def candidate_errors(data: RunData, found: Disagreements) -> Figure | None:
    """Histograms of candidate errors by layer; None where not all states are in the table."""
    states = found.sim.states
    if found.sim.partial or states.empty:
        return None
    error = (states["chip_candidate_units"] - states["twin_candidate_units"]).to_numpy(np.float64)
    layer = states["layer"].to_numpy()
    margin = float(data.flow.training.margin_units)
    reach = max(1.6 * margin, 0.1)
    edges = np.linspace(-reach, reach, 81)
    with drawing():
        fig = new_figure((HALF[0], 110 + 130.0 * found.layers))
        axes = np.atleast_1d(fig.subplots(found.layers, 1, sharex=True))
        for k, ax in enumerate(axes):
            values = np.clip(error[layer == k], edges[0], edges[-1])
            ax.axvspan(
                -CANDIDATE_SPREAD_UNITS, CANDIDATE_SPREAD_UNITS, color=light("rule"), linewidth=0
            )
            ax.hist(values.tolist(), edges.tolist(), color=light("chip"), alpha=0.85)
            for side in (-margin, margin):
                ax.axvline(side, color=light("bad"), linestyle=(0, (4, 3)), linewidth=1.2)
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter(lambda value, _: number(value, 2))
            ax.set_title(f"Layer {k}")
        axes[-1].set(xlabel="candidate, transistors minus twin (units)", xlim=(-reach, reach))
        svg = render(fig, "candidate-errors", "Histograms of candidate errors by layer")
    beyond = int((np.abs(error) > reach).sum())
    tail = f" The outermost bars hold the {count(beyond)} beyond." if beyond else ""
    return Figure(
        svg,
        f"Candidate errors of all {count(len(error))} (unit, frame) pairs, on a logarithmic count. "
        f"Dashed: the margin of {number(margin)} units asked for in training; strip: the spread of "
        f"a settled candidate, {number(CANDIDATE_SPREAD_UNITS)} units.{tail}",
    )


def room(data: RunData, found: Disagreements) -> Figure | None:
    """How far the twin's candidates stay from thresholds; None where not all states are known."""
    if found.sim.partial:
        return None
    gaps = distances(found.sim.states, cell_thresholds(data.design))
    if gaps.empty:
        return None
    values = gaps.to_numpy(np.float64)
    bound = float(np.ceil(max(1.0, np.quantile(np.abs(values), 0.97))))
    near = float((np.abs(values) < CANDIDATE_SPREAD_UNITS).mean())
    with drawing():
        fig = new_figure((HALF[0], 300))
        ax = fig.subplots()
        ax.axvspan(
            -CANDIDATE_SPREAD_UNITS, CANDIDATE_SPREAD_UNITS, color=light("bad"), alpha=0.45, lw=0
        )
        edges = np.linspace(-bound, bound, 61)
        ax.hist(np.clip(values, -bound, bound).tolist(), edges.tolist(), color=light("chip"))
        ax.set(
            xlabel="twin's candidate minus nearer threshold (units)", xlim=(-bound, bound),
            ylabel="(unit, frame) pairs",
        )  # fmt: skip
        svg = render(fig, "room", "Histogram of candidates' distances from thresholds")
    return Figure(
        svg,
        f"Room between the twin's candidates and the nearer threshold: {percent(near)} of "
        f"{count(len(values))} are closer than {number(CANDIDATE_SPREAD_UNITS)} units (red strip). "
        f"The outermost bars hold what is beyond {bound:g}.",
    )


def logits(data: RunData, found: Disagreements) -> Figure | None:
    """Logits against the twin's, and their difference with the fits of all classes."""
    table = found.sim.logits
    fits = found.sim.summary.get("logit_fit") or []
    if table.empty:
        return None
    x = table["twin_logit_units"].to_numpy(np.float64)
    y = table["chip_logit_units"].to_numpy(np.float64)
    error, span = y - x, max(1e-3, float(np.nanmax(np.abs(x))))
    bound = max(1e-3, 1.2 * float(np.nanquantile(np.abs(error), 0.98)))
    low, high = 1.04 * min(0.0, float(np.nanmin(x))), 1.04 * float(np.nanmax(x))
    with drawing():
        fig = new_figure((HALF[0], 370))
        upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
        upper.plot([low, high], [low, high], color=light("twin"), linewidth=3.5, alpha=0.45)
        dots(upper, *_thinned(x, y, span, span), "chip", 3.0)
        lower.axhline(0, color=light("twin"), linewidth=3.5, alpha=0.45)
        dots(lower, *_thinned(x, np.clip(error, -bound, bound), span, bound), "chip", 3.0)
        for k, row in enumerate(fits):
            line = [(row["gain"] - 1) * at + row["offset_units"] for at in (low, high)]
            name = data.class_names[k] if k < len(data.class_names) else str(k)
            lower.plot(
                [low, high], line, color=light(class_color(k)), linewidth=1.4, label=plain(name, 12)
            )
        upper.set(ylabel="transistors' logit (units)", xlim=(low, high))
        lower.set(xlabel="twin's logit (units)", ylabel="difference", ylim=(-bound, bound))
        if 0 < len(fits) <= 8:
            fig.legend(*lower.get_legend_handles_labels(), loc="outside lower left", ncols=4)
        svg = render(fig, "logit-fit", "Logits of the transistors against the twin's, with fits")
    residual = found.sim.summary.get("logit_residual_of_full_scale")
    return Figure(
        svg,
        f"Logits of {count(len(table))} (class, frame) pairs. Below, the difference, with each "
        "class's gain and offset fitted over frames whose states all agree; what is left there "
        f"is {percent(residual, 2)} of full scale, rms. Differences beyond the axis stand at its "
        "edge.",
    )


def _thinned(x: Floats, y: Floats, wide: float, tall: float) -> tuple[list[float], list[float]]:
    """Points that would be drawn at the same place, once."""
    table = pd.DataFrame({"x": x, "y": y}).dropna()
    keys = (table.div([wide, tall], axis="columns") * 200).round()
    kept = table[~keys.duplicated()]
    return kept["x"].tolist(), kept["y"].tolist()


def causes(found: Disagreements) -> Figure | None:
    """Bars: how many disagreements began for each cause, and how many states follow from them."""
    if found.roots.empty:
        return None
    table = found.roots.groupby("cause")["states"].agg(["size", "sum"])
    names = [name for name in CAUSES if name in table.index]
    with drawing():
        fig = new_figure((HALF[0], 80 + 34.0 * len(names)))
        ax = fig.subplots()
        for row, name in enumerate(names):
            began, all_states = int(table["size"][name]), int(table["sum"][name])
            ax.barh(row, all_states, color=light(ROLES[name]), alpha=0.3, height=0.62)
            ax.barh(row, began, color=light(ROLES[name]), alpha=0.9, height=0.62)
            ax.text(all_states, row, f" {began}, states {all_states}", va="center", fontsize=10)
        ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6))
        ax.set_xlim(0, 1.35 * float(table["sum"].max()))
        ax.set_xlabel("states that differ")
        ax.grid(True, axis="x")
        ax.grid(False, axis="y")
        svg = render(fig, "causes", "Disagreements by cause")
    return Figure(
        svg,
        "Full bars: disagreements that began for this cause. Pale: all states that follow from "
        "them, in later frames and in the layers above.",
    )
