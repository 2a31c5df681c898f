"""Tasks: where labelled input currents come from. One task per module, one protocol (base)."""

from pathlib import Path

from codesign.errors import InputError
from codesign.flows import DigitsTask, Task
from codesign.sequence_sections import ProbeTask
from codesign.tasks.base import Split, TaskData

__all__ = ["Split", "TaskData", "load_task", "needs_data"]


def needs_data(task: Task) -> bool:
    """Whether the task reads a folder given by ``--data``; others are embedded or generated."""
    return not isinstance(task, DigitsTask | ProbeTask)


def load_task(task: Task, data_dir: Path | None, seed: int) -> TaskData:
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
    folder = _folder(task, data_dir)
    from codesign.tasks.speech_commands import load_speech_commands

    return load_speech_commands(task, folder, seed)


def _folder(task: Task, data_dir: Path | None) -> Path:
    if data_dir is None:
        raise InputError(
            f"The task '{task.name}' reads recordings from a folder and none was given; "
            "name it with --data DIR."
        )
    if not data_dir.is_dir():
        raise InputError(f"--data {data_dir} is not a folder; give the folder of recordings.")
    return data_dir
