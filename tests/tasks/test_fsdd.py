"""Spoken digits by file name: splits by voice and by recording, lengths, levels, messages."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codesign.cli.main import main
from codesign.errors import InputError
from codesign.flows import SpokenDigitsTask, load_flow, parse_flow
from codesign.tasks import load_task
from codesign.tasks.audio import read_clip
from codesign.tasks.speech_commands import clip_inputs
from tests.tasks.sounds import tone, write

RATE = 8000
VOICES = ("ann", "bob", "cas")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two digits, three voices, twelve recordings of different length each."""
    for digit in (3, 7):
        for number, voice in enumerate(VOICES):
            for index in range(12):
                seconds = 0.3 + 0.02 * index
                samples = tone(300 * digit, 2 * seconds, index, level=0.1 * (1 + number))[::2]
                write(
                    tmp_path / "fsdd" / "recordings" / f"{digit}_{voice}_{index}.wav", samples, RATE
                )
    return tmp_path / "fsdd"


def digits(**changes: Any) -> SpokenDigitsTask:
    held = {"test_speakers": ("cas",), "validation_speakers": ("bob",), "classes": (3, 7)}
    return SpokenDigitsTask.model_validate({"augment_copies": 0, **held, **changes})


def voices(ids: tuple[str, ...]) -> set[str]:
    return {name.split("_")[1] for name in ids}


def test_voices_stay_apart(data: Path) -> None:
    task = load_task(digits(), data, 0)
    assert [voices(part.ids) for part in task.splits().values()] == [{"ann"}, {"bob"}, {"cas"}]
    assert [len(part) for part in task.splits().values()] == [24, 24, 24]
    assert task.notes["speakers_in_several_splits"] == 0
    assert task.class_names == ("3", "7")
    for part in task.splits().values():
        assert part.labels.tolist() == [int(name.startswith("7")) for name in part.ids]


def test_the_official_split_tests_on_the_first_five_recordings(data: Path) -> None:
    task = load_task(digits(split="official"), data / "recordings", 0)
    held = [{int(name[:-4].split("_")[2]) for name in p.ids} for p in task.splits().values()]
    assert held == [{10, 11}, {5, 6, 7, 8, 9}, {0, 1, 2, 3, 4}]
    assert task.notes["speakers_in_several_splits"] == 3, "and says that it shares its voices"


def test_padding_in_front_puts_the_end_of_the_word_last(data: Path) -> None:
    """The last frames of a clip are those of the word, whatever the length padded to."""
    short, long = (load_task(digits(clip_s=s), data, 0) for s in (0.6, 1.0))
    assert short.test.inputs.shape[1:] == (61, 13)
    assert long.test.inputs.shape[1:] == (101, 13)
    samples = read_clip(data / "recordings" / long.test.ids[0], RATE)
    long_notes = {**short.notes, "features": long.notes["features"]}
    np.testing.assert_array_equal(
        clip_inputs(samples, long_notes)[-25:], clip_inputs(samples, short.notes)[-25:]
    )
    np.testing.assert_array_equal(clip_inputs(samples, long.notes), long.test.inputs[0].numpy())


def test_a_long_clip_keeps_its_end(data: Path) -> None:
    task = load_task(digits(clip_s=0.3), data, 0)
    samples = read_clip(data / "recordings" / "3_ann_11.wav", RATE)
    np.testing.assert_array_equal(
        clip_inputs(samples, task.notes), clip_inputs(samples[-2400:], task.notes)
    )


def test_one_level_hides_how_loud_a_voice_was_recorded(data: Path) -> None:
    """Apart from the room under the floor of the features, gain is taken out."""
    task = load_task(digits(level_db=-20.0), data, 0)
    samples = read_clip(data / "recordings" / "3_ann_11.wav", RATE)
    loud = clip_inputs(samples, task.notes)
    np.testing.assert_allclose(clip_inputs(samples * np.float32(0.25), task.notes), loud, atol=1e-3)
    silent = clip_inputs(np.zeros(4000, np.float32), task.notes)
    assert np.isfinite(silent).all(), "digital silence has no level"


def test_copies_of_a_clip_padded_in_front_never_lose_its_end(data: Path) -> None:
    from codesign.tasks.augment import Augmentation, augment_clip

    clip = np.zeros(8000, np.float32)
    clip[-800:] = 0.5
    for seed in range(30):
        rng = np.random.default_rng(seed)
        copy = augment_clip(clip, (), RATE, rng, Augmentation(0.1, 0.2, 0.0), "front")
        assert len(copy) == 8000
        assert (copy > 0.4).sum() >= 800 / 1.2 - 2, "all of the word is still there"
        assert np.flatnonzero(copy > 0.4).max() >= 8000 - 1 - 800


def refusal(task: SpokenDigitsTask, where: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_task(task, where, 0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_voice_lists_those_there_are(data: Path) -> None:
    message = refusal(digits(test_speakers=("dan",)), data)
    assert "'dan' (task.test_speakers)" in message
    assert "ann, bob, cas" in message


def test_no_voice_left_to_train_on(data: Path) -> None:
    assert "leave at least one" in refusal(digits(test_speakers=("ann", "cas")), data)


def test_an_absent_digit_is_named(data: Path) -> None:
    assert "no clips of '5' (task.classes)" in refusal(digits(classes=(3, 5)), data)


def test_a_voice_that_lacks_a_digit_leaves_a_split_empty(data: Path) -> None:
    for path in (data / "recordings").glob("7_cas_*"):
        path.unlink()
    assert "no clips of '7' in its test split" in refusal(digits(), data)


def test_a_file_of_another_name_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(data / "recordings" / "seven.wav", np.zeros(99), RATE)
    arguments = ["train", "fsdd", "--data", str(data), "--run", str(tmp_path / "run")]
    assert main(arguments) == 2
    assert "seven.wav is not named digit_speaker_index" in capsys.readouterr().err


def test_an_empty_folder_says_what_was_expected(tmp_path: Path) -> None:
    assert "7_theo_0.wav" in refusal(digits(), tmp_path)


def test_two_folders_are_refused(data: Path) -> None:
    assert "reads one folder" in refusal(digits(), (data, data / "recordings"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"test_speakers": ["lucas"]}, "lucas in test_speakers and in validation_speakers"),
        ({"classes": [1, 1]}, "names a digit twice"),
    ],
)
def test_an_inconsistent_task_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_flow({"task": {"name": "spoken_digits", **changes}}, "flow.toml")


def test_the_shipped_flow_holds_out_voices() -> None:
    task = load_flow("fsdd").task
    assert isinstance(task, SpokenDigitsTask)
    assert task.split == "speaker"
    assert task.classes == tuple(range(10))


def real_data() -> Path:
    """The real recordings, or a skip that says what to set."""
    given = os.environ.get("CODESIGN_DATA")
    place = Path(given) if given else Path(__file__).resolve().parents[3] / "shared" / "data"
    if (place / "fsdd").is_dir():
        return place / "fsdd"
    pytest.skip("no real recordings: set CODESIGN_DATA to a folder that holds fsdd/")


def test_real_recordings() -> None:
    """Six voices of 500 recordings; two digits of them, to be quick."""
    task = SpokenDigitsTask(classes=(3, 8), augment_copies=0, hop_s=0.02)
    data = load_task(task, real_data(), 0)
    assert [torch.bincount(part.labels).tolist() for part in data.splits().values()] == [
        [200, 200],
        [50, 50],
        [50, 50],
    ]
