"""ListOps: nested lists of digits under MIN, MAX, MED and SM (sum modulo 10); the value is asked.

Grammar of Nangia and Bowman (arXiv:1804.06028): an expression is a digit 0..9, or with probability
1/4, as long as it is nested less than ``max_depth`` deep, an operator with 2 to ``max_args``
expressions, all equally likely. MED of an even number of values is the mean of the middle two,
rounded down. Expressions outside the wanted lengths are drawn again, which is how the Long Range
Arena (arXiv:2011.04006) gets its 500 to 2000 tokens. A token is a digit, an operator with its
opening bracket, or a closing bracket; there are 15. No expression occurs twice.
"""

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.sequence_sections import ListOpsTask
from codesign.tasks.base import NO_TOKEN, Split, TaskData
from codesign.tasks.feature_cache import cached_features

_OPERATOR_PROBABILITY = 0.25
_MOST_MISSES = 20_000  # expressions in a row of a wrong length, or known, before giving up
_CACHE_VERSION = 1  # raise it when the same settings give other expressions

OPERATORS: dict[str, Callable[[list[int]], int]] = {
    "[MIN": min,
    "[MAX": max,
    "[MED": lambda values: int(statistics.median(values)),
    "[SM": lambda values: sum(values) % 10,
}
TOKENS = (*(str(digit) for digit in range(10)), *OPERATORS, "]")
_APPLY = tuple(OPERATORS.values())
_CLOSE = len(TOKENS) - 1


def load_listops_task(task: ListOpsTask, seed: int) -> TaskData:
    """Splits of tokens int8 [N, longest], padded at the front, labels the values [N].

    Drawn from the seed and kept in the cache folder. Raises InputError when expressions of the
    wanted length hardly ever occur, or when there are not enough different ones.
    """
    key = {"task": task.model_dump(mode="json"), "seed": seed, "version": _CACHE_VERSION}
    arrays = cached_features(key, lambda: _generate(task, seed))
    splits = {
        name: Split(
            torch.from_numpy(arrays[f"{name}.tokens"]),
            torch.from_numpy(arrays[f"{name}.values"].astype(np.int64)),
            tuple(f"listops-{name}-{number}" for number in range(len(arrays[f"{name}.values"]))),
            len(TOKENS),
        )
        for name in ("train", "validation", "test")
    }
    return TaskData(
        **splits,
        class_names=tuple(str(value) for value in range(10)),
        description=f"ListOps, {task.min_tokens} to {task.max_tokens} tokens",
        notes={"source": "generated", "tokens": list(TOKENS), "padding": "front, all lines off"},
    )


def expression_text(tokens: NDArray[np.int8]) -> str:
    """Tokens [T] as text, without the padding: ``[MAX 2 9 [MIN 4 7 ] 0 ]``."""
    return " ".join(TOKENS[token] for token in tokens.tolist() if token != NO_TOKEN)


def _generate(task: ListOpsTask, seed: int) -> dict[str, NDArray[np.int8]]:
    """Tokens and values per split; test first, so that more training clips leave it alone."""
    seen: set[bytes] = set()
    arrays: dict[str, Any] = {}
    sizes = {"test": task.test_clips, "validation": task.validation_clips}
    for number, (name, size) in enumerate({**sizes, "train": task.train_clips}.items()):
        draws = _uniform(np.random.default_rng([seed, number]))
        tokens = np.full((size, task.max_tokens), NO_TOKEN, np.int8)
        values = np.empty(size, np.int8)
        for clip in range(size):
            expression, values[clip] = _wanted(task, draws, seen)
            tokens[clip, task.max_tokens - len(expression) :] = expression
        arrays |= {f"{name}.tokens": tokens, f"{name}.values": values}
    return arrays


def _wanted(task: ListOpsTask, draws: Iterator[float], seen: set[bytes]) -> tuple[list[int], int]:
    """A new expression of a wanted length and its value; it is added to ``seen``."""
    for _ in range(_MOST_MISSES):
        tokens, value = _expression(task, draws)
        if task.min_tokens <= len(tokens) <= task.max_tokens and bytes(tokens) not in seen:
            seen.add(bytes(tokens))
            return tokens, value
    raise InputError(
        f"Of {_MOST_MISSES} expressions none was new and had {task.min_tokens} to "
        f"{task.max_tokens} tokens; widen that range, raise task.max_depth or task.max_args, or "
        "ask for fewer clips."
    )


def _expression(task: ListOpsTask, draws: Iterator[float]) -> tuple[list[int], int]:
    """Tokens and value of one random expression; one that grows too long is left unfinished."""
    tokens: list[int] = []
    open_lists: list[tuple[int, int, list[int]]] = []  # operator, arguments wanted, values so far
    # A lone digit would be drawn again unless it is wanted, so the outcome is the same without.
    operator_next = task.min_tokens > 1 and task.max_depth > 1
    while len(tokens) <= task.max_tokens:
        if operator_next:
            operator = int(next(draws) * len(_APPLY))
            tokens.append(10 + operator)
            count = 2 + int(next(draws) * (task.max_args - 1))
            open_lists.append((operator, count, []))
        else:
            value = int(next(draws) * 10)
            tokens.append(value)
            while open_lists:
                operator, count, values = open_lists[-1]
                values.append(value)
                if len(values) < count:
                    break
                open_lists.pop()
                tokens.append(_CLOSE)
                value = _APPLY[operator](values)
            if not open_lists:
                return tokens, value
        deeper = len(open_lists) + 1 < task.max_depth
        operator_next = deeper and next(draws) < _OPERATOR_PROBABILITY
    return tokens, 0


def _uniform(rng: np.random.Generator) -> Iterator[float]:
    """Numbers from [0, 1), drawn in blocks: one at a time would take most of the time."""
    while True:
        yield from rng.random(65536).tolist()
