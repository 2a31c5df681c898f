"""Heat maps and rasters as vector figures that follow the page's colours."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import ArrayLike, NDArray

from codesign.report.style import light

Floats = NDArray[np.float64]
LEVELS = 7
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
_CODES = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]


def boxes(shades: NDArray[np.int64], level: int) -> list[tuple[int, int, int]]:
    """Runs of ``level`` along time in shades [T, rows], each (row, first, length)."""
    found = []
    for row in range(shades.shape[1]):
        mark = np.concatenate([[0], shades[:, row] == level, [0]]).astype(np.int8)
        change = np.flatnonzero(np.diff(mark))
        found += [
            (row, int(first), int(stop - first))
            for first, stop in zip(change[::2], change[1::2], strict=True)
        ]
    return found


def shades_of(values: ArrayLike, largest: float) -> NDArray[np.int64]:
    """Values from 0 to ``largest`` as levels 0 (nothing) to LEVELS."""
    if largest <= 0:
        return np.zeros(np.shape(values), np.int64)
    return np.rint(np.clip(np.asarray(values) / largest, 0, 1) * LEVELS).astype(np.int64)


def heat(ax: Axes, values: ArrayLike, role: str, largest: float, gap: float = 0.0) -> None:
    """Values [T, rows] as shades of one colour; row 0 on top, frame t from t to t + 1.

    ``gap`` is the part of a row left empty below it. Runs of one shade are one box.
    """
    shades = shades_of(values, largest)
    for level in range(1, LEVELS + 1):
        found = boxes(shades, level)
        if not found:
            continue
        corners = [
            _CORNERS * (length, 1 - gap) + (first, row + gap / 2) for row, first, length in found
        ]
        path = Path(np.concatenate(corners), _CODES * len(found))
        path.should_simplify = False
        ax.add_patch(PathPatch(path, facecolor=light(role), alpha=level / LEVELS, linewidth=0))


def binned(values: Floats, most: int) -> tuple[Floats, int]:
    """Values [T, rows] averaged over at most ``most`` bins of equal length, and that length."""
    length = -(-len(values) // most)
    if length == 1:
        return values, 1
    whole = len(values) // length * length
    return values[:whole].reshape(-1, length, values.shape[1]).mean(1), length
