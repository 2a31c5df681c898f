"""What the figures of the page share: colours by polarity, and lines on given axes."""

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from codesign.report.style import light

# Blue and orange mean chip and twin in this product's pages, so polarities have other colours.
ROLES = {"n": "cells", "p": "feedforward", "nmos": "cells", "pmos": "feedforward"}
NAMES = {"n": "NMOS", "p": "PMOS", "nmos": "NMOS", "pmos": "PMOS"}
KIND_NAMES = {
    "p_to_sum": "P line to sum",
    "n_to_sum": "N line to sum",
    "n_to_p": "N line to P line",
    "p_to_readout": "P line to readout",
    "n_to_readout": "N line to readout",
}
KIND_ROLES = dict(zip(KIND_NAMES, ("class0", "class1", "class2", "class3", "class4"), strict=True))


def parts(table: pd.DataFrame, *keys: str) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Rows with equal values in ``keys``, with these values, in the order of the table."""
    for values, part in table.groupby(list(keys), sort=False):
        yield tuple(values), part


def line(
    ax: Axes, x: Iterable[float], y: Iterable[float], role: str, label: str = "", style: str = "-"
) -> None:
    """One line in a colour of the palette."""
    ax.plot(list(x), list(y), style, color=light(role), label=label or None, markersize=4)


def log_grid(ax: Axes) -> None:
    """Decades written as plain numbers, and grid lines at them only."""
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.grid(True, which="major", axis="both")
    ax.minorticks_off()
