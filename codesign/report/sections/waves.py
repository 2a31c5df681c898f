"""Waveforms of the clips: transistor traces with the twin's values over them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from codesign.circuit.timing import SAMPLE
from codesign.report.page import Figure, Section
from codesign.report.rundata import RunData
from codesign.report.style import class_color, is_number, light, prefix
from codesign.report.svg import NARROW, WIDE, drawing, new_figure, plain, render
from codesign.report.thresholds import Thresholds, cell_thresholds
from codesign.report.waves import (
    Clip,
    bins_per_frame,
    clip_order,
    default_unit,
    embed,
    envelope,
    read_clip,
)


def waves_section(data: RunData) -> Section | None:
    """None where no waveforms were kept."""
    sim = data.simulation
    if sim is None or not sim.waves:
        return None
    thresholds = cell_thresholds(data.design)
    payload = embed(data, sim, thresholds)
    clip = read_clip(sim, clip_order(sim)[0])
    layer, unit = default_unit(clip)
    shown, available = len(payload["clips"]), payload["available"]
    which = (
        f"All {available} simulated clips are here"
        if shown == available
        else f"{shown} of {available} simulated clips are here, those that differ first"
    )
    views = {
        name: _static(data, clip, (layer, unit), thresholds, size, f"waves-{name}")
        for name, size in (("wide", (WIDE[0], 430.0)), ("narrow", (NARROW[0], 430.0)))
    }
    return Section(
        key="waves",
        title="Transistors over twin",
        lead="Thin lines are currents of the transistor circuit; the broad pale steps behind them "
        "are the twin's value in each frame. The two are compared at the dots, "
        f"{100 * SAMPLE:.0f} % into each frame. {which}.",
        figures=(
            Figure(
                views["wide"],
                f"Clip {plain(clip.row['clip_id'], 60)}, layer {layer}, unit {unit}: candidate "
                "with its thresholds (dashed), state, and the logits of all classes.",
                views["narrow"],
            ),
        ),
        waves=payload,
    )


def _static(
    data: RunData, clip: Clip, at: tuple[int, int], thresholds: Thresholds,
    size: tuple[float, float], name: str,
) -> Any:  # fmt: skip
    """The default view, for readers without scripts."""
    hardware = data.hardware
    summary = data.simulation.summary if data.simulation else {}
    unit_a = float(summary.get("unit_current_a") or hardware["unit_current_a"])
    frame_s = float(summary.get("frame_s") or hardware["frame_s"])
    factor, letter = prefix(unit_a)
    to_axis = unit_a * factor
    frames = int(clip.states["frame"].max()) + 1
    time = clip.waves["time_s"].to_numpy(float)
    bins = frames * bins_per_frame(frames)
    grid = np.repeat(np.linspace(time[0], time[-1], bins + 1), 2)[1:-1] * 1e3
    edges = np.arange(frames + 1) * frame_s * 1e3
    cell = clip.states[(clip.states["layer"] == at[0]) & (clip.states["unit"] == at[1])]
    cell = cell.sort_values("frame")

    def trace(ax: Axes, column: str, role: str, label: str = "") -> None:
        if column in clip.waves.columns:
            values = envelope(time, clip.waves[column].to_numpy(float), bins) * factor
            ax.plot(grid, values, color=light(role), linewidth=1.2, label=label or None)

    def steps(ax: Axes, values: Any, role: str) -> None:
        levels = np.asarray(values, dtype=float) * to_axis
        ax.stairs(levels, edges[: len(levels) + 1], baseline=None, color=light(role),
                  linewidth=4.5, alpha=0.4)  # fmt: skip

    def sampled(ax: Axes, values: Any, role: str) -> None:
        levels = np.asarray(values, dtype=float) * to_axis
        instants = (np.arange(len(levels)) + SAMPLE) * frame_s * 1e3
        # Twenty frames can be told apart in a still picture; a hundred cannot.
        if len(levels) <= 20:
            ax.plot(instants, levels, "o", color=light(role), markersize=4, clip_on=False)

    where = f"l{at[0]}.u{at[1]}_a"
    with drawing():
        fig = new_figure(size)
        axes = fig.subplots(3, 1, sharex=True, height_ratios=(1.15, 0.8, 1.15))
        steps(axes[0], cell["twin_candidate_units"], "twin")
        trace(axes[0], f"candidate.{where}", "chip")
        sampled(axes[0], cell["chip_candidate_units"], "chip")
        for level in thresholds.get(at, ()):
            axes[0].axhline(level * to_axis, color=light("muted"), linestyle=(0, (4, 3)), lw=1)
        steps(axes[1], cell["twin_state_units"], "twin")
        trace(axes[1], f"state.{where}", "chip")
        sampled(axes[1], cell["chip_state_units"], "chip")
        for index, class_name in enumerate(data.class_names[:8]):
            trace(axes[2], f"logit.c{index}_a", class_color(index), plain(class_name, 16))
            part = clip.logits[clip.logits["class_index"] == index].sort_values("frame")
            if len(part):
                steps(axes[2], part["twin_logit_units"], class_color(index))
                sampled(axes[2], part["chip_logit_units"], class_color(index))
        titles = (f"Candidate, layer {at[0]} unit {at[1]}", "State", "Logits")
        for ax, title in zip(axes, titles, strict=True):
            ax.set_title(title)
            ax.set_ylabel(f"{letter}A")
            ax.set_xticks(edges[:: max(1, frames // 8)])
            ax.grid(True, axis="x", color=light("rule"), linewidth=0.6)
        fig.legend(*axes[2].get_legend_handles_labels(), loc="outside lower left", ncols=4)
        axes[2].set_xlabel("time (ms); grid lines at frames")
        if is_number(edges[-1]):
            axes[2].set_xlim(0, edges[-1])
        return render(fig, name, "Waveforms of one clip, transistors over twin")
