"""Read the hand-written subcircuits of ``netlists/`` into the circuit's own data.

The files are plain SPICE in a small dialect: ``.subckt`` with parameters, transistors of the
models of ``generic180``, capacitors, calls of subcircuits, comments and ``+`` continuations.
Anything else is an error, so that the data and the text can never disagree silently. Networks the
product writes are in the same dialect, with a PDK's model names.
"""

import re
from pathlib import Path

from codesign.circuit.elements import (
    Call,
    Capacitor,
    Element,
    Group,
    Library,
    Mosfet,
    Polarity,
    Subcircuit,
)
from codesign.errors import InputError
from codesign.resources import resource_dir

LIBRARY_FILES = ("mirrors.cir", "bmru_async.cir", "bmru_strobed.cir", "bias.cir")
NMOS, PMOS = "generic180_nmos", "generic180_pmos"

_SCALES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "": 1.0}
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?)([fpnumk]?)", re.IGNORECASE)


def library_text(name: str) -> str:
    """The text of one library file as shipped."""
    return (resource_dir("netlists") / name).read_text(encoding="utf-8")


def with_models(text: str, nmos: str, pmos: str) -> str:
    """The text with the generic model names replaced by those of a PDK."""
    return re.sub(rf"\b({NMOS}|{PMOS})\b", lambda m: nmos if m[1] == NMOS else pmos, text)


def read_library(folder: Path | None = None) -> dict[str, Subcircuit]:
    """All subcircuits of the cell library, by name."""
    folder = folder or resource_dir("netlists")
    subcircuits: dict[str, Subcircuit] = {}
    for name in LIBRARY_FILES:
        path = folder / name
        for subcircuit in parse_subcircuits(path.read_text(encoding="utf-8"), str(path)):
            subcircuits[subcircuit.name] = subcircuit
    return subcircuits


def read_network(folder: Path, nmos: str, pmos: str) -> Library:
    """The network of a design folder as it stands on disk, edited by hand or not.

    ``nmos`` and ``pmos`` are the PDK's model names. Raises InputError for a missing file or a line
    outside the dialect.
    """
    subcircuits: dict[str, Subcircuit] = {}
    for path in [*sorted((folder / "cells").glob("*.cir")), folder / "network.cir"]:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror}.") from error
        for subcircuit in parse_subcircuits(text, str(path), nmos, pmos):
            subcircuits[subcircuit.name] = subcircuit
    return Library("network", subcircuits)


def parse_subcircuits(
    text: str, where: str, nmos: str = NMOS, pmos: str = PMOS
) -> list[Subcircuit]:
    """Subcircuits of a text in the library's dialect; InputError names the line that is not."""
    subcircuits: list[Subcircuit] = []
    header: tuple[str, tuple[str, ...], dict[str, float]] | None = None
    elements: list[Element] = []
    for number, line in _logical_lines(text):
        words = line.split()
        keyword = words[0].lower()
        try:
            if keyword == ".subckt" and header is None:
                ports = tuple(word for word in words[2:] if "=" not in word)
                defaults = {key: float(value) for key, value in _assignments(words[2:]).items()}
                header, elements = (words[1], ports, defaults), []
            elif keyword == ".ends" and header is not None:
                name, ports, defaults = header
                groups = (Group("", tuple(elements)),)
                subcircuits.append(Subcircuit(name, ports, groups, parameters=defaults))
                header = None
            elif header is not None and keyword[0] == "m" and words[5] in (nmos, pmos):
                elements.append(_mosfet(words, "n" if words[5] == nmos else "p"))
            elif header is not None and keyword[0] == "c":
                elements.append(Capacitor(words[0], words[1], words[2], _value(words[3])))
            elif header is not None and keyword[0] == "x":
                plain = [word for word in words[1:] if "=" not in word]
                elements.append(Call(words[0], plain[-1], tuple(plain[:-1]), _assignments(words)))
            elif keyword == ".include" and header is None:
                continue
            else:
                raise ValueError("not part of the library dialect")
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise InputError(f"{where}, line {number}: cannot read '{line}' ({error}).") from error
    return subcircuits


def _mosfet(words: list[str], polarity: Polarity) -> Mosfet:
    name, drain, gate, source, bulk = words[:5]
    values = _assignments(words[6:])
    m = _integer(values.get("m", 1))
    return Mosfet(name, drain, gate, source, bulk, polarity, values["w"], values["l"], m)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("*"):
            continue
        if stripped.startswith("+"):
            first, before = lines[-1]
            lines[-1] = (first, f"{before} {stripped[1:].strip()}")
        else:
            lines.append((number, stripped))
    return lines


def _assignments(words: list[str]) -> dict[str, float | str]:
    pairs = (word.split("=", 1) for word in words if "=" in word)
    return {key.lower(): _value(value) for key, value in pairs}


def _value(text: str) -> float | str:
    if text.startswith("{") and text.endswith("}"):
        return text[1:-1]
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a number")
    return float(match[1]) * _SCALES[match[2].lower()]


def _integer(value: float | str) -> int | str:
    return value if isinstance(value, str) else round(value)
