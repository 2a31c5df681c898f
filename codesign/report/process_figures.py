"""Figures of the page that compares processes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from codesign.report.page import Figure
from codesign.report.style import BLOCKS, class_color, light
from codesign.report.svg import HALF, drawing, new_figure, plain, render

Facts = Mapping[str, Any]

_RESIDUALS = (
    ("cell_beta_hi_residual", "upper\nthreshold"),
    ("cell_beta_lo_residual", "lower\nthreshold"),
    ("cell_alpha_residual", "state\ncurrent"),
    ("weight_error", "weights"),
)
_SIGMAS = (
    ("sigma_current_unit_n", "unit N"),
    ("sigma_current_unit_p", "unit P"),
    ("sigma_current_cell_n", "cell N"),
    ("sigma_current_cell_p", "cell P"),
)


def power_figure(done: Mapping[str, Facts]) -> Figure:
    """Mean power of each process, stacked by block."""
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        base = np.zeros(len(done))
        places = np.arange(len(done))
        for block, label in BLOCKS.items():
            watts = np.array([float(f.get(f"mean_power_{block}_w") or 0) for f in done.values()])
            ax.bar(places, watts * 1e9, 0.6, bottom=base * 1e9, color=light(block), label=label)
            base += watts
        ax.set_xticks(places, [plain(name, 14) for name in done])
        ax.set_ylabel("mean power (nW)")
        ax.set_ylim(0, float(base.max()) * 1.35e9 or 1)
        ax.legend(loc="upper left", ncols=3, columnspacing=1.0)
        svg = render(fig, "processes-power", "Mean power of each process by block")
    return Figure(svg, "Mean power over the clips, by block.")


def residual_figure(done: Mapping[str, Facts]) -> Figure:
    """What is left after calibration: rms as bars, the worst as a mark."""
    return _grouped(
        done, _RESIDUALS, "processes-residuals", "relative error (%)", worst=True,
        caption="Programmed against realised after each process's own calibration: rms over all "
        "cells or weights, the worst as a line.",
    )  # fmt: skip


def mismatch_figure(done: Mapping[str, Facts]) -> Figure:
    """Sigma of one mirror branch by the matching laws."""
    return _grouped(
        done, _SIGMAS, "processes-mismatch", "sigma of a current (%)", worst=False,
        caption="Standard deviation of one mirror branch in weak inversion, by each process's "
        "matching law and slope: a line of unit devices, and a cell device.",
    )  # fmt: skip


def _grouped(
    done: Mapping[str, Facts], groups: tuple[tuple[str, str], ...], name: str, label: str,
    worst: bool, caption: str,
) -> Figure:  # fmt: skip
    with drawing():
        fig = new_figure(HALF)
        ax = fig.subplots()
        width = 0.8 / len(done)
        top = 0.0
        for k, (process, facts) in enumerate(done.items()):
            places = np.arange(len(groups)) + (k - (len(done) - 1) / 2) * width
            key = "{}_rms" if worst else "{}"
            bars = [100 * float(facts.get(key.format(group)) or 0) for group, _ in groups]
            ax.bar(places, bars, width * 0.92, color=light(class_color(k)), label=plain(process))
            top = max(top, *bars)
            if worst:
                marks = [100 * float(facts.get(f"{group}_max") or 0) for group, _ in groups]
                ax.hlines(marks, places - width * 0.46, places + width * 0.46,
                          colors=light("ink"), linewidth=1.2)  # fmt: skip
                top = max(top, *marks)
        ax.set_xticks(np.arange(len(groups)), [text for _, text in groups])
        ax.set_ylabel(label)
        ax.set_ylim(0, top * 1.3 or 1)
        ax.legend(loc="upper left", ncols=3, columnspacing=1.0)
        return Figure(render(fig, name, caption), caption)
