"""Figures as inline SVG that follows the page: its colours, its fonts, light or dark.

matplotlib draws with the light palette on a transparent ground; the SVG is then parsed and
rewritten: colours become CSS variables, ids are made unique in the page, fonts are inherited,
and metadata (which holds the date) goes. The same figure gives the same bytes.
"""

import io
import re
import unicodedata
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from codesign.report.style import PALETTE, light

HALF = (430.0, 300.0)
WIDE = (940.0, 300.0)
NARROW = (370.0, 300.0)

_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "codesign",
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "font.family": "DejaVu Sans",
    "font.size": 11.0,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11.0,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.fontsize": 10.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.borderaxespad": 0.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "xtick.major.width": 0.8,
    "path.simplify": True,
    "figure.constrained_layout.use": True,
}


@contextmanager
def drawing() -> Iterator[None]:
    """matplotlib settings of the house, for the duration of one figure."""
    colours = {
        "text.color": light("ink"),
        "axes.labelcolor": light("muted"),
        "axes.edgecolor": light("muted"),
        "axes.titlecolor": light("ink"),
        "xtick.color": light("muted"),
        "ytick.color": light("muted"),
        "grid.color": light("rule"),
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
    }
    with matplotlib.rc_context({**_RC, **colours}), warnings.catch_warnings():  # type: ignore[dict-item]
        # Glyphs missing from the layout font are drawn by the reader's own fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_figure(size: tuple[float, float]) -> Figure:
    """A figure of ``size`` in CSS pixels; call inside ``drawing()``."""
    return Figure(figsize=(size[0] / 72, size[1] / 72))


def plain(text: object, limit: int = 28) -> str:
    """A name from a file, fit for a figure: no control characters, not too long."""
    kept = "".join(
        "\ufffd" if unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") else c for c in str(text)
    )
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def dots(ax: Axes, x: list[float], y: list[float], color: str, size: float = 3.2) -> None:
    """A scatter as one path of round caps: a tenth of the bytes of one marker per point."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if not x:
        return
    vertices = [(a, b) for a, b in zip(x, y, strict=True) for _ in (0, 1)]
    codes = [Path.MOVETO, Path.LINETO] * len(x)
    path = Path(vertices, codes)
    path.should_simplify = False
    ax.add_patch(
        PathPatch(
            path, facecolor="none", edgecolor=light(color), linewidth=size,
            capstyle="round", alpha=0.75,
        )
    )  # fmt: skip


def render(figure: Figure, name: str, label: str) -> Markup:
    """The figure as inline SVG; ``name`` is unique in the page, ``label`` is its alternative text.

    Call inside ``drawing()``.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # Text that matplotlib has just written: nobody else's, no document type, no entities.
    root = ET.fromstring(buffer.getvalue())  # noqa: S314
    _strip(root)
    # matplotlib makes ids of hashes of coordinates, whose last bits its layout does not repeat.
    ids: dict[str, str] = {}
    for element in root.iter():
        if (own := element.get("id")) and _local(element.tag) != "g":
            ids.setdefault(own, f"{name}-{len(ids)}")
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {
            _local(key): _value(_local(key), value, ids)
            for key, value in element.attrib.items()
            if not (_local(key) == "id" and element.tag == "g")
        }
        if element.attrib.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        if element.text and not element.text.strip():
            element.text = None
        if element.tail and not element.tail.strip():
            element.tail = None
    width, height = (72 * side for side in figure.get_size_inches())
    root.attrib = {
        "viewBox": f"0 0 {width:.0f} {height:.0f}",
        "role": "img",
        "aria-label": label,
        "class": "figure",
        "style": f"max-width:{width * 1.12:.0f}px",
    }
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - serialised by ElementTree


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _strip(root: ET.Element) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)


_COLOURS = {pair[0]: f"var(--{name})" for name, pair in PALETTE.items()}
_HEX = re.compile("|".join(_COLOURS))
_FAMILY = re.compile(r"font-family: [^;]*; ?")
_LONG = re.compile(r"(-?\d+\.\d{2})\d+")


def _value(key: str, value: str, ids: dict[str, str]) -> str:
    if key == "id":
        return ids[value]
    if key == "href" and value.startswith("#"):
        return f"#{ids[value[1:]]}"
    if key in ("d", "x", "y", "transform", "points"):
        return " ".join(_LONG.sub(r"\1", value).split())
    if key == "clip-path":
        return f"url(#{ids[value[5:-1]]})"
    if key == "style":
        value = _HEX.sub(lambda match: _COLOURS[match.group()], _FAMILY.sub("", value))
        return _LONG.sub(r"\1", value).replace(": ", ":").replace("; ", ";")
    return value
