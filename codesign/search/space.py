"""What a sweep tries: lists and ranges of flow keys, all combinations of them or random draws.

An axis is written as on the command line, ``network.state_dim=4,8,16`` or, for random search,
``training.learning_rate=1e-3..1e-1:log``. Values are kept as the text that stands in a flow;
whether a key exists and takes the value is for ``codesign.flows`` to say.
"""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign.errors import InputError

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})\s*(:log)?")
_DIGITS = 4  # significant ones of a drawn number: as many as anybody would type
_REDRAWS = 1000


@dataclass(frozen=True)
class Choices:
    """A key and the values it takes, as text."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """A key and the numbers between which it is drawn, evenly or (log) evenly in the logarithm;
    integers where both ends are written as such."""

    key: str
    low: float
    high: float
    log: bool
    whole: bool


Axis = Choices | Range
Settings = tuple[tuple[str, str], ...]
"""(key, value) of one combination, in the order of the axes."""


def parse_axis(text: str) -> Axis:
    """An axis from ``key=a,b,c`` or ``key=low..high[:log]``.

    Raises InputError when there is no key, no value, a value twice, or a range that is none.
    """
    key, sign, rest = (part.strip() for part in text.partition("="))
    if not sign or not all(part.strip() for part in key.split(".")):
        raise InputError(
            f"--over {text!r} is not of the form key=value,value, as in network.state_dim=4,8,16."
        )
    if key == "seed":
        raise InputError("--over seed: seeds are counted by --seeds N, from the flow's own on.")
    found = _RANGE.fullmatch(rest)
    if found:
        return _range(key, found, text)
    values = _split(rest)
    if not rest or not all(values):
        raise InputError(
            f"--over {text!r} has an empty value; list the values as in {key or 'key'}=4,8,16."
        )
    if len(set(values)) != len(values):
        raise InputError(f"--over {text!r} lists a value twice; list each once.")
    return Choices(key, tuple(values))


def _range(key: str, found: re.Match[str], text: str) -> Range:
    low, high = float(found.group(1)), float(found.group(2))
    log = found.group(3) is not None
    if not low < high or not math.isfinite(high - low):
        raise InputError(f"--over {text!r}: the range must go from a number to a larger one.")
    if log and low <= 0:
        raise InputError(f"--over {text!r}: a logarithmic range must begin above 0.")
    whole = all(re.fullmatch(r"[+-]?\d+", found.group(n)) for n in (1, 2))
    return Range(key, low, high, log, whole)


def _split(text: str) -> list[str]:
    """Parts between commas that are outside brackets and quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def grid(axes: Sequence[Axis]) -> list[Settings]:
    """All combinations, the last axis fastest. Raises InputError for a range, or a key twice."""
    _distinct(axes)
    for axis in axes:
        if isinstance(axis, Range):
            raise InputError(
                f"--over {axis.key} is a range, from which --random N draws; without it list the "
                "values."
            )
    lists = [[(a.key, value) for value in a.values] for a in axes if isinstance(a, Choices)]
    return list(itertools.product(*lists))


def drawn(axes: Sequence[Axis], count: int, seed: int) -> list[Settings]:
    """``count`` different random combinations; the n-th depends on the seed and n alone, so that a
    larger count keeps those of a smaller one.

    Raises InputError when the axes do not have so many, or for a key twice.
    """
    _distinct(axes)
    found: dict[Settings, None] = {}
    for index in itertools.count():
        if len(found) == count:
            return list(found)
        if index >= _REDRAWS + 10 * count:
            raise InputError(
                f"--random {count}: the given axes have only about {len(found)} different "
                "combinations; ask for fewer, or leave --random out to try all."
            )
        generator = np.random.default_rng([seed, index])
        found[tuple((axis.key, _draw(axis, generator)) for axis in axes)] = None
    raise AssertionError("unreachable")


def _draw(axis: Axis, generator: np.random.Generator) -> str:
    if isinstance(axis, Choices):
        return axis.values[int(generator.integers(len(axis.values)))]
    if axis.whole and not axis.log:
        return str(int(generator.integers(int(axis.low), int(axis.high) + 1)))
    part = float(generator.random())
    if axis.log:
        value = axis.low * (axis.high / axis.low) ** part
    else:
        value = axis.low + part * (axis.high - axis.low)
    if axis.whole:
        return str(min(int(axis.high), max(int(axis.low), round(value))))
    return f"{min(axis.high, max(axis.low, float(f'{value:.{_DIGITS}g}'))):g}"


def _distinct(axes: Sequence[Axis]) -> None:
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"--over {key} is given twice; list all its values in one.")


def folder_names(combinations: Sequence[Settings]) -> list[str]:
    """A readable folder name for each combination, as in ``state_dim-8_cell-mingru``.

    A key is shortened to its last part where no other key of the sweep ends so. Names that would
    be equal, too long or hidden are numbered.
    """
    short = short_keys([key for key, _ in combinations[0]] if combinations else [])
    names: list[str] = []
    for settings in combinations:
        parts = (f"{short[key]}-{_safe(value)}" for key, value in settings)
        name = "_".join(parts)[:120] or "flow"
        if name in names:
            name = f"{name}_{sum(other.startswith(name) for other in names) + 1}"
        names.append(name)
    return names


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each dotted key, or the whole keys where two would be the same."""
    short = {key: key.rpartition(".")[2] for key in keys}
    return short if len(set(short.values())) == len(short) else {key: key for key in keys}


def _safe(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+\-]+", "-", value.strip("\"'")).strip("-") or "x"
