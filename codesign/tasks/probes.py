"""Memory probes: sequences whose label needs what was seen long before, and nothing else.

Lines of copy_first, delayed_recall and flip_flop: one per symbol, and a cue. Every frame shows a
symbol (of those without a cue a share of ``distractor_rate``); only one that comes with the cue
counts, all others are distractors. (copy_first follows
Vecoven et al., 2021, "A bio-inspired bistable recurrent cell": there a real number is to be
copied and nothing marks the first one; here it is a symbol, marked because a feed-forward stack
that starts from nothing cannot know which frame is the first.) Lines of counting and parity: one
that is on in a frame with an event, one that is on in a frame without.

Labels are as frequent as each other in every split, up to one clip.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.sequence_sections import ProbeTask
from codesign.tasks.base import NOT_SCORED, Split, TaskData

Bits = NDArray[np.bool_]
Labels = NDArray[np.int64]
Generator = Callable[[ProbeTask, int, Labels, np.random.Generator], tuple[Bits, Labels]]
"""(task, frames T, wanted last label [N], rng) -> (lines on [N, T, n_in], labels [N, T])."""


def load_probe_task(task: ProbeTask, seed: int) -> TaskData:
    """Three splits drawn from the seed; inputs [N, frames, classes + 1] (or 2 lines) in units.

    Labels are the last frame's [N], or with ``every_frame`` all [N, frames], NOT_SCORED before
    there is anything to remember.
    """
    sizes = (task.train_clips, task.validation_clips, task.test_clips)
    lengths = (task.frames, task.frames, task.test_frames or task.frames)
    names = ("train", "validation", "test")
    train, validation, test = (
        _split(task, name, size, frames, np.random.default_rng([seed, number]))
        for number, (name, size, frames) in enumerate(zip(names, sizes, lengths, strict=True))
    )
    return TaskData(
        train=train,
        validation=validation,
        test=test,
        class_names=tuple(str(k) for k in range(task.classes)),
        description=f"{task.kind.replace('_', ' ')}, {task.classes} classes, "
        f"{task.frames} frames" + (f" (test {lengths[2]})" if task.test_frames else ""),
        notes={
            "source": "generated",
            "kind": task.kind,
            "lines": _LINES[task.kind],
            **({"distractor_rate": task.distractor_rate} if task.kind in _CUED else {}),
            "input_scale_units": task.input_scale_units,
            "input_floor_units": task.input_floor_units,
        },
    )


def _split(task: ProbeTask, name: str, size: int, frames: int, rng: np.random.Generator) -> Split:
    wanted = rng.permutation(np.arange(size) % task.classes)
    lines, labels = _GENERATORS[task.kind](task, frames, wanted, rng)
    span = task.input_scale_units - task.input_floor_units
    inputs = task.input_floor_units + np.float32(span) * lines.astype(np.float32)
    return Split(
        torch.from_numpy(inputs.astype(np.float32)),
        torch.from_numpy(labels if task.every_frame else labels[:, -1].copy()),
        tuple(f"{task.kind}-{name}-{number}" for number in range(size)),
    )


def _cued(
    task: ProbeTask, symbols: Labels, cues: Bits, rng: np.random.Generator
) -> tuple[Bits, Labels]:
    """Lines and labels where the symbol of the latest cue is to be remembered."""
    clips, frames = symbols.shape
    lines = np.zeros((clips, frames, task.classes + 1), np.bool_)
    np.put_along_axis(lines, symbols[..., None], True, axis=2)
    if task.distractor_rate < 1:
        lines &= (cues | (rng.random(cues.shape) < task.distractor_rate))[..., None]
    lines[..., -1] = cues
    latest = np.maximum.accumulate(np.where(cues, np.arange(frames), -1), axis=1)
    held = np.take_along_axis(symbols, latest.clip(0), axis=1)
    return lines, np.where(latest < 0, NOT_SCORED, held)


def _remember(
    task: ProbeTask, wanted: Labels, cues: Bits, rng: np.random.Generator
) -> tuple[Bits, Labels]:
    symbols = rng.integers(task.classes, size=cues.shape)
    last = cues.shape[1] - 1 - cues[:, ::-1].argmax(axis=1)
    symbols[np.arange(len(cues)), last] = wanted
    return _cued(task, symbols, cues, rng)


def _copy_first(
    task: ProbeTask, frames: int, wanted: Labels, rng: np.random.Generator
) -> tuple[Bits, Labels]:
    cues = np.zeros((len(wanted), frames), np.bool_)
    cues[:, 0] = True
    return _remember(task, wanted, cues, rng)


def _delayed_recall(
    task: ProbeTask, frames: int, wanted: Labels, rng: np.random.Generator
) -> tuple[Bits, Labels]:
    at = rng.integers(frames // 2, size=len(wanted))
    return _remember(task, wanted, np.arange(frames) == at[:, None], rng)


def _flip_flop(
    task: ProbeTask, frames: int, wanted: Labels, rng: np.random.Generator
) -> tuple[Bits, Labels]:
    cues = rng.random((len(wanted), frames)) < task.event_rate
    cues[:, 0] = True  # there is always something to remember
    return _remember(task, wanted, cues, rng)


def _events(events: Bits, modulo: int) -> tuple[Bits, Labels]:
    return np.stack([events, ~events], axis=-1), events.cumsum(axis=1) % modulo


def _counting(
    task: ProbeTask, frames: int, wanted: Labels, rng: np.random.Generator
) -> tuple[Bits, Labels]:
    # The events of a clip are the frames of the smallest random numbers, as many as wanted.
    rank = rng.random((len(wanted), frames)).argsort(axis=1).argsort(axis=1)
    return _events(rank < wanted[:, None], task.classes)


def _parity(
    task: ProbeTask, frames: int, wanted: Labels, rng: np.random.Generator
) -> tuple[Bits, Labels]:
    events = rng.random((len(wanted), frames)) < task.event_rate
    short = (wanted - events.sum(axis=1)) % task.classes
    # The frames added (or, where there is no room, taken) are random ones.
    order = np.where(events, 2.0, rng.random(events.shape)).argsort(axis=1).argsort(axis=1)
    free = frames - events.sum(axis=1)
    events |= (order < short[:, None]) & (free >= short)[:, None]
    over = (events.sum(axis=1) - wanted) % task.classes
    order = np.where(events, rng.random(events.shape), 2.0).argsort(axis=1).argsort(axis=1)
    events &= order >= over[:, None]
    return _events(events, task.classes)


_GENERATORS: dict[str, Generator] = {
    "copy_first": _copy_first,
    "delayed_recall": _delayed_recall,
    "flip_flop": _flip_flop,
    "counting": _counting,
    "parity": _parity,
}
_CUED = ("copy_first", "delayed_recall", "flip_flop")
_LINES = {
    **dict.fromkeys(_CUED, "one per symbol, cue"),
    **dict.fromkeys(("counting", "parity"), "event, no event"),
}
