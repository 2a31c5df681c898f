"""Keyword detection: one word against the others, from a Speech Commands folder.

A clip becomes frames of MFCC, mapped per coefficient so that the training split's 1st and 99th
percentiles are 0 and 1 unit of current. Everything needed to treat a new clip in the same way
is in the task's notes: see ``clip_inputs``.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.flows import SpeechCommandsTask
from codesign.tasks.audio import (
    FeatureSettings,
    Normalisation,
    Samples,
    fit_length,
    fit_normalisation,
    mfcc,
    read_clip,
)
from codesign.tasks.augment import Augmentation, at_level, augment_clip, cut_noise
from codesign.tasks.base import Split, TaskData
from codesign.tasks.feature_cache import Arrays, cached_features
from codesign.tasks.speech_folder import (
    SILENCE,
    SPLITS,
    SpeechFolder,
    SplitName,
    scan_folder,
)

_CACHE_VERSION = 3  # raise it when the same settings give other features
_CHUNK = 256  # clips in memory as sound at a time
_SILENCE_SEED = 20170405  # fixed: another flow seed must not change the test set
_SILENCE_DB = (-70.0, -30.0)  # rms of silence made from noise, full scale = 0
# The part of every noise recording each split makes its silence from; augmentation uses train's.
_NOISE_PARTS: dict[SplitName, tuple[float, float]] = {
    "train": (0.0, 0.8),
    "val": (0.8, 0.9),
    "test": (0.9, 1.0),
}


@dataclass(frozen=True)
class _Item:
    """One clip to read, or (``path`` None) one stretch of silence to make from noise."""

    name: str
    word: str
    speaker: str
    path: Path | None


def load_speech_commands(task: SpeechCommandsTask, data_dir: Path, seed: int) -> TaskData:
    """The keyword (class 1) against the other words (class 0) as input currents.

    Inputs are [N, frames, n_mfcc] in units. The training split holds every clip and, after
    them, copies drawn from ``seed``: ``augment_copies`` altered ones of each clip of the larger
    class, and of the smaller class as many as make the two equal (among them the clip as it is,
    in the same proportion: being altered must say nothing about the class). Validation and test
    are left as they are; they alternate between the classes as long as both last, so that any
    first K clips are balanced.

    Raises InputError for a folder that is missing, empty or lacks a word, for a clip that
    cannot be used (see ``read_clip``), and for a split without clips of a class.
    """
    settings = feature_settings(task)
    folder = scan_folder(data_dir)
    items = _items(task, folder)
    key = _cache_key(task, settings, folder, items, seed)
    coefficients = cached_features(key, lambda: _compute(task, settings, folder, items, seed))
    scale = fit_normalisation(
        coefficients["train"][: len(items["train"])], task.max_input_units, task.input_floor_units
    )
    copies = {name: _copies(items[name], task) if name == "train" else [] for name in SPLITS}
    splits = {
        name: _split(scale.units(coefficients[name]), items[name], copies[name], task.keyword)
        for name in SPLITS
    }
    return TaskData(
        train=splits["train"],
        validation=splits["val"],
        test=splits["test"],
        class_names=("other", task.keyword),
        description=f"spoken '{task.keyword}' against {', '.join(task.others)}",
        notes={
            "features": asdict(settings),
            "normalisation": scale.as_notes(),
            "split_source": folder.split_source,
            "clips": {name: dict(Counter(item.word for item in items[name])) for name in SPLITS},
            "speakers_in_several_splits": _shared_speakers(items),
            "augment_copies": task.augment_copies,
            "noise_recordings": len(folder.noise),
        },
    )


def clip_inputs(samples: Samples, notes: dict[str, Any]) -> NDArray[np.float32]:
    """Input currents [frames, n_mfcc] in units of one clip, by the notes of a training run."""
    settings = FeatureSettings(**notes["features"])
    clip = fit_length(samples, settings.clip_samples)
    return Normalisation.from_notes(notes["normalisation"]).units(mfcc(clip[None], settings)[0])


def feature_settings(task: SpeechCommandsTask) -> FeatureSettings:
    """The task's feature settings in samples."""
    return FeatureSettings(
        sample_rate_hz=task.sample_rate_hz,
        clip_samples=round(task.clip_s * task.sample_rate_hz),
        n_fft=task.n_fft,
        hop_samples=round(task.hop_s * task.sample_rate_hz),
        n_mels=task.n_mels,
        n_mfcc=task.n_mfcc,
        floor_db=task.floor_db,
    )


def _items(task: SpeechCommandsTask, folder: SpeechFolder) -> dict[SplitName, list[_Item]]:
    """What each split holds, in order. Raises InputError for a missing word or an empty class."""
    wanted = {task.keyword: "task.keyword"} | dict.fromkeys(task.others, "task.others")
    made = SILENCE in wanted and SILENCE not in folder.clips and bool(folder.noise)
    clips = [
        clip
        for word, key in wanted.items()
        if not (made and word == SILENCE)
        for clip in folder.of(word, key)
    ]
    items: dict[SplitName, list[_Item]] = {}
    for split in SPLITS:
        here = [
            _Item(clip.name, clip.word, clip.speaker, clip.path)
            for clip in clips
            if clip.split == split
        ]
        if made:
            count = round(len(here) / (len(wanted) - 1))  # as many as of a spoken word
            here += [_Item(f"{SILENCE}/{split}-{n}", SILENCE, "", None) for n in range(count)]
        keyword = [item for item in here if item.word == task.keyword]
        others = [item for item in here if item.word != task.keyword]
        for found, what in ((keyword, f"'{task.keyword}'"), (others, "the other words")):
            if not found:
                raise InputError(
                    f"{folder.path} has no clips of {what} in its {split} split "
                    f"({folder.split_source}); add recordings or change the split."
                )
        items[split] = here if split == "train" else _alternate(keyword, others)
    return items


def _alternate(first: list[_Item], second: list[_Item]) -> list[_Item]:
    """One of each in turn, then the rest; shuffled within each, so that words mix."""
    rng = np.random.default_rng(_SILENCE_SEED)
    first, second = ([part[i] for i in rng.permutation(len(part))] for part in (first, second))
    pairs = min(len(first), len(second))
    mixed = [item for pair in zip(first, second, strict=False) for item in pair]
    return mixed + first[pairs:] + second[pairs:]


def _compute(
    task: SpeechCommandsTask,
    settings: FeatureSettings,
    folder: SpeechFolder,
    items: dict[SplitName, list[_Item]],
    seed: int,
) -> Arrays:
    """MFCC of every split [N, frames, n_mfcc]; train's copies follow its clips."""
    noise = tuple(read_clip(path, settings.sample_rate_hz) for path in folder.noise)
    heard = tuple(_part(recording, "train") for recording in noise)
    arrays: Arrays = {}
    for split in SPLITS:
        copies = _copies(items[split], task) if split == "train" else []
        plain, altered = [], []
        for start in range(0, len(items[split]), _CHUNK):
            chunk = range(start, min(start + _CHUNK, len(items[split])))
            clips = [_sound(items[split][n], n, split, noise, settings) for n in chunk]
            plain.append(mfcc(np.stack(clips), settings))
            for n, clip in zip(chunk, clips, strict=True):
                if copies and copies[n]:
                    sounds = [
                        clip
                        if copy % (1 + task.augment_copies) == 0
                        # A stream per clip and copy: more copies leave the earlier ones alone.
                        else augment_clip(
                            clip,
                            heard,
                            settings.sample_rate_hz,
                            np.random.default_rng([seed, n, copy]),
                        )
                        for copy in range(1, copies[n] + 1)
                    ]
                    altered.append(mfcc(np.stack(sounds), settings))
        arrays[split] = np.concatenate(plain + altered)
    return arrays


def _copies(items: list[_Item], task: SpeechCommandsTask) -> list[int]:
    """Copies of each training clip, such that both classes end up equally large."""
    sizes = Counter(item.word == task.keyword for item in items)
    total = max(sizes.values()) * (1 + task.augment_copies)
    copies, seen = [], Counter[bool]()
    for item in items:
        kind = item.word == task.keyword
        whole, rest = divmod(total - sizes[kind], sizes[kind])
        copies.append(whole + (seen[kind] < rest))
        seen[kind] += 1
    return copies


def _sound(
    item: _Item,
    number: int,
    split: SplitName,
    noise: tuple[Samples, ...],
    settings: FeatureSettings,
) -> Samples:
    if item.path is not None:
        samples = read_clip(item.path, settings.sample_rate_hz)
    else:
        rng = np.random.default_rng([_SILENCE_SEED, SPLITS.index(split), number])
        recording = _part(noise[int(rng.integers(len(noise)))], split)
        cut = cut_noise(recording, settings.clip_samples, rng)
        samples = at_level(cut, rng.uniform(*_SILENCE_DB))
    return fit_length(samples, settings.clip_samples)


def _part(recording: Samples, split: SplitName) -> Samples:
    low, high = (round(edge * len(recording)) for edge in _NOISE_PARTS[split])
    return recording[low : max(high, low + 1)]


def _split(
    inputs: NDArray[np.float32], items: list[_Item], copies: list[int], keyword: str
) -> Split:
    """A split from inputs: one row per item, then one per copy in the items' order."""
    heard = [(item, item.name) for item in items]
    heard += [
        (item, f"{item.name}#{copy}")
        for item, count in zip(items, copies, strict=False)
        for copy in range(1, count + 1)
    ]
    labels = torch.tensor([int(item.word == keyword) for item, _ in heard])
    return Split(torch.from_numpy(inputs), labels, tuple(name for _, name in heard))


def _shared_speakers(items: dict[SplitName, list[_Item]]) -> int:
    """Speakers heard in more than one split: anything but 0 flatters the test accuracy."""
    pairs = {(item.speaker, name) for name in SPLITS for item in items[name] if item.speaker}
    return sum(count > 1 for count in Counter(speaker for speaker, _ in pairs).values())


def _cache_key(
    task: SpeechCommandsTask,
    settings: FeatureSettings,
    folder: SpeechFolder,
    items: dict[SplitName, list[_Item]],
    seed: int,
) -> dict[str, Any]:
    """Everything the features depend on, as JSON."""

    def stamp(path: Path | None) -> tuple[str, int, int] | None:
        if path is None:
            return None
        status = path.stat()
        return str(path.resolve()), status.st_size, status.st_mtime_ns

    return {
        "version": _CACHE_VERSION,
        "features": asdict(settings),
        "augmentation": asdict(Augmentation()),
        "copies": task.augment_copies,
        "seed": seed,
        "noise": [stamp(path) for path in folder.noise],
        "clips": {name: [stamp(item.path) for item in items[name]] for name in SPLITS},
    }
