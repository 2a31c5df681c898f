"""One palette and one way of writing quantities for every figure and page.

Figures are drawn with the light palette; ``codesign.report.svg`` replaces each of these colours
by the CSS variable of the same name, so that one figure serves light, dark and print. Chip is
blue and twin is orange everywhere (distinguishable in all common colour blindnesses); no meaning
is carried by colour alone.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

NBSP = "\u00a0"
THIN = "\u202f"
MISSING = "\u2013"

# name: (light, dark). Light values must differ from one another: they identify the variable.
PALETTE: dict[str, tuple[str, str]] = {
    "page": ("#ffffff", "#12161c"),
    "panel": ("#f5f7f9", "#1a2028"),
    "ink": ("#17202b", "#e8ecf1"),
    "muted": ("#586472", "#9daab8"),
    "rule": ("#dce2e8", "#303a46"),
    "chip": ("#1b5fa8", "#6db3f2"),
    "twin": ("#c8630a", "#f5a452"),
    "good": ("#19734a", "#53c794"),
    "bad": ("#b0261f", "#ff8a80"),
    "warn": ("#8a5a00", "#e8b949"),
    "cells": ("#6a4c9c", "#b79bea"),
    "feedforward": ("#1f8a80", "#4cc4b6"),
    "bias": ("#8b97a5", "#8894a3"),
    "strobe": ("#a8791a", "#d9b45c"),
    "class0": ("#0a6ebd", "#63b0ee"),
    "class1": ("#d1590c", "#f7a15c"),
    "class2": ("#0b8a68", "#3fc79c"),
    "class3": ("#b0578d", "#e79cc6"),
    "class4": ("#a07c00", "#e6c54a"),
    "class5": ("#3fa0d8", "#9bd6f7"),
    "class6": ("#59636f", "#aab4bf"),
    "class7": ("#7a3b12", "#c9946e"),
}

BLOCKS: dict[str, str] = {
    "cells": "Recurrent cells",
    "feedforward": "Feed-forward",
    "bias": "Bias",
    "strobe": "Strobe generator",
}

_PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M"}


def light(name: str) -> str:
    """The light-palette colour of a role, for matplotlib."""
    return PALETTE[name][0]


def class_color(index: int) -> str:
    """Role of the ``index``-th class; colours repeat after eight (labels tell them apart)."""
    return f"class{index % 8}"


def palette_css() -> str:
    """CSS variables for light, dark (system or chosen) and print."""
    bright = ";".join(f"--{name}:{pair[0]}" for name, pair in PALETTE.items())
    dark = ";".join(f"--{name}:{pair[1]}" for name, pair in PALETTE.items())
    return (
        f":root{{color-scheme:light;{bright}}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light])"
        f"{{color-scheme:dark;{dark}}}}}\n"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}\n"
        f"@media print{{:root,:root:not([data-theme=light]),:root[data-theme=dark]"
        f"{{color-scheme:light;{bright}}}}}\n"
    )


def is_number(value: Any) -> TypeGuard[float]:
    """Whether ``value`` is a finite real number (not a bool, None or NaN)."""
    if value is None or isinstance(value, (bool, str, bytes)):
        return False
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def number(value: Any, digits: int = 3) -> str:
    """A plain number with ``digits`` significant digits, without exponent where readable."""
    if not is_number(value):
        return MISSING
    # Rounding first: 0.9996 has the digits of 1.00, not of 0.9996.
    value = float(f"{float(value):.{digits - 1}e}")
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -4 or magnitude > 6:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    text = f"{value:,.{max(0, digits - 1 - magnitude)}f}"
    return text.replace(",", THIN if magnitude > 3 else "").replace("-", "−")


def fixed(value: Any, decimals: int = 3) -> str:
    """A number with a fixed number of decimals, for columns that are compared by eye."""
    return f"{float(value):.{decimals}f}".replace("-", "−") if is_number(value) else MISSING


def count(value: Any) -> str:
    """A whole number with thin spaces between thousands (from five digits on)."""
    if not is_number(value):
        return MISSING
    whole = round(float(value))
    return f"{whole:,}".replace(",", THIN if abs(whole) > 9999 else "").replace("-", "−")


def prefix(value: float) -> tuple[float, str]:
    """Factor and SI prefix that bring ``value`` into [1, 1000): value * factor is shown."""
    if not is_number(value) or value == 0:
        return 1.0, ""
    # Rounded as it will be printed: 999.7 n is 1.00 µ.
    exponent = 3 * math.floor(math.log10(abs(float(f"{float(value):.2e}"))) / 3)
    exponent = max(-18, min(6, exponent))
    return 10.0**-exponent, _PREFIXES[exponent]


def quantity(value: Any, unit: str, digits: int = 3) -> str:
    """A value with SI prefix and unit: ``quantity(6.14e-8, "W")`` is ``61.4 nW``."""
    if not is_number(value):
        return MISSING
    if float(value) == 0:
        return f"0{NBSP}{unit}"
    factor, letter = prefix(float(value))
    return f"{number(float(value) * factor, digits)}{NBSP}{letter}{unit}"


def split_quantity(value: Any, unit: str, digits: int = 3) -> tuple[str, str]:
    """``quantity`` as (figure, unit), for headline cards that set them in different sizes."""
    text, _, shown = quantity(value, unit, digits).partition(NBSP)
    return text, shown


def area(value: Any) -> str:
    """An area given in square metres, in µm² or mm²."""
    if not is_number(value):
        return MISSING
    if abs(float(value)) < 1e-7:
        return f"{count(float(value) * 1e12)}{NBSP}µm²"
    return f"{number(float(value) * 1e6)}{NBSP}mm²"


def percent(fraction: Any, decimals: int = 1) -> str:
    """A fraction as a percentage that says 100 % (or 0 %) only when it is exactly that."""
    if not is_number(fraction):
        return MISSING
    value = 100 * float(fraction)
    step = 10.0**-decimals
    if value < 100 <= round(value, decimals):
        value = 100 - step
    if value > 0 and round(value, decimals) <= 0:
        value = step
    text = f"{value:.{decimals}f}"
    if value in (0, 100):
        text = f"{value:.0f}"
    return f"{text}{NBSP}%".replace("-", "−")


def signed(value: Any, decimals: int = 1) -> str:
    """A number with its sign written, minus as a real minus; zero has none."""
    text = fixed(value, decimals)
    return f"+{text}" if is_number(value) and float(value) > 0 else text


def axis_scale(values: Sequence[float], unit: str) -> tuple[float, str]:
    """Factor and unit text for an axis that holds ``values``."""
    finite = [abs(float(v)) for v in values if is_number(v)]
    factor, letter = prefix(max(finite)) if finite and max(finite) > 0 else (1.0, "")
    return factor, f"{letter}{unit}"
