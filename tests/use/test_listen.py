"""Sound files as inputs: the same as in training, one window or several."""

from pathlib import Path

import numpy as np
import pytest

from codesign.errors import InputError
from codesign.flows import SpeechCommandsTask
from codesign.tasks import load_task
from codesign.tasks.base import TaskData
from codesign.use.listen import listen
from tests.tasks.sounds import folder, tone, write


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("sounds") / "speech", ("yes", "no"), 2)


@pytest.fixture(scope="module")
def task(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TaskData:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODESIGN_CACHE", str(tmp_path_factory.mktemp("cache")))
        return load_task(
            SpeechCommandsTask(keyword="yes", others=("no",), augment_copies=0), data, 0
        )


def test_a_file_gives_the_inputs_it_had_in_training(data: Path, task: TaskData) -> None:
    windows, clips = listen([data / name for name in task.test.ids], task.notes)
    np.testing.assert_array_equal(clips.inputs.numpy(), task.test.inputs.numpy())
    assert [window.name for window in windows] == [str(data / name) for name in task.test.ids]
    assert {window.window_s for window in windows} == {1.0}
    assert {window.frame_s for window in windows} == {0.01}


def test_a_long_file_is_its_beginning_or_all_its_windows(tmp_path: Path, task: TaskData) -> None:
    late = np.concatenate([np.zeros(16000, np.float32), tone(440.0)])
    path = write(tmp_path / "late.wav", late)
    (whole,), first = listen([path], task.notes)
    assert (whole.length_s, whole.window_s, whole.kept) == (2.0, 1.0, "beginning")
    windows, clips = listen([path], task.notes, every_s=0.5)
    assert [w.name.removeprefix(str(path)) for w in windows] == ["@0.00s", "@0.50s", "@1.00s"]
    np.testing.assert_array_equal(clips.inputs[0].numpy(), first.inputs[0].numpy())
    _, alone = listen([write(tmp_path / "alone.wav", tone(440.0))], task.notes)
    np.testing.assert_allclose(clips.inputs[2, 10:], alone.inputs[0, 10:], atol=1e-5)
    np.testing.assert_allclose(windows[2].samples, late[16000:], atol=2**-15)  # 16 bits


def test_a_short_file_is_padded(tmp_path: Path, task: TaskData) -> None:
    ((window,), clips) = listen(
        [write(tmp_path / "short.wav", tone(440.0, 0.3))], task.notes, every_s=0.1
    )
    assert window.length_s == pytest.approx(0.3)
    assert len(window.samples) == 16000
    assert not window.samples[4800:].any()
    assert clips.inputs.shape == (1, 101, 13)


def test_what_cannot_be_heard_is_refused(tmp_path: Path, task: TaskData) -> None:
    with pytest.raises(InputError, match="takes no sound"):
        listen([tmp_path / "a.wav"], {"note": 1})
    long = write(tmp_path / "long.wav", np.zeros(2 * 16000, np.float32))
    with pytest.raises(InputError, match="would be heard in 10001 windows"):
        listen([long], task.notes, every_s=0.0001)
