"""Which clips a Speech Commands folder holds, and which split each belongs to.

The folder has one sub-folder per word. Its split comes from the first of these that is there:

1. ``manifest.csv`` with the columns file, word, speaker, split (train, val or test);
2. ``validation_list.txt`` and ``testing_list.txt``, one ``word/clip`` a line, the rest training;
3. the rule published with the data set (Warden, arXiv:1804.03209, section 6): SHA-1 of the
   speaker's name, so that a speaker stays in one split for ever; 10 % validation, 10 % test.
"""

import csv
import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from codesign.errors import InputError
from codesign.tasks.sound_files import SOUND_FILES, check_name, sounds_in

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
SILENCE = "_silence_"
UNKNOWN = "_unknown_"
NOISE = "_background_noise_"

_LISTS: dict[str, SplitName] = {"validation_list.txt": "val", "testing_list.txt": "test"}
_HASH_LEVELS = 2**27 - 1  # the published rule's largest number of clips per word


@dataclass(frozen=True)
class Clip:
    """One recording of one word; ``name`` is its path inside the folder."""

    path: Path
    name: str
    word: str
    speaker: str
    split: SplitName


@dataclass(frozen=True)
class SpeechFolder:
    """What is in a folder: its clips by word, its noise recordings, where the split came from.

    ``path`` is the folder as messages name it.
    """

    path: str
    clips: dict[str, tuple[Clip, ...]]
    noise: tuple[Path, ...]
    split_source: str

    def of(self, word: str, key: str) -> tuple[Clip, ...]:
        """The clips of a word; ``key`` names the flow's key that asked for it.

        Raises InputError when the folder has none, with the nearest word it has.
        """
        if word in self.clips:
            return self.clips[word]
        if word == SILENCE:
            raise InputError(
                f"{self.path} has no '{SILENCE}' ({key}) and no noise to make it from; put long "
                f"recordings of noise in its folder {NOISE}."
            )
        near = difflib.get_close_matches(word.lower(), self.clips, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"It has: {', '.join(self.clips)}."
        raise InputError(f"{self.path} has no clips of '{word}' ({key}); {hint}")


def scan_folder(data_dir: Path) -> SpeechFolder:
    """List a folder without opening its sound files; clips are sorted by name.

    Raises InputError for a folder that is missing or holds no sound, and for a manifest or list
    that is unreadable, lacks a column, or names a file that is not there.
    """
    if not data_dir.is_dir():
        raise InputError(
            f"The data folder {data_dir} does not exist; --data expects a Speech Commands folder, "
            "one sub-folder per word."
        )
    noise = tuple(sorted(sounds_in(data_dir / NOISE)))
    if (data_dir / "manifest.csv").is_file():
        clips, source = _from_manifest(data_dir), "manifest.csv"
    else:
        clips, source = _from_folders(data_dir)
    if not clips:
        raise _no_clips(data_dir)
    words: dict[str, list[Clip]] = {}
    for clip in sorted(clips, key=lambda clip: clip.name):
        words.setdefault(clip.word, []).append(clip)
    return SpeechFolder(
        str(data_dir), {word: tuple(words[word]) for word in sorted(words)}, noise, source
    )


def which_set(
    file_name: str, validation_percent: float = 10.0, test_percent: float = 10.0
) -> SplitName:
    """The split of a clip by the rule published with Speech Commands.

    The part of the name before ``_nohash_`` is the speaker; its SHA-1, reduced to [0, 100] %,
    falls below the validation share, then below the test share, or is training.
    """
    # A name that says no speaker is hashed whole, suffix included, as published.
    hashed = speaker_of(file_name) or PurePosixPath(file_name).name
    digest = hashlib.sha1(hashed.encode(), usedforsecurity=False)
    percent = (int(digest.hexdigest(), 16) % (_HASH_LEVELS + 1)) * (100.0 / _HASH_LEVELS)
    if percent < validation_percent:
        return "val"
    return "test" if percent < validation_percent + test_percent else "train"


def speaker_of(file_name: str) -> str:
    """The speaker's part of a clip's file name, or "" when the name does not say."""
    name = PurePosixPath(file_name).name
    return name.split("_nohash_")[0] if "_nohash_" in name else ""


def _no_clips(data_dir: Path) -> InputError:
    """Why a folder holds no clips, as far as one can see."""
    if (data_dir / "manifest.csv").is_file():
        return InputError(f"{data_dir / 'manifest.csv'} lists no clips; add a row for each.")
    return InputError(
        f"{data_dir} holds no clips: expected sub-folders named after words, with .wav or "
        ".flac files in them."
    )


def _from_folders(data_dir: Path) -> tuple[list[Clip], str]:
    lists = [name for name in _LISTS if (data_dir / name).is_file()]
    # Without the suffix: a folder re-encoded to FLAC keeps the original lists.
    listed = {
        line.rsplit(".", 1)[0]: _LISTS[name] for name in lists for line in _lines(data_dir / name)
    }
    clips: list[Clip] = []
    for folder in sorted(data_dir.iterdir()):
        if folder.suffix.lower() in SOUND_FILES:
            raise InputError(
                f"{folder} has no label: expected recordings in sub-folders named after words, or "
                "a manifest.csv with the columns file, word, speaker, split."
            )
        if not folder.is_dir() or folder.name == NOISE or folder.name.startswith("."):
            continue
        check_name(folder)
        for path in sounds_in(folder):
            split = (
                listed.get(f"{folder.name}/{path.stem}", "train") if lists else which_set(path.name)
            )
            name = f"{folder.name}/{path.name}"
            clips.append(Clip(path, name, folder.name, speaker_of(path.name), split))
    return clips, " and ".join(lists) if lists else "SHA-1 of the speaker (which_set)"


def _from_manifest(data_dir: Path) -> list[Clip]:
    manifest = data_dir / "manifest.csv"
    rows = csv.DictReader(_lines(manifest))
    missing = {"file", "word", "speaker", "split"} - _columns(rows, manifest)
    if missing:
        raise InputError(
            f"{manifest} lacks the column {sorted(missing)[0]}; expected at least file, word, "
            "speaker, split."
        )
    clips: dict[str, Clip] = {}
    for number, row in enumerate(_rows(rows, manifest), start=2):
        clip = _manifest_clip(data_dir, row, f"{manifest}, line {number}")
        if clip.name in clips:
            raise InputError(
                f"{manifest}, line {number}: {clip.name} is listed twice; keep one of the rows."
            )
        clips[clip.name] = clip
    return [clip for clip in clips.values() if clip.word != NOISE]


def _columns(rows: "csv.DictReader[str]", manifest: Path) -> set[str]:
    try:
        return set(rows.fieldnames or ())
    except csv.Error as error:
        raise InputError(f"{manifest}, line 1 is not a row of a table ({error}).") from error


def _rows(rows: "csv.DictReader[str]", manifest: Path) -> Iterator[dict[str, str | None]]:
    try:
        yield from rows
    except csv.Error as error:
        raise InputError(
            f"{manifest}, after line {rows.line_num} is not a row of a table ({error})."
        ) from error


def _manifest_clip(data_dir: Path, row: dict[str, str | None], where: str) -> Clip:
    name, word, split = (row[key] or "" for key in ("file", "word", "split"))
    if split not in SPLITS:
        raise InputError(f"{where}: split is '{split}', expected one of {', '.join(SPLITS)}.")
    relative = PurePosixPath(name)
    if not name or relative.is_absolute() or ".." in relative.parts:
        raise InputError(f"{where}: file is '{name}', expected a path inside the folder.")
    if not word:
        raise InputError(f"{where}: {name} has no label; fill in its word or remove the row.")
    if not (name + word).isprintable():
        raise InputError(
            f"{where}: {name + ', ' + word!a} holds characters that cannot be printed; rename it."
        )
    path = data_dir / relative
    if not path.is_file():
        raise InputError(
            f"{where}: there is no file {path}; restore it or remove the row from the manifest."
        )
    # One spelling per file, or ./a.wav and a.wav would be two clips.
    return Clip(path, str(relative), word, row["speaker"] or "", split)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read {path}: {error}; expected a text file in UTF-8.") from error
