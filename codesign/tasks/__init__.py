"""Tasks: where labelled input currents come from. One task per module, one protocol (base)."""

from collections.abc import Sequence
from pathlib import Path

from codesign.errors import InputError
from codesign.flows import DigitsTask, SpokenDigitsTask, Task
from codesign.sequence_sections import CharactersTask, ListOpsTask, MnistTask, ProbeTask
from codesign.tasks.base import Split, TaskData

__all__ = ["DataDirs", "Split", "TaskData", "load_task", "needs_data"]

DataDirs = Path | Sequence[Path] | None
"""One folder of recordings, several that are read as one, or none."""


def needs_data(task: Task) -> bool:
    """Whether the task reads a folder given by ``--data``; others are embedded or generated."""
    return not isinstance(task, DigitsTask | ProbeTask | ListOpsTask)


def load_task(task: Task, data_dir: DataDirs, seed: int) -> TaskData:
    """The splits of a task; the same task, data and seed give the same tensors.

    Raises InputError when a data folder is needed and missing, or holds what it should not.
    """
    # Imported where they are used: the embedded digits must not need the audio packages.
    if isinstance(task, DigitsTask):
        from codesign.tasks.digits import load_digits_task

        return load_digits_task(task, seed)
    if isinstance(task, ProbeTask):
        from codesign.tasks.probes import load_probe_task

        return load_probe_task(task, seed)
    if isinstance(task, ListOpsTask):
        from codesign.tasks.listops import load_listops_task

        return load_listops_task(task, seed)
    folders = _folders(task, data_dir)
    if isinstance(task, SpokenDigitsTask):
        from codesign.tasks.fsdd import load_spoken_digits

        return load_spoken_digits(task, _single(task, folders), seed)
    if isinstance(task, MnistTask):
        from codesign.tasks.mnist import load_mnist_task

        return load_mnist_task(task, _single(task, folders))
    if isinstance(task, CharactersTask):
        from codesign.tasks.characters import load_characters_task

        return load_characters_task(task, _single(task, folders))
    from codesign.tasks.speech_commands import load_speech_commands

    return load_speech_commands(task, folders, seed)


# What a task reads, and the name by which it can be fetched.
_SOURCES = {
    "spoken_digits": ("recordings", "fsdd"),
    "mnist": ("idx files", "mnist"),
    "characters": ("a text", "shakespeare"),
}


def _folders(task: Task, data_dir: DataDirs) -> tuple[Path, ...]:
    """What was given by ``--data``, at least one folder."""
    what, source = _SOURCES.get(task.name, ("recordings", "speech_commands"))
    folders = (data_dir,) if isinstance(data_dir, Path) else tuple(data_dir or ())
    if not folders:
        raise InputError(
            f"The task '{task.name}' reads {what} from a folder and none was given; name it with "
            f"--data DIR, or fetch it first with 'codesign data get {source}'."
        )
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"--data {folder} is not a folder; give the folder of {what}.")
    return folders


def _single(task: Task, folders: tuple[Path, ...]) -> Path:
    if len(folders) > 1:
        raise InputError(
            f"The task '{task.name}' reads one folder, but --data was given {len(folders)} times."
        )
    return folders[0]
