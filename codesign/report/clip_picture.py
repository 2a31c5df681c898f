"""One clip as the network hears it: sound, input currents, states, logits and the decision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.files import atomic_path
from codesign.report.style import class_color, light, number
from codesign.report.svg import drawing, new_figure, plain

FORMATS = (".png", ".svg")
_WIDTH_PX, _DPI = 940.0, 160

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClipPicture:
    """What a picture shows of one clip; currents in units, values at the end of every frame.

    sound [n] inside [-1, 1] at rate_hz. inputs [frames, channels]; states [layers, units, frames],
    with the gain of every cell [layers, units] (a state is on above half of it; None for cells
    whose states are not two-valued); logits [frames, classes] of the engine, and the twin's where
    the engine is another. compared [classes] is what the rule tells classes apart by.
    ``taken_frame``: the frame whose end decides, None where several count;
    ``first_counted_frame``: the frames before it are shaded, for they count for nothing.
    """

    title: str
    sound: NDArray[np.float32]
    rate_hz: int
    frame_s: float
    inputs: Floats
    states: Floats
    gains: Floats | None
    logits: Floats
    twin_logits: Floats | None
    compared: Floats
    class_names: tuple[str, ...]
    decision: int
    margin_units: float
    rule: str
    engine: str
    taken_frame: int | None
    first_counted_frame: int


def draw(picture: ClipPicture) -> Figure:
    """The figure; call inside ``drawing()``."""
    layers, units, frames = picture.states.shape
    heights = [0.8, 1.1, *[max(0.45, min(1.3, 0.075 * units))] * layers, 1.5]
    fig = new_figure((_WIDTH_PX, 95.0 * sum(heights) + 130.0))
    grid = fig.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=(1, 0.2))
    first = fig.add_subplot(grid[0, 0])
    axes = [first, *(fig.add_subplot(grid[k, 0], sharex=first) for k in range(1, len(heights)))]
    # Frame k ends at k hops: its value is known from there on.
    edges = (np.arange(frames + 1) - 1) * picture.frame_s
    _sound(axes[0], picture)
    told, scale = (fig.add_subplot(grid[row, 1]) for row in (0, 1))
    for ax in (told, scale):
        ax.set_axis_off()
    _inputs(axes[1], scale, picture, edges)
    for layer in range(layers):
        _states(axes[2 + layer], picture, layer, edges)
    _logits(axes[-1], picture, edges)
    _compared(fig.add_subplot(grid[-1, 1]), picture)
    _verdict(told, picture)
    for ax in axes[:-1]:
        ax.tick_params(labelbottom=False)
    first.set_xlim(edges[0], edges[-1])
    fig.suptitle(plain(picture.title, 70), x=0.01, ha="left", fontsize=13, fontweight="bold")
    return fig


def save_picture(picture: ClipPicture, path: Path) -> None:
    """Draw and write a PNG or SVG, by the suffix; the same picture gives the same bytes.

    Raises InputError for another suffix, or a place that cannot be written.
    """
    if path.suffix not in FORMATS:
        raise InputError(f"--picture {path}: pictures are .png or .svg; end the name in one.")
    plainly: dict[str, Any] = {"metadata": {"Date": None}} if path.suffix == ".svg" else {}
    with drawing(), atomic_path(path) as temporary:
        draw(picture).savefig(
            temporary, format=path.suffix[1:], dpi=_DPI, facecolor=light("page"), **plainly
        )


def _sound(ax: Axes, picture: ClipPicture) -> None:
    time_s = np.arange(len(picture.sound)) / picture.rate_hz
    # Envelope of a thousand columns: what the eye sees of sixteen thousand samples.
    columns = min(1000, len(time_s))
    cut = len(time_s) // columns * columns
    blocks = picture.sound[:cut].reshape(columns, -1)
    middle = time_s[:cut].reshape(columns, -1).mean(axis=1)
    ax.fill_between(middle, blocks.min(axis=1), blocks.max(axis=1), color=light("ink"), lw=0.4)
    peak = max(float(np.abs(picture.sound).max()), 1e-3)
    ax.set_ylim(-1.05 * peak, 1.05 * peak)
    ax.set_yticks([])
    ax.grid(False)
    ax.set_title("Sound")


def _inputs(ax: Axes, side: Axes, picture: ClipPicture, edges: Floats) -> None:
    shades = LinearSegmentedColormap.from_list("inputs", [light("panel"), light("chip")])
    rows = np.arange(picture.inputs.shape[1] + 1)
    mesh = ax.pcolormesh(edges, rows, picture.inputs.T, cmap=shades, vmin=0.0, rasterized=True)
    _rows(ax, picture.inputs.shape[1])
    ax.set_title("Input currents")
    # In its own corner, so that all panels keep one time axis.
    bar = ax.figure.colorbar(mesh, cax=side.inset_axes((0.0, 0.1, 0.09, 0.8)))
    bar.outline.set_visible(False)
    bar.set_label("units")


def _states(ax: Axes, picture: ClipPicture, layer: int, edges: Floats) -> None:
    values, count = picture.states[layer], picture.states.shape[1]
    if picture.gains is not None:
        shades = LinearSegmentedColormap.from_list("on", [light("panel"), light("cells")])
        values = (values > picture.gains[layer][:, None] / 2).astype(float)
        low, high, told = 0.0, 1.0, "dark where one is on"
    else:
        names = [light("twin"), light("panel"), light("cells")]
        shades = LinearSegmentedColormap.from_list("signed", names)
        high = max(float(np.abs(values).max()), 1e-9)
        low, told = -high, f"orange to violet: −{number(high)} to {number(high)}"
    rows = np.arange(count + 1)
    ax.pcolormesh(edges, rows, values, cmap=shades, vmin=low, vmax=high, rasterized=True)
    for row in rows[1:-1]:
        ax.axhline(row, color=light("page"), linewidth=1.2)
    _rows(ax, count)
    ax.set_title(f"States, layer {layer}: {count} cells, {told}")


def _rows(ax: Axes, count: int) -> None:
    ax.grid(False)
    ax.set_ylim(count, 0)
    shown = [0, count - 1] if count > 1 else [0]
    ax.set_yticks([k + 0.5 for k in shown], [str(k) for k in shown])


def _logits(ax: Axes, picture: ClipPicture, edges: Floats) -> None:
    if picture.first_counted_frame > 0:
        ax.axvspan(edges[0], edges[picture.first_counted_frame], color=light("panel"), lw=0)
    for index in range(len(picture.class_names)):
        color, won = light(class_color(index)), index == picture.decision
        width = 2.4 if won else 1.3
        if picture.twin_logits is not None:
            ax.stairs(picture.twin_logits[:, index], edges, baseline=None, color=color,
                      linewidth=5.0, alpha=0.3)  # fmt: skip
        ax.stairs(picture.logits[:, index], edges, baseline=None, color=color, lw=width)
    ax.axhline(0, color=light("muted"), linewidth=0.8)
    if picture.taken_frame is not None:
        at = edges[picture.taken_frame + 1]
        value = picture.logits[picture.taken_frame, picture.decision]
        ax.axvline(at, color=light("ink"), linewidth=1.0, linestyle=(0, (4, 3)))
        ax.plot([at], [value], "o", color=light(class_color(picture.decision)), markersize=8,
                markeredgecolor=light("ink"), clip_on=False, zorder=5)  # fmt: skip
    twin = "; wide: the software twin" if picture.twin_logits is not None else ""
    ax.set_title(f"Logits, {picture.engine}{twin}")
    ax.set_ylabel("units")
    ax.set_xlabel("time (s)")


def _verdict(ax: Axes, picture: ClipPicture) -> None:
    """The word, large, in the colour of its logit; how it was decided below."""
    name, color = plain(picture.class_names[picture.decision], 14), class_color(picture.decision)
    size = 26 if len(name) < 8 else 17
    ax.text(0.0, 0.98, name, fontsize=size, fontweight="bold", color=light(color), va="top")
    told = f"margin {number(picture.margin_units)} units\n{picture.rule.replace('_', ' ')}"
    ax.text(0.0, 0.30, told, fontsize=10.5, color=light("muted"), va="top", linespacing=1.4)


def _compared(ax: Axes, picture: ClipPicture) -> None:
    """What decides, as bars in the colours of the logits; the winner is outlined."""
    values = picture.compared
    rows = np.arange(len(values))
    colors = [light(class_color(k)) for k in range(len(values))]
    bars = ax.barh(rows, values, color=colors, height=0.7)
    bars[picture.decision].set_edgecolor(light("ink"))
    bars[picture.decision].set_linewidth(1.6)
    ax.axvline(0, color=light("muted"), linewidth=0.8)
    ax.set_yticks(rows, [plain(name, 10) for name in picture.class_names])
    ax.invert_yaxis()
    ax.grid(False)
    ax.set_title("Compared")
    ax.set_xlabel("units")
