"""Character modelling: at every frame of a text, which character comes next.

The first 90 % of the text are for training, the next 5 % for validation, the last 5 % for test,
split by position, so that no clip is in two splits. A network starts every clip from nothing; in
validation and test its first ``warmup_frames`` characters are therefore read but not scored, and
clips overlap by as many, so that every later character is scored exactly once (what is left at
the end of a part and fills no clip is not used). The usual metric,
bits per character, is the mean cross-entropy over scored frames divided by ln 2.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.sequence_sections import CharactersTask
from codesign.tasks.base import NOT_SCORED, Split, TaskData

_TRAIN, _VALIDATION = 0.90, 0.05  # by position; the rest is the test split
_MOST_CHARACTERS = 1024


def load_characters_task(task: CharactersTask, folder: Path) -> TaskData:
    """Splits of the text ``folder / task.file``: tokens [N, frames], labels [N, frames].

    The characters of the whole text, in the order of their code points, are both the input lines
    and the classes.

    Raises InputError when the text is missing, no UTF-8, too short for one clip per split, or of
    fewer than two or more than 1024 different characters.
    """
    path = folder / task.file
    text = _read(path)
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    alphabet, tokens = np.unique(codes, return_inverse=True)
    if not 2 <= len(alphabet) <= _MOST_CHARACTERS:
        raise InputError(
            f"{path} has {len(alphabet)} different characters; a task needs 2 to "
            f"{_MOST_CHARACTERS}. Reduce the text to the characters that matter."
        )
    first, second = (round(part * len(tokens)) for part in (_TRAIN, _TRAIN + _VALIDATION))
    ranges = {"train": (0, first), "validation": (first, second), "test": (second, len(tokens))}
    splits = {
        name: _split(task, name, tokens[low:high], low, len(alphabet), path)
        for name, (low, high) in ranges.items()
    }
    names = tuple(_name(chr(code)) for code in alphabet)
    return TaskData(
        **splits,
        class_names=names,
        description=f"next character of {task.file}, {len(names)} characters, "
        f"{task.frames} per clip",
        notes={
            "source": task.file,
            "characters": [chr(code) for code in alphabet],
            "characters_in_text": len(tokens),
            "split_by_position": {name: list(span) for name, span in ranges.items()},
            "warmup_frames": task.warmup_frames,
        },
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(
            f"There is no text {path}; give its folder with --data DIR and its name as task.file, "
            "or fetch one with 'codesign data get shakespeare'."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 (byte {error.start}); convert it, for example with iconv."
        ) from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error


def _split(
    task: CharactersTask,
    name: str,
    tokens: NDArray[np.int64],
    offset: int,
    lines: int,
    path: Path,
) -> Split:
    """Clips of tokens [n]; a clip ends one character before the text does, whose label it is."""
    warmup = 0 if name == "train" else task.warmup_frames
    hop = (task.hop_frames or task.frames) if name == "train" else task.frames - warmup
    if len(tokens) <= task.frames:
        raise InputError(
            f"{path}: its {name} part has {len(tokens)} characters, too few for a clip of "
            f"task.frames = {task.frames}; take shorter clips or a longer text."
        )
    kind = torch.uint8 if lines <= 256 else torch.int16
    line = torch.from_numpy(tokens.astype(np.int64))
    labels = line[1:].unfold(0, task.frames, hop).contiguous()
    labels[:, :warmup] = NOT_SCORED
    inputs = line[:-1].to(kind).unfold(0, task.frames, hop)
    starts = range(offset, offset + len(labels) * hop, hop)
    ids = tuple(f"characters-{start}-{start + task.frames}" for start in starts)
    return Split(inputs, labels, ids, lines)


def _name(character: str) -> str:
    """A character as a class name that prints: space and control characters by their escape."""
    if character == " ":
        return "space"
    return character if character.isprintable() else repr(character)[1:-1]
