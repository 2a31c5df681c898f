"""Keywords from Speech Commands folders: one word against others, or several words.

A clip becomes frames of MFCC, mapped per coefficient so that the training split's 1st and 99th
percentiles are the floor and 1 unit of current. Everything needed to treat a new clip in the same
way is in the task's notes: see ``clip_inputs``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.flows import KeywordsTask, SpeechCommandsTask
from codesign.tasks.audio import (
    FeatureSettings,
    Normalisation,
    Samples,
    fit_normalisation,
    mfcc,
    prepared,
)
from codesign.tasks.augment import Augmentation
from codesign.tasks.base import Split, TaskData
from codesign.tasks.feature_cache import cached_features
from codesign.tasks.speech_features import Copying, compute_features, features_key
from codesign.tasks.speech_folder import SPLITS, SpeechFolder
from codesign.tasks.speech_folders import scan_folders
from codesign.tasks.speech_items import (
    Item,
    SpeechTask,
    classes_of,
    copies_of,
    items_of,
    shared_speakers,
)

KeywordTask = SpeechCommandsTask | KeywordsTask


def load_speech_commands(task: KeywordTask, data_dirs: Sequence[Path], seed: int) -> TaskData:
    """The clips of one or more folders as input currents, with the classes of the task.

    See ``speech_task``. Raises InputError for a folder that is missing, empty or lacks a word, for
    folders that hold the same clip or disagree on a speaker's split, for a clip that cannot be
    used (see ``read_clip``), and for a split without clips of a class.
    """
    return speech_task(task, scan_folders(data_dirs), seed, _description(task))


def speech_task(task: SpeechTask, folder: SpeechFolder, seed: int, description: str) -> TaskData:
    """The clips of a folder as input currents, with the classes of the task.

    Inputs are [N, frames, n_mfcc] in units. The training split holds every clip and, after
    them, copies drawn from ``seed``: ``augment_copies`` altered ones of each clip of the largest
    class on average, and of the others as many as make all classes equal, and within a class all
    words (among them the clip as it is, in about the same proportion: being altered must say
    nothing about the class). Validation and test are left as
    they are; they alternate between the classes as long as these last, so that any first K clips
    are balanced.

    Raises InputError for a clip that cannot be used and for a split without clips of a class.
    """
    settings = feature_settings(task)
    items = items_of(task, folder)
    ranges = Augmentation(task.augment_shift_s, task.augment_speed, task.augment_gain_db)
    made = (settings, folder.noise, items, Copying(task.augment_copies, ranges, seed))
    coefficients = cached_features(features_key(*made), lambda: compute_features(*made))
    scale = fit_normalisation(
        coefficients["train"][: len(items["train"])], task.max_input_units, task.input_floor_units
    )
    copies = copies_of(items["train"], task.augment_copies)
    splits = {
        name: _split(
            scale.units(coefficients[name]), items[name], copies if name == "train" else []
        )
        for name in SPLITS
    }
    return TaskData(
        train=splits["train"],
        validation=splits["val"],
        test=splits["test"],
        class_names=tuple(one.name for one in classes_of(task)),
        description=description,
        notes={
            "features": asdict(settings),
            "normalisation": scale.as_notes(),
            "split_source": folder.split_source,
            "clips": {name: dict(Counter(item.word for item in items[name])) for name in SPLITS},
            "speakers_in_several_splits": shared_speakers(items),
            "augment_copies": task.augment_copies,
            "noise_recordings": len(folder.noise),
        },
    )


def clip_inputs(samples: Samples, notes: dict[str, Any]) -> NDArray[np.float32]:
    """Input currents [frames, n_mfcc] in units of one clip, by the notes of a training run."""
    settings = FeatureSettings(**notes["features"])
    clip = prepared(samples, settings)
    return Normalisation.from_notes(notes["normalisation"]).units(mfcc(clip[None], settings)[0])


def feature_settings(task: SpeechTask) -> FeatureSettings:
    """The task's feature settings in samples."""
    return FeatureSettings(
        sample_rate_hz=task.sample_rate_hz,
        clip_samples=round(task.clip_s * task.sample_rate_hz),
        n_fft=task.n_fft,
        hop_samples=round(task.hop_s * task.sample_rate_hz),
        n_mels=task.n_mels,
        n_mfcc=task.n_mfcc,
        floor_db=task.floor_db,
        pad=task.pad,
        level_db=task.level_db,
    )


def _description(task: KeywordTask) -> str:
    if isinstance(task, SpeechCommandsTask):
        return f"spoken '{task.keyword}' against {', '.join(task.others)}"
    return f"spoken words {', '.join(task.words)}"


def _split(inputs: NDArray[np.float32], items: list[Item], copies: list[int]) -> Split:
    """A split from inputs: one row per item, then one per copy in the items' order."""
    heard = [(item, item.name) for item in items]
    heard += [
        (item, f"{item.name}#{copy}")
        for item, count in zip(items, copies, strict=False)
        for copy in range(1, count + 1)
    ]
    labels = torch.tensor([item.label for item, _ in heard])
    return Split(torch.from_numpy(inputs), labels, tuple(name for _, name in heard))
