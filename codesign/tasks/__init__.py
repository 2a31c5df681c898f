"""Tasks: where labelled input currents come from. One task per module, one protocol (base)."""

from pathlib import Path

from codesign.errors import InputError
from codesign.flows import DigitsTask, Task
from codesign.tasks.base import Split, TaskData

__all__ = ["Split", "TaskData", "load_task", "needs_data"]


def needs_data(task: Task) -> bool:
    """Whether the task reads a folder given by ``--data`` (the digits are embedded)."""
    return not isinstance(task, DigitsTask)


def load_task(task: Task, data_dir: Path | None, seed: int) -> TaskData:
    """The splits of a task; the same task, data and seed give the same tensors.

    Raises InputError when a data folder is needed and missing, or holds what it should not.
    """
    if isinstance(task, DigitsTask):
        from codesign.tasks.digits import load_digits_task

        return load_digits_task(task, seed)
    if data_dir is None:
        raise InputError(
            f"The task '{task.name}' reads recordings from a folder and none was given; "
            "name it with --data DIR."
        )
    if not data_dir.is_dir():
        raise InputError(f"--data {data_dir} is not a folder; give the folder of recordings.")
    # Imported here: the embedded digits must not need the audio packages.
    from codesign.tasks.speech_commands import load_speech_commands

    return load_speech_commands(task, data_dir, seed)
