"""Spoken digits: a folder of ``{digit}_{speaker}_{index}.wav``, as the Free Spoken Digit Dataset.

Six voices say each digit fifty times. The data set's own split tests on recordings 0 to 4 of every
voice, which training has heard saying the same word 45 times: it overstates what a new voice would
see. The split ``speaker`` keeps whole voices apart; which ones is a choice of the flow, and six
choices in turn are a cross-validation.
"""

import re
from pathlib import Path

from codesign.errors import InputError
from codesign.flows import SpokenDigitsTask
from codesign.tasks.base import TaskData
from codesign.tasks.sound_files import sounds_in
from codesign.tasks.speech_commands import speech_task
from codesign.tasks.speech_folder import Clip, SpeechFolder, SplitName

_NAME = re.compile(r"(?P<digit>[0-9])_(?P<speaker>.+)_(?P<index>[0-9]+)")
_OFFICIAL: tuple[tuple[int, SplitName], ...] = ((5, "test"), (10, "val"))


def load_spoken_digits(task: SpokenDigitsTask, data_dir: Path, seed: int) -> TaskData:
    """Digits as input currents [N, frames, n_mfcc] in units; see ``speech_task``.

    ``data_dir`` holds the recordings, or a folder ``recordings`` that does.

    Raises InputError for a folder without recordings, a file of another name, a speaker or a digit
    that is not there, a clip that cannot be used, and a split without clips of a digit.
    """
    digits = ", ".join(str(digit) for digit in task.classes)
    who = f"voices of {', '.join(task.test_speakers)} held out"
    split = "recordings 0-4 of each voice held out" if task.split == "official" else who
    return speech_task(
        task, scan_spoken_digits(task, data_dir), seed, f"spoken digits {digits}, {split}"
    )


def scan_spoken_digits(task: SpokenDigitsTask, data_dir: Path) -> SpeechFolder:
    """The recordings by digit, in the splits of the task. Raises InputError as loading does."""
    inner = data_dir / "recordings"
    folder = inner if inner.is_dir() else data_dir
    paths = sorted(sounds_in(folder))
    if not paths:
        raise InputError(
            f"{folder} holds no recordings: expected files named digit_speaker_index.wav, as in "
            "7_theo_0.wav."
        )
    named = [(path, _parts(path)) for path in paths]
    speakers = sorted({speaker for _, (_, speaker, _) in named})
    if task.split == "speaker":
        _check_speakers(task, speakers, folder)
    words: dict[str, list[Clip]] = {}
    for path, (digit, speaker, index) in named:
        split = _split_of(task, speaker, index)
        words.setdefault(digit, []).append(Clip(path, path.name, digit, speaker, split))
    source = f"task.split = {task.split}"
    return SpeechFolder(str(folder), {key: tuple(words[key]) for key in sorted(words)}, (), source)


def _parts(path: Path) -> tuple[str, str, int]:
    """(digit, speaker, index) from a file's name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise InputError(
            f"{path} is not named digit_speaker_index, as in 7_theo_0.wav; rename or remove it."
        )
    return match["digit"], match["speaker"], int(match["index"])


def _check_speakers(task: SpokenDigitsTask, speakers: list[str], folder: Path) -> None:
    held = dict.fromkeys(task.test_speakers, "task.test_speakers")
    held |= dict.fromkeys(task.validation_speakers, "task.validation_speakers")
    for name, key in held.items():
        if name not in speakers:
            raise InputError(
                f"{folder} has no recordings of '{name}' ({key}); it has: {', '.join(speakers)}."
            )
    if len(held) == len(speakers):
        raise InputError(
            f"task.test_speakers and task.validation_speakers take all {len(speakers)} voices of "
            f"{folder}; leave at least one to train on."
        )


def _split_of(task: SpokenDigitsTask, speaker: str, index: int) -> SplitName:
    if task.split == "speaker":
        if speaker in task.test_speakers:
            return "test"
        return "val" if speaker in task.validation_speakers else "train"
    return next((split for end, split in _OFFICIAL if index < end), "train")
