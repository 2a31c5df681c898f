"""Several Speech Commands folders as one.

Each folder keeps its own split. What would flatter a figure is refused, not repaired: a speaker
whom one folder trains on and another tests on, and a clip that two folders hold. Moving either to
the right side would change a test set that was published with its folder, and leaving clips out
would change figures silently; the message names the first case and how many there are, and a
manifest without those rows settles it.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from codesign.errors import InputError
from codesign.tasks.speech_folder import Clip, SpeechFolder, scan_folder


def scan_folders(data_dirs: Sequence[Path]) -> SpeechFolder:
    """The clips and noise of all folders, at least one; the clips of a word are sorted by name.

    Raises InputError for what ``scan_folder`` refuses, for a folder given twice, for a clip name
    that two folders hold, and for a speaker in different splits of two folders.
    """
    if len(data_dirs) == 1:
        return scan_folder(data_dirs[0])
    seen: set[Path] = set()
    for path in data_dirs:
        if path.resolve() in seen:
            raise InputError(f"--data {path} is given twice; give each folder once.")
        seen.add(path.resolve())
    folders = [scan_folder(path) for path in data_dirs]
    _check_clips(folders)
    _check_speakers(folders)
    words: dict[str, list[Clip]] = {}
    for folder in folders:
        for word, clips in folder.clips.items():
            words.setdefault(word, []).extend(clips)
    return SpeechFolder(
        " and ".join(folder.path for folder in folders),
        {
            word: tuple(sorted(words[word], key=lambda clip: (clip.name, clip.path)))
            for word in sorted(words)
        },
        tuple(path for folder in folders for path in folder.noise),
        ", ".join(f"{folder.path}: {folder.split_source}" for folder in folders),
    )


def _all(folder: SpeechFolder) -> chain[Clip]:
    return chain.from_iterable(folder.clips.values())


def _check_clips(folders: list[SpeechFolder]) -> None:
    holder: dict[str, SpeechFolder] = {}
    for folder in folders:
        twice = sorted(clip.name for clip in _all(folder) if clip.name in holder)
        if twice:
            raise InputError(
                f"{twice[0]} is in {holder[twice[0]].path} and in {folder.path}{_more(twice)}; a "
                "clip counts once: rename it or leave it out of one folder."
            )
        holder |= {clip.name: folder for clip in _all(folder)}


def _check_speakers(folders: list[SpeechFolder]) -> None:
    """A folder may share speakers among its own splits: that is counted in the task's notes."""
    splits: dict[str, tuple[set[str], SpeechFolder]] = {}
    for folder in folders:
        here: dict[str, set[str]] = {}
        for clip in _all(folder):
            if clip.speaker:
                here.setdefault(clip.speaker, set()).add(clip.split)
        apart = sorted(name for name in here if name in splits and here[name] != splits[name][0])
        if apart:
            known, first = splits[apart[0]]
            raise InputError(
                f"Speaker '{apart[0]}' is in {' and '.join(sorted(known))} of {first.path} and in "
                f"{' and '.join(sorted(here[apart[0]]))} of {folder.path}{_more(apart)}; a speaker "
                "must stay in one split: change the split of one folder in its manifest.csv."
            )
        splits |= {name: (found, folder) for name, found in here.items()}


def _more(found: list[str]) -> str:
    return f" (and {len(found) - 1} more)" if len(found) > 1 else ""
