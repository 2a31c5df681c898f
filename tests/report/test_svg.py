"""Figures as inline SVG."""

import re
import xml.etree.ElementTree as ET

import pytest

from codesign.report.style import PALETTE, light
from codesign.report.svg import HALF, dots, drawing, new_figure, plain, render


def draw(label: str = "label", name: str = "fig") -> str:
    with drawing():
        figure = new_figure(HALF)
        ax = figure.subplots()
        ax.plot([0, 1], [0, 1], color=light("chip"), label=label)
        dots(ax, [0.2, 0.5], [0.4, 0.1], "twin")
        ax.legend()
        return str(render(figure, name, f"picture of {label}"))


def test_colours_follow_the_page() -> None:
    svg = draw()
    assert "var(--chip)" in svg
    assert "var(--twin)" in svg
    for name, (bright, _) in PALETTE.items():
        assert bright not in svg, name


def test_only_what_is_needed_and_the_same_each_time() -> None:
    svg = draw()
    assert svg == draw()
    for unwanted in ("http", "<metadata", "<style", "xmlns", "font-family", "<!--"):
        assert unwanted not in svg, unwanted


def test_identifiers_are_unique_in_a_page() -> None:
    ids = re.findall(r'id="([^"]+)"', draw(name="one") + draw(name="two"))
    assert len(ids) == len(set(ids))
    svg = draw(name="one")
    for target in re.findall(r'(?:url\(#|href="#)([^")]+)', svg):
        assert f'id="{target}"' in svg


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '" onload="alert(1)',
        "$\\undefined{x}$",
        "]]>&amp;<!--",
        "\x00\x08\x1b[31m",
        "数字",
    ],
)
def test_hostile_names_stay_text(name: str) -> None:
    shown = plain(name)
    root = ET.fromstring(draw(shown))
    texts = [element.text for element in root.iter("text")]
    assert shown in texts
    assert {element.tag for element in root.iter()} <= {"svg", "g", "path", "defs", "use", "text",
                                                         "clipPath", "rect"}  # fmt: skip
    assert not [key for element in root.iter() for key in element.attrib if key.startswith("on")]


def test_long_names_are_cut() -> None:
    assert plain("x" * 100, 10) == "x" * 9 + "…"
