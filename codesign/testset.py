"""The test clips of a run, kept in the run folder as input currents or tokens.

Later stages simulate these clips; keeping them beside the weights means that no stage but
``train`` needs the original data, and that everyone simulates the same thing.
"""

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from codesign.errors import InputError
from codesign.files import atomic_path, read_json, write_json
from codesign.runs import Run
from codesign.tasks.base import Split

_TENSORS, _IDS = "test_inputs.safetensors", "test_clips.json"


def save_test_split(run: Run, split: Split) -> None:
    """Write the test split of a run: inputs and labels, and the clips' names."""
    with atomic_path(run.path / _TENSORS) as temporary:
        temporary.write_bytes(save(split.tensors()))
    write_json(run.path / _IDS, list(split.ids))


def has_test_split(run: Run) -> bool:
    """Whether the run holds its test clips."""
    return (run.path / _TENSORS).is_file()


def load_test_split(run: Run) -> Split:
    """The test split of a run, as ``train`` left it.

    Raises InputError when it is missing or damaged.
    """
    path = run.path / _TENSORS
    if not path.is_file():
        raise InputError(
            f"{run.path} holds no test clips ({_TENSORS} is missing); train it again with "
            "'codesign train'."
        )
    ids = read_json(run.path / _IDS, "the names of the test clips")
    try:
        tensors = load_file(path)
        return Split.from_tensors(tensors, tuple(str(name) for name in ids))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is damaged ({error}); train the run again with 'codesign train --force'."
        ) from error
