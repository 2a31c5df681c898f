"""Matrices of the points of a process: corners down, supplies and temperatures across.

Drawn as SVG elements, not by matplotlib: a page has some thousand of these small cells.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from codesign.report.page import Figure
from codesign.report.svg import NARROW, WIDE

# CSS pixels.
_LEFT, _GAP = 52.0, 22.0
_TITLE, _ROW, _AXIS, _BELOW = 22.0, 24.0, 34.0, 16.0


@dataclass(frozen=True)
class Panel:
    """One matrix: its title, what a cell says of a row of the table, and how it is tinted.

    ``tint`` gives the palette name and the strength (0 to 1).
    """

    title: str
    text: Callable[[Any], str]
    tint: Callable[[Any], tuple[str, float]]


@dataclass(frozen=True)
class _Axes:
    """Corners down, (supply, temperature) across."""

    corners: tuple[str, ...]
    columns: tuple[tuple[float, float], ...]

    @property
    def height(self) -> float:
        return _TITLE + len(self.corners) * _ROW + _AXIS + _BELOW


def matrices(points: pd.DataFrame, panels: Sequence[Panel], caption: str) -> Figure:
    """The panels side by side in pairs, and one below another on a phone."""
    rows: list[Any] = list(points.sort_values("point").itertuples())
    axes = _Axes(
        tuple(dict.fromkeys(row.corner for row in rows)),
        tuple(sorted({(row.supply_v, row.temperature_c) for row in rows})),
    )
    return Figure(
        _draw(rows, panels, axes, 2, WIDE[0]), caption, _draw(rows, panels, axes, 1, NARROW[0])
    )


def _draw(
    rows: Sequence[Any], panels: Sequence[Panel], axes: _Axes, across: int, width: float
) -> Markup:
    down = -(-len(panels) // across)
    height = down * axes.height
    root = ET.Element(
        "svg",
        {
            "viewBox": f"0 0 {width:g} {height:g}",
            "role": "img",
            "aria-label": "; ".join(panel.title for panel in panels),
            "class": "figure",
            "style": f"max-width:{width * 1.12:.0f}px",
        },
    )
    panel_width = (width - (across - 1) * _GAP) / across
    for k, panel in enumerate(panels):
        x, y = (k % across) * (panel_width + _GAP), (k // across) * axes.height
        place = {"transform": f"translate({x:.1f} {y:.1f})"}
        _panel(ET.SubElement(root, "g", place), rows, panel, axes, panel_width)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - serialised by ElementTree


def _panel(group: ET.Element, rows: Iterable[Any], panel: Panel, axes: _Axes, width: float) -> None:
    step = (width - _LEFT) / len(axes.columns)
    _text(group, _LEFT, 14, panel.title, 11.5, "ink", "start", bold=True)
    for k, corner in enumerate(axes.corners):
        _text(group, _LEFT - 5, _middle(k), corner, 9.5, "muted", "end")
    for row in rows:
        column = axes.columns.index((row.supply_v, row.temperature_c))
        line = axes.corners.index(row.corner)
        colour, strength = panel.tint(row)
        tint = 0.08 + 0.5 * min(1.0, max(0.0, strength))
        ET.SubElement(
            group,
            "rect",
            {
                "x": f"{_LEFT + column * step:.1f}",
                "y": f"{_TITLE + line * _ROW:.1f}",
                "width": f"{step - 1.5:.1f}",
                "height": f"{_ROW - 1.5:.1f}",
                "style": f"fill:var(--{colour});fill-opacity:{tint:.2f}",
            },
        )
        centre = _LEFT + (column + 0.5) * step - 0.75
        _text(group, centre, _middle(line), panel.text(row), 9.5, "ink", "middle")
    bottom = _TITLE + len(axes.corners) * _ROW
    supplies: dict[float, list[float]] = {}
    for k, (volts, celsius) in enumerate(axes.columns):
        centre = _LEFT + (k + 0.5) * step
        supplies.setdefault(volts, []).append(centre)
        shown = f"{celsius:g}°".replace("-", "−")
        _text(group, centre, bottom + 13, shown, 9.5, "muted", "middle")
    for volts, centres in supplies.items():
        centre = sum(centres) / len(centres)
        _text(group, centre, bottom + 28, f"{volts:g} V", 10.0, "muted", "middle")


def _middle(row: int) -> float:
    """Baseline of the text in the middle of a row."""
    return _TITLE + (row + 0.5) * _ROW + 2.6


def _text(
    group: ET.Element, x: float, y: float, said: str, size: float, colour: str, anchor: str,
    bold: bool = False,
) -> None:  # fmt: skip
    style = f"font-size:{size:g}px;fill:var(--{colour});text-anchor:{anchor}"
    if bold:
        style += ";font-weight:700"
    ET.SubElement(group, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "style": style}).text = said
