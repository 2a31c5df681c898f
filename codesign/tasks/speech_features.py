"""The features of a task's clips: read, made, altered, transformed; and what they depend on."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codesign.tasks.audio import FeatureSettings, Samples, mfcc, prepared, read_clip
from codesign.tasks.augment import Augmentation, at_level, augment_clip, cut_noise
from codesign.tasks.feature_cache import Arrays
from codesign.tasks.speech_folder import SPLITS, SplitName
from codesign.tasks.speech_items import FIXED_SEED, Item, copies_of

_CACHE_VERSION = 4  # raise it when the same settings give other features
_CHUNK = 256  # clips in memory as sound at a time
_SILENCE_DB = (-70.0, -30.0)  # rms of silence made from noise, full scale = 0
# The part of every noise recording each split makes its silence from; augmentation uses train's.
_NOISE_PARTS: dict[SplitName, tuple[float, float]] = {
    "train": (0.0, 0.8),
    "val": (0.8, 0.9),
    "test": (0.9, 1.0),
}


@dataclass(frozen=True)
class Copying:
    """The altered copies of training clips: how many, how different, and their seed."""

    each: int
    ranges: Augmentation
    seed: int


def compute_features(
    settings: FeatureSettings,
    noise_files: tuple[Path, ...],
    items: dict[SplitName, list[Item]],
    copying: Copying,
) -> Arrays:
    """MFCC of every split [N, frames, n_mfcc]; train's copies follow its clips.

    Raises InputError for a clip that cannot be used (see ``read_clip``).
    """
    noise = tuple(read_clip(path, settings.sample_rate_hz) for path in noise_files)
    heard = tuple(_part(recording, "train") for recording in noise)
    arrays: Arrays = {}
    for split in SPLITS:
        here = items[split]
        copies = copies_of(here, copying.each) if split == "train" else [0] * len(here)
        # Filled in place: parts put together at the end would need twice the memory.
        features = np.empty((len(here) + sum(copies), settings.frames, settings.n_mfcc), np.float32)
        row = len(here)
        for start in range(0, len(here), _CHUNK):
            chunk = range(start, min(start + _CHUNK, len(here)))
            clips = [_sound(here[n], n, split, noise, settings) for n in chunk]
            features[chunk.start : chunk.stop] = mfcc(np.stack(clips), settings)
            for n, clip in zip(chunk, clips, strict=True):
                if copies[n]:
                    sounds = list(_altered(clip, n, copies[n], heard, settings, copying))
                    features[row : row + copies[n]] = mfcc(np.stack(sounds), settings)
                    row += copies[n]
        arrays[split] = features
    return arrays


def features_key(
    settings: FeatureSettings,
    noise_files: tuple[Path, ...],
    items: dict[SplitName, list[Item]],
    copying: Copying,
) -> dict[str, Any]:
    """Everything ``compute_features`` depends on, as JSON: files by name, size and time."""

    def stamp(path: Path | None) -> tuple[str, int, int] | None:
        if path is None:
            return None
        status = path.stat()
        return str(path.resolve()), status.st_size, status.st_mtime_ns

    return {
        "version": _CACHE_VERSION,
        "features": asdict(settings),
        # Without altered copies the seed and the ranges play no part.
        "copying": asdict(copying) if copying.each else None,
        # Which clip is copied how often follows from classes and words.
        "labels": [(item.label, item.word) for item in items["train"]],
        "noise": [stamp(path) for path in noise_files],
        "clips": {name: [stamp(item.path) for item in items[name]] for name in SPLITS},
    }


def _altered(
    clip: Samples,
    number: int,
    copies: int,
    heard: tuple[Samples, ...],
    settings: FeatureSettings,
    copying: Copying,
) -> Iterator[Samples]:
    """The copies of one clip; among them the clip as it is, in the proportion of all classes."""
    for copy in range(1, copies + 1):
        if copy % (1 + copying.each) == 0:
            yield clip
        else:
            # A stream per clip and copy: more copies leave the earlier ones alone.
            rng = np.random.default_rng([copying.seed, number, copy])
            yield augment_clip(
                clip, heard, settings.sample_rate_hz, rng, copying.ranges, settings.pad
            )


def _sound(
    item: Item,
    number: int,
    split: SplitName,
    noise: tuple[Samples, ...],
    settings: FeatureSettings,
) -> Samples:
    if item.path is not None:
        samples = read_clip(item.path, settings.sample_rate_hz)
    else:
        rng = np.random.default_rng([FIXED_SEED, SPLITS.index(split), number])
        recording = _part(noise[int(rng.integers(len(noise)))], split)
        cut = cut_noise(recording, settings.clip_samples, rng)
        samples = at_level(cut, rng.uniform(*_SILENCE_DB))
    return prepared(samples, settings)


def _part(recording: Samples, split: SplitName) -> Samples:
    low, high = (round(edge * len(recording)) for edge in _NOISE_PARTS[split])
    return recording[low : max(high, low + 1)]
