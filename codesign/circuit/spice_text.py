"""Write a circuit as SPICE a designer enjoys reading: aligned, commented, block by block."""

import re
from collections.abc import Iterable

from codesign.circuit.elements import Call, Capacitor, Element, Library, Mosfet, Subcircuit

_WIDTH = 96
_SAFE = re.compile(r"[^A-Za-z0-9_.+\-:,;()\[\]/=<>*' ]")


def comment(text: str) -> str:
    """Text as a comment line: nothing in it can end the line or start a directive."""
    return "* " + _SAFE.sub("?", text)


def engineering(value: float) -> str:
    """A number with a SPICE scale suffix: ``1.2e-6`` -> ``1.2u``."""
    if value == 0:
        return "0"
    for exponent, suffix in ((-15, "f"), (-12, "p"), (-9, "n"), (-6, "u"), (-3, "m"), (0, "")):
        scaled = value / 10.0**exponent
        if abs(scaled) < 999.9999:
            return f"{scaled:.6g}{suffix}"
    return f"{value:.6g}"


def network_text(library: Library, models: dict[str, str], shipped: Iterable[str]) -> str:
    """All blocks of a network; those named in ``shipped`` are in the cell library's files.

    ``models`` maps ``"n"`` and ``"p"`` to the model names of the PDK. A block is written before
    the block that calls it.
    """
    left_out = set(shipped)
    blocks = [block for name, block in library.subcircuits.items() if name not in left_out]
    return "\n".join(subcircuit_text(block, models) for block in blocks)


def subcircuit_text(block: Subcircuit, models: dict[str, str]) -> str:
    """One ``.subckt`` with its comments."""
    lines = ["*" + "-" * 78, comment(block.comment or block.name)]
    lines += _wrapped(f".subckt {block.name}", block.ports)
    for group in block.groups:
        if group.comment:
            lines += _wrapped_comment(group.comment)
        name_width = max(len(element.name) for element in group.elements)
        for element in group.elements:
            lines += _element_lines(element, name_width, models)
    return "\n".join([*lines, f".ends {block.name}", ""])


def _element_lines(element: Element, width: int, models: dict[str, str]) -> list[str]:
    name = element.name.ljust(width)
    if isinstance(element, Mosfet):
        multiplicity = "" if element.m == 1 else f" m={element.m}"
        size = f"w={_number(element.w_m)} l={_number(element.l_m)}{multiplicity}"
        return [f"{name} {' '.join(element.nodes)} {models[element.polarity]} {size}"]
    if isinstance(element, Capacitor):
        return [f"{name} {' '.join(element.nodes)} {_number(element.capacitance_f)}"]
    return _call_lines(element, name)


def _call_lines(call: Call, name: str) -> list[str]:
    words = [*call.nodes, call.subckt]
    words += [f"{key}={_number(value)}" for key, value in call.parameters.items()]
    return _wrapped(name, words)


def _number(value: float | int | str) -> str:
    return f"{{{value}}}" if isinstance(value, str) else engineering(float(value))


def _wrapped(start: str, words: Iterable[str]) -> list[str]:
    lines, line = [], start
    for word in words:
        if len(line) + 1 + len(word) > _WIDTH:
            lines.append(line)
            line = "+"
        line += f" {word}"
    return [*lines, line]


def _wrapped_comment(text: str) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if len(line) + 1 + len(word) > _WIDTH - 2:
            lines.append(comment(line))
            line = "   "
        line = f"{line} {word}" if line else word
    return [*lines, comment(line)]
