"""Histograms over chips. A picture's size does not depend on the number of chips."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from codesign.report.style import axis_scale, count, light
from codesign.report.svg import HALF, drawing, new_figure, render

Floats = NDArray[np.float64]
# A line across a histogram: where, what it is, its palette role.
Mark = tuple[float, str, str]
BINS = 40


def edges_of(values: Floats, step: float | None = None) -> Floats:
    """Bins of a histogram: around whole multiples of ``step`` if the values are such, else
    ``BINS`` from the least to the largest."""
    low, high = float(values.min()), float(values.max())
    if step is not None:
        first, last = round(low / step), round(high / step)
        if last - first < 2 * BINS:
            return np.asarray(step * (np.arange(first, last + 2) - 0.5), np.float64)
    room = max(1e-12, 1e-3 * abs(high)) if high == low else 0.02 * (high - low)
    return np.linspace(low - room, high + room, BINS + 1)


def bars(ax: Axes, values: Floats, edges: Floats, role: str = "chip") -> Floats:
    """Bars as one filled outline; returns the counts."""
    counts, _ = np.histogram(values, edges)
    ax.stairs(counts, edges, fill=True, color=light(role), alpha=0.8)
    return counts.astype(np.float64)


def histogram(
    values: Floats, name: str, xlabel: str, unit: str = "", marks: Sequence[Mark] = (),
    step: float | None = None, what: str = "chips",
) -> Any:  # fmt: skip
    """A histogram with marks, in half the page's width."""
    factor, shown = axis_scale(values.tolist(), unit) if unit not in ("", "%") else (1.0, unit)
    factor = 100.0 if unit == "%" else factor
    with drawing():
        fig = new_figure((HALF[0], 260))
        ax = fig.subplots()
        counts = bars(ax, factor * values, factor * edges_of(values, step))
        top = float(counts.max())
        for k, (at, label, role) in enumerate(marks):
            ax.axvline(factor * at, color=light(role), linewidth=1.6, linestyle=(0, (5, 3)))
            ax.annotate(
                label, (factor * at, top * (1.18 - 0.1 * k)), xytext=(4, 0), va="center",
                textcoords="offset points", color=light(role),
            )  # fmt: skip
        ax.set(
            xlabel=f"{xlabel} ({shown})" if shown else xlabel, ylabel=what,
            ylim=(0, top * (1.28 if marks else 1.05)),
        )  # fmt: skip
        ax.yaxis.set_major_formatter(lambda value, _: count(value) if value == int(value) else "")
        return render(fig, name, f"Histogram of {xlabel} over {what}")
