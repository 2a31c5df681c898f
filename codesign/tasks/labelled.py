"""Clips of any labelled folder as inputs of a network that was trained before.

The folder is laid out like the one of training (``word/clip.wav``, a ``manifest.csv`` or the lists
of Speech Commands), and its clips are treated by the notes of the training run. A word that is not
a class of the run stands for "anything else" where the task has such a class, and is refused where
it has none: leaving its clips out would change the figures silently.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from codesign.errors import InputError
from codesign.flows import KeywordsTask, SpeechCommandsTask, SpokenDigitsTask, Task
from codesign.tasks.audio import read_clip
from codesign.tasks.base import Split
from codesign.tasks.fsdd import scan_spoken_digits
from codesign.tasks.speech_commands import clip_inputs
from codesign.tasks.speech_folder import SPLITS, UNKNOWN, Clip, SpeechFolder
from codesign.tasks.speech_folders import scan_folders

Part = Literal["auto", "train", "val", "test", "all"]
PARTS: tuple[Part, ...] = ("auto", "all", "test", "val", "train")
_BY_NAME = "SHA-1"  # how a folder that states no split says where its split comes from
_ORDER_SEED = 20170405  # which clips are the first of a class: the same ones for everyone


@dataclass(frozen=True)
class Labelled:
    """Clips with labels: ``words`` are those of the folder, one per clip of ``split``.

    ``part`` is which part of the folder they are; ``elsewhere`` counts the clips of every word
    that the task does not name and that stand for its class of anything else.
    """

    split: Split
    words: tuple[str, ...]
    part: Part
    elsewhere: Mapping[str, int]


def hears(notes: Mapping[str, Any]) -> bool:
    """Whether a run takes sound: its notes say how a clip becomes input currents."""
    return "features" in notes and "normalisation" in notes


def labelled_clips(
    task: Task,
    class_names: Sequence[str],
    notes: dict[str, Any],
    data_dirs: Sequence[Path],
    part: Part = "auto",
    count: int | None = None,
) -> Labelled:
    """The clips of a part of the folders, one of each class in turn, at most ``count`` of them.

    ``auto`` takes the test part of folders that state a split (a manifest or lists), else all.
    Raises InputError for a run that takes no sound, a folder that is not as it should be, a word
    without a class, a part without clips and a clip that cannot be used (``read_clip``).
    """
    if not hears(notes):
        raise InputError(
            f"The task '{task.name}' takes no sound, so it scores no folder of recordings; leave "
            "--data away: its own test clips are in the run folder."
        )
    folder = _scan(task, data_dirs)
    if part == "auto":
        part = "all" if _BY_NAME in folder.split_source else "test"
    label_of, rest = _labels(task, class_names)
    clips = _clips(folder, part)
    unnamed = Counter(clip.word for clip in clips if clip.word not in label_of)
    if unnamed and rest is None:
        raise InputError(
            f"{folder.path} has {sum(unnamed.values())} clips of {len(unnamed)} words that are no "
            f"class of this run ({', '.join(sorted(unnamed)[:5])}); it knows "
            f"{', '.join(class_names)} and no class for other words: leave their folders out."
        )
    labels = dict.fromkeys(unnamed, rest if rest is not None else 0) | label_of
    chosen = _in_turn(clips, labels)[:count]
    rate_hz = int(notes["features"]["sample_rate_hz"])
    inputs = np.stack([clip_inputs(read_clip(clip.path, rate_hz), notes) for clip in chosen])
    split = Split(
        torch.from_numpy(inputs),
        torch.tensor([labels[clip.word] for clip in chosen], dtype=torch.int64),
        tuple(clip.name for clip in chosen),
    )
    words = tuple(clip.word for clip in chosen)
    elsewhere = {word: words.count(word) for word in sorted(unnamed) if word in words}
    return Labelled(split, words, part, elsewhere)


def _scan(task: Task, data_dirs: Sequence[Path]) -> SpeechFolder:
    if not isinstance(task, SpokenDigitsTask):
        return scan_folders(data_dirs)
    if len(data_dirs) > 1:
        raise InputError(f"The task '{task.name}' is of one folder; give --data once.")
    return scan_spoken_digits(task, data_dirs[0])


def _labels(task: Task, class_names: Sequence[str]) -> tuple[dict[str, int], int | None]:
    """The class of every word the task names, and the class of all others, if it has one."""
    if isinstance(task, SpeechCommandsTask):
        return dict.fromkeys(task.others, 0) | {task.keyword: 1}, 0
    named = {name: k for k, name in enumerate(class_names)}
    return named, named.get(UNKNOWN) if isinstance(task, KeywordsTask) else None


def _clips(folder: SpeechFolder, part: Part) -> list[Clip]:
    found = [
        clip
        for word in folder.clips
        for clip in folder.clips[word]
        if part in ("all", clip.split)
    ]  # fmt: skip
    if not found:
        there = Counter(clip.split for clips in folder.clips.values() for clip in clips)
        has = ", ".join(f"{there[name]} in {name}" for name in SPLITS if there[name])
        raise InputError(
            f"{folder.path} has no clips in its {part} part ({folder.split_source}); it has {has}: "
            "choose with --part."
        )
    return found


def _in_turn(clips: list[Clip], labels: Mapping[str, int]) -> list[Clip]:
    """One clip of each class in turn as long as they last; shuffled within each."""
    order = np.random.default_rng(_ORDER_SEED).permutation(len(clips))
    seen: Counter[int] = Counter()
    ranked = []
    for index in order:
        label = labels[clips[index].word]
        # The last class first: in the binary task that is the keyword.
        ranked.append((seen[label], -label, clips[index]))
        seen[label] += 1
    return [clip for *_, clip in sorted(ranked, key=lambda item: item[:2])]
