"""Which clips of a Speech Commands folder a task takes: per split, in order, with their classes.

Two words stand for what has no name. ``_silence_`` is the folder of that name, or stretches of the
background noise. ``_unknown_`` is the folder of that name, or clips of the words the task does not
name. What is made is made alike for every seed, so that the test set stays the same.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codesign.errors import InputError
from codesign.flows import KeywordsTask, SpeechCommandsTask, SpokenDigitsTask
from codesign.tasks.speech_folder import (
    SILENCE,
    SPLITS,
    UNKNOWN,
    Clip,
    SpeechFolder,
    SplitName,
)

SpeechTask = SpeechCommandsTask | KeywordsTask | SpokenDigitsTask
FIXED_SEED = 20170405  # of what is made or mixed: another flow seed must not change the test set


@dataclass(frozen=True)
class SpeechClass:
    """A class of the task: its name, and the words that stand for it."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """One clip to read, or (``path`` None) one stretch of silence to make from noise."""

    name: str
    word: str
    speaker: str
    path: Path | None
    label: int


def classes_of(task: SpeechTask) -> tuple[SpeechClass, ...]:
    """The classes in logit order."""
    if not isinstance(task, SpeechCommandsTask):
        return tuple(SpeechClass(word, (word,)) for word in _in_order(task))
    return (SpeechClass("other", task.others), SpeechClass(task.keyword, (task.keyword,)))


def items_of(task: SpeechTask, folder: SpeechFolder) -> dict[SplitName, list[Item]]:
    """What each split holds, in order.

    Training clips keep the order of words and names; validation and test take one clip of each
    class in turn as long as they last, so that any first K clips are balanced.

    Raises InputError for a word the folder lacks, and for a split without clips of a class.
    """
    classes = classes_of(task)
    label_of = {word: label for label, one in enumerate(classes) for word in one.words}
    makes_silence = SILENCE in label_of and SILENCE not in folder.clips and bool(folder.noise)
    unnamed = _unnamed(folder, label_of)
    made = {SILENCE} & set(label_of) if makes_silence else set()
    if UNKNOWN in label_of and UNKNOWN not in folder.clips and unnamed:
        made.add(UNKNOWN)
    named = [word for word in _in_order(task) if word not in made]
    if not named:
        raise InputError(
            "The task names no spoken word, only what is made from others; add one to task.words."
        )
    clips = [clip for word in named for clip in folder.of(word, _key(task, word))]
    items: dict[SplitName, list[Item]] = {}
    for split in SPLITS:
        here = [
            Item(clip.name, clip.word, clip.speaker, clip.path, label_of[clip.word])
            for clip in clips
            if clip.split == split
        ]
        each = len(here) / len(named)  # as many as of a named word
        if UNKNOWN in made:
            pool = [clip for clip in unnamed if clip.split == split]
            count = round(each * task.unknown_ratio) if task.unknown_ratio else len(pool)
            here += [
                Item(clip.name, UNKNOWN, clip.speaker, clip.path, label_of[UNKNOWN])
                for clip in _some(pool, count, split)
            ]
        if SILENCE in made:
            here += [
                Item(f"{SILENCE}/{split}-{n}", SILENCE, "", None, label_of[SILENCE])
                for n in range(round(each))
            ]
        parts = _by_class(here, classes, split, folder)
        items[split] = here if split == "train" else _in_turn(parts)
    return items


def copies_of(items: list[Item], augment_copies: int) -> list[int]:
    """Copies of each training clip, such that all classes end up equally large, and within a class
    all words: a test asks for each word alike, whatever was recorded most.

    The largest class gets ``augment_copies`` of each of its clips, on average.
    """
    classes = Counter(item.label for item in items)
    total = max(classes.values()) * (1 + augment_copies)
    sizes = {
        label: Counter(item.word for item in items if item.label == label) for label in classes
    }
    shares = {label: _shares(words, total) for label, words in sizes.items()}
    copies, seen = [], Counter[tuple[int, str]]()
    for item in items:
        clips, share = sizes[item.label][item.word], shares[item.label][item.word]
        whole, rest = divmod(share - clips, clips)
        copies.append(whole + (seen[item.label, item.word] < rest))
        seen[item.label, item.word] += 1
    return copies


def _shares(sizes: Counter[str], total: int) -> dict[str, int]:
    """``total`` clips over words, equally, but to none fewer than it has."""
    shares: dict[str, int] = {}
    for word, size in sizes.most_common():
        share, rest = divmod(total - sum(shares.values()), len(sizes) - len(shares))
        shares[word] = max(size, share + (rest > 0))
    return shares


def shared_speakers(items: dict[SplitName, list[Item]]) -> int:
    """Speakers heard in more than one split: anything but 0 flatters the test accuracy."""
    pairs = {(item.speaker, name) for name in SPLITS for item in items[name] if item.speaker}
    return sum(count > 1 for count in Counter(speaker for speaker, _ in pairs).values())


def _by_class(
    items: list[Item], classes: tuple[SpeechClass, ...], split: SplitName, folder: SpeechFolder
) -> list[list[Item]]:
    """The items of each class. Raises InputError for a class without any."""
    parts = [[item for item in items if item.label == label] for label in range(len(classes))]
    for one, part in zip(classes, parts, strict=True):
        if not part:
            what = f"'{one.name}'" if len(one.words) == 1 else "the other words"
            raise InputError(
                f"{folder.path} has no clips of {what} in its {split} split "
                f"({folder.split_source}); add recordings or change the split."
            )
    return parts


def _in_order(task: SpeechTask) -> tuple[str, ...]:
    """Every word of the task, as its clips are ordered."""
    if isinstance(task, KeywordsTask):
        return task.words
    if isinstance(task, SpokenDigitsTask):
        return tuple(str(digit) for digit in task.classes)
    return (task.keyword, *task.others)


def _key(task: SpeechTask, word: str) -> str:
    """The key of the flow that asked for a word."""
    if isinstance(task, KeywordsTask):
        return "task.words"
    if isinstance(task, SpokenDigitsTask):
        return "task.classes"
    return "task.keyword" if word == task.keyword else "task.others"


def _unnamed(folder: SpeechFolder, label_of: dict[str, int]) -> list[Clip]:
    words = [word for word in folder.clips if word not in label_of and word != SILENCE]
    return [clip for word in words for clip in folder.clips[word]]


def _some(pool: list[Clip], count: int, split: SplitName) -> list[Clip]:
    rng = np.random.default_rng([FIXED_SEED, SPLITS.index(split)])
    return [pool[i] for i in sorted(rng.permutation(len(pool))[:count])]


def _in_turn(parts: list[list[Item]]) -> list[Item]:
    """One item of each class in turn, then the rest; shuffled within each, so that words mix."""
    rng = np.random.default_rng(FIXED_SEED)
    # The last class first: in the binary task that is the keyword.
    mixed = [[part[i] for i in rng.permutation(len(part))] for part in reversed(parts)]
    longest = max(len(part) for part in mixed)
    return [part[n] for n in range(longest) for part in mixed if n < len(part)]
