"""How quantities are written."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.report import style


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (6.14e-8, "W", "61.4 nW"),
        (1e-9, "A", "1.00 nA"),
        (5.04e-11, "A", "50.4 pA"),
        (2.5e-6, "A", "2.50 µA"),
        (3.2e-14, "J", "32.0 fJ"),
        (4.9e-12, "J", "4.90 pJ"),
        (0.0, "W", "0 W"),
        (-1.25e-9, "A", "−1.25 nA"),
        (999.7e-9, "W", "1.00 µW"),  # rounds into the next prefix
        (None, "W", "–"),
        (math.nan, "W", "–"),
        (math.inf, "W", "–"),
    ],
)
def test_quantity(value: float | None, unit: str, shown: str) -> None:
    assert style.quantity(value, unit) == shown.replace(" ", style.NBSP)


@given(st.floats(min_value=1e-17, max_value=1e5))
def test_quantity_is_readable_and_right(value: float) -> None:
    text, unit = style.split_quantity(value, "W")
    assert 1 <= float(text) < 1000
    factor = {v: 10.0**k for k, v in style._PREFIXES.items()}[unit.removesuffix("W")]
    assert float(text) * factor == pytest.approx(value, rel=0.006)


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (1.0, "100 %"),
        (0.99999, "99.9 %"),  # never rounded up to all
        (0.9934, "99.3 %"),
        (0.0, "0 %"),
        (1e-6, "0.1 %"),  # never rounded down to none
        (None, "–"),
    ],
)
def test_percent_says_all_only_for_all(fraction: float | None, shown: str) -> None:
    assert style.percent(fraction) == shown.replace(" ", style.NBSP)


def test_numbers_counts_and_areas() -> None:
    assert style.number(0.01234) == "0.0123"
    assert style.number(-1.5, 2) == "−1.5"
    assert style.number(1.2e-9) == "1.20e−09"
    assert style.number(0.9996) == "1.00"
    assert style.count(9999) == "9999"
    assert style.count(12345) == f"12{style.THIN}345"
    assert style.area(2.4e-8) == f"24{style.THIN}000 µm²".replace(" ", style.NBSP)
    assert style.area(3e-6) == "3.00 mm²".replace(" ", style.NBSP)
    assert style.signed(1.4) == "+1.4"
    assert style.signed(-1.4) == "−1.4"
    assert style.signed(0.0) == "0.0"


def test_palette_roles_can_be_told_apart() -> None:
    """The light colour identifies the CSS variable, so no two roles may share one."""
    bright = [pair[0] for pair in style.PALETTE.values()]
    assert len(set(bright)) == len(bright)
    assert all(colour == colour.lower() and len(colour) == 7 for colour in bright)


def luminance(colour: str) -> float:
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("role", ["ink", "muted", "good", "bad", "warn"])
@pytest.mark.parametrize("ground", ["page", "panel"])
def test_text_has_contrast(mode: int, role: str, ground: str) -> None:
    """WCAG 2 AA: at least 4.5 to 1 for text."""
    a, b = (luminance(style.PALETTE[name][mode]) for name in (role, ground))
    assert (max(a, b) + 0.05) / (min(a, b) + 0.05) >= 4.5


@pytest.mark.parametrize("mode", [0, 1])
def test_traces_have_contrast(mode: int) -> None:
    """WCAG 2 asks 3 to 1 of graphics."""
    ground = luminance(style.PALETTE["page"][mode])
    for role in ("chip", "twin", "cells", "feedforward", *(f"class{n}" for n in range(4))):
        mark = luminance(style.PALETTE[role][mode])
        assert (max(mark, ground) + 0.05) / (min(mark, ground) + 0.05) >= 3, role
