"""The sound files of a folder. Nothing is left out silently: that would change every figure."""

import os
from pathlib import Path

from codesign.errors import InputError

SOUND_FILES = frozenset({".wav", ".flac"})
_OTHER_SOUND = frozenset(
    {".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma", ".webm"}
)


def sounds_in(folder: Path) -> list[Path]:
    """The sound files directly in a folder, in no order; empty when there is no such folder.

    Raises InputError for what would be left out without a word: sound in another format, sound in
    a folder further down, and a name that cannot be printed.
    """
    if not folder.is_dir():
        return []
    found = []
    for entry in os.scandir(folder):
        path, suffix = folder / entry.name, Path(entry.name).suffix.lower()
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if inner := _some_sound(path):
                raise InputError(
                    f"{inner} lies one folder too deep: expected recordings directly in {folder}; "
                    f"move them up, or did you mean --data {folder}?"
                )
        elif suffix in SOUND_FILES:
            check_name(path)
            found.append(path)
        elif suffix in _OTHER_SOUND:
            raise InputError(
                f"{path} is neither .wav nor .flac; convert it, for example: ffmpeg -i "
                f"{path.name} {path.stem}.wav, or remove it."
            )
    return found


def _some_sound(folder: Path) -> Path | None:
    """Any sound file in a folder or below it."""
    return next(
        (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SOUND_FILES), None
    )


def check_name(path: Path) -> None:
    """Raise InputError for a file or folder whose name cannot stand in a table or a message."""
    if not path.name.isprintable():
        raise InputError(
            f"The name {path.name!a} in {path.parent} holds characters that cannot be printed or "
            "are not UTF-8; rename it."
        )
