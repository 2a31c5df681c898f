"""Speech Commands folders: splits, inputs, and one clear message per thing that can be wrong."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codesign.cli.main import main
from codesign.errors import InputError
from codesign.flows import SpeechCommandsTask, load_flow, parse_flow
from codesign.tasks import load_task
from codesign.tasks.audio import read_clip
from codesign.tasks.base import TaskData
from codesign.tasks.speech_commands import clip_inputs
from codesign.tasks.speech_folder import scan_folder, which_set
from tests.tasks.sounds import RATE, folder, tone, write

TASK = SpeechCommandsTask(keyword="yes", others=("no", "up"), augment_copies=2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return folder(tmp_path / "speech")


def with_(**changes: Any) -> SpeechCommandsTask:
    return SpeechCommandsTask.model_validate({**TASK.model_dump(), **changes})


def refusal(task: SpeechCommandsTask, where: Path | None) -> str:
    with pytest.raises(InputError) as caught:
        load_task(task, where, 0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_shapes_labels_and_copies(data: Path) -> None:
    task = load_task(TASK, data, 0)
    assert task.class_names == ("other", "yes")
    assert task.train.inputs.shape == (2 * 6 * 3, 101, 13)
    assert int(task.train.labels.sum()) == 6 * 3, "both classes are equally large"
    assert task.validation.inputs.shape == task.test.inputs.shape == (9, 101, 13)
    assert len(set(task.train.ids)) == len(task.train)
    for split in task.splits().values():
        expected = [int(name.startswith("yes/")) for name in split.ids]
        assert split.labels.tolist() == expected
        assert split.inputs.max() <= TASK.max_input_units


def test_percentiles_of_the_training_clips_are_the_floor_and_1(data: Path) -> None:
    """Copies do not move the scale: the same chip hears the same clip in the same way."""
    few, many = load_task(with_(augment_copies=0), data, 0), load_task(TASK, data, 0)
    assert few.notes["normalisation"] == many.notes["normalisation"]
    flat = few.train.inputs[:9].reshape(-1, 13).numpy()  # the clips, without their copies
    np.testing.assert_allclose(np.percentile(flat, 99, axis=0), 1.0, atol=1e-3)
    assert ((flat <= np.float32(0.1)).mean(axis=0) >= 0.005).all()
    assert flat.min() == np.float32(0.1)


def test_a_clip_heard_later_gives_the_same_inputs(data: Path) -> None:
    task = load_task(TASK, data, 0)
    for index in (0, 4):
        clip = read_clip(data / task.test.ids[index], RATE)
        np.testing.assert_array_equal(
            clip_inputs(clip, task.notes), task.test.inputs[index].numpy()
        )


def equal(one: TaskData, other: TaskData) -> bool:
    pairs = zip(one.splits().values(), other.splits().values(), strict=True)
    return all(torch.equal(a.inputs, b.inputs) and a.ids == b.ids for a, b in pairs)


def test_the_seed_decides_the_copies_and_nothing_else(data: Path) -> None:
    task, other = load_task(TASK, data, 0), load_task(TASK, data, 1)
    assert torch.equal(task.train.inputs[:9], other.train.inputs[:9])
    assert not torch.equal(task.train.inputs[9:], other.train.inputs[9:])
    assert torch.equal(task.test.inputs, other.test.inputs)


def test_being_altered_says_nothing_about_the_class(data: Path) -> None:
    """Each class holds the same share of clips as they are, however many copies balance it."""
    task = load_task(TASK, data, 0)
    rows = {name: task.train.inputs[row] for row, name in enumerate(task.train.ids)}
    plain = [torch.equal(inputs, rows[name.split("#")[0]]) for name, inputs in rows.items()]
    shares = [
        np.mean([same for same, label in zip(plain, task.train.labels, strict=True) if label == k])
        for k in (0, 1)
    ]
    assert shares == pytest.approx([1 / 3, 1 / 3])


def test_the_cache_changes_nothing(data: Path, own_cache: Path) -> None:
    first = load_task(TASK, data, 0)
    (stored,) = own_cache.rglob("*.npz")
    before = stored.stat().st_mtime_ns
    assert equal(first, load_task(TASK, data, 0))
    assert stored.stat().st_mtime_ns == before, "the second load should have read the cache"
    stored.write_bytes(stored.read_bytes()[:100])
    assert equal(first, load_task(TASK, data, 0)), "a damaged cache is computed again"


def test_a_changed_clip_is_heard_despite_the_cache(data: Path) -> None:
    before = load_task(TASK, data, 0)
    write(data / before.test.ids[0], tone(3000, seconds=0.9))
    assert not torch.equal(before.test.inputs[0], load_task(TASK, data, 0).test.inputs[0])


def test_an_unwritable_cache_is_no_obstacle(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "file"))
    assert len(load_task(TASK, data, 0).test) == 9


def test_any_first_clips_of_the_test_split_are_balanced(data: Path) -> None:
    assert load_task(TASK, data, 0).test.labels[:6].tolist() == [1, 0, 1, 0, 1, 0]


def test_short_clips_are_padded_like_zeros(data: Path) -> None:
    name = load_task(TASK, data, 0).test.ids[0]
    word = tone(440, seconds=0.5)
    write(data / name, word)
    short = load_task(TASK, data, 0)
    write(data / name, np.concatenate([word, np.zeros(8000, "f4")]))
    padded = load_task(TASK, data, 0)
    assert torch.equal(short.test.inputs, padded.test.inputs)


def test_silence_is_made_from_noise(data: Path) -> None:
    task = load_task(with_(others=("no", "_silence_")), data, 0)
    assert task.notes["clips"]["test"] == {"yes": 3, "no": 3, "_silence_": 3}
    assert torch.equal(
        task.test.inputs, load_task(with_(others=("no", "_silence_")), data, 9).test.inputs
    )


def test_silence_without_noise_is_refused(data: Path) -> None:
    (data / "_background_noise_" / "fan.wav").unlink()
    message = refusal(with_(others=("no", "_silence_")), data)
    assert "'_silence_' (task.others)" in message
    assert "_background_noise_" in message


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert "nowhere" in refusal(TASK, tmp_path / "nowhere")


def test_no_folder_is_refused() -> None:
    assert "--data" in refusal(TASK, None)


def test_a_folder_without_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "notes.txt").write_text("hello")
    assert "holds no clips" in refusal(TASK, tmp_path)


def test_an_absent_keyword_suggests_the_nearest(data: Path) -> None:
    message = refusal(with_(keyword="yess"), data)
    assert "task.keyword" in message
    assert "did you mean 'yes'?" in message


def test_an_absent_other_word_lists_what_there_is(data: Path) -> None:
    message = refusal(with_(others=("no", "marvin")), data)
    assert "'marvin' (task.others)" in message
    assert "no, up, yes" in message


@pytest.mark.parametrize(
    ("samples", "rate", "complaint"),
    [
        (np.zeros((9, 2)), RATE, "2 channels"),
        (np.zeros(9), 8000, "8000 Hz"),
        (np.zeros(0), RATE, "zero length"),
    ],
)
def test_one_bad_clip_is_named(data: Path, samples: np.ndarray, rate: int, complaint: str) -> None:
    path = write(data / "no" / "test1_nohash_0.wav", samples, rate)
    message = refusal(TASK, data)
    assert complaint in message
    assert str(path) in message


def test_a_truncated_clip_is_named(data: Path, own_cache: Path) -> None:
    path = data / "no" / "test1_nohash_0.wav"
    path.write_bytes(path.read_bytes()[:999])
    message = refusal(TASK, data)
    assert "truncated" in message
    assert str(path) in message
    assert not list(own_cache.rglob("*")), "nothing half-written"


def edit_manifest(data: Path, old: str, new: str) -> None:
    path = data / "manifest.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_manifest_row_without_its_file_is_named(data: Path) -> None:
    (data / "up" / "val2_nohash_0.flac").unlink()
    message = refusal(TASK, data)
    assert "manifest.csv, line" in message
    assert "val2_nohash_0.flac" in message


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("speaker", "voice", "lacks the column speaker"),
        ("train0,train", "train0,dev", "split is 'dev'"),
        ("yes/train0_nohash_0.flac", "../yes.flac", "a path inside the folder"),
        ("yes/train0_nohash_0.flac", "/etc/passwd", "a path inside the folder"),
        ("yes/train1_nohash_0.wav", "yes/train0_nohash_0.flac", "listed twice"),
    ],
)
def test_a_wrong_manifest_is_refused(data: Path, old: str, new: str, complaint: str) -> None:
    edit_manifest(data, old, new)
    message = refusal(TASK, data)
    assert "manifest.csv" in message
    assert complaint in message


def test_a_binary_manifest_is_refused(data: Path) -> None:
    (data / "manifest.csv").write_bytes(b"\xff\xfe\x00\x81")
    assert "manifest.csv" in refusal(TASK, data)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_without_the_keyword_is_refused(data: Path, split: str) -> None:
    path = data / "manifest.csv"
    rows = path.read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if not row.startswith(f"yes/{split}")]
    path.write_text("\n".join(kept), encoding="utf-8")
    assert f"no clips of 'yes' in its {split} split" in refusal(TASK, data)


def test_speakers_heard_in_two_splits_are_counted(data: Path) -> None:
    assert load_task(TASK, data, 0).notes["speakers_in_several_splits"] == 0
    edit_manifest(data, "yes,train0,train", "yes,test0,train")
    assert load_task(TASK, data, 0).notes["speakers_in_several_splits"] == 1


def test_lists_decide_the_split_without_a_manifest(data: Path) -> None:
    (data / "manifest.csv").unlink()
    (data / "validation_list.txt").write_text("yes/train0_nohash_0.wav\n")  # is a .flac by now
    (data / "testing_list.txt").write_text("no/test1_nohash_0.wav\nhouse/a_nohash_0.wav\n")
    found = scan_folder(data)
    assert found.split_source == "validation_list.txt and testing_list.txt"
    clips = [clip for clips in found.clips.values() for clip in clips]
    assert [c.name for c in clips if c.split == "val"] == ["yes/train0_nohash_0.flac"]
    assert [c.name for c in clips if c.split == "test"] == ["no/test1_nohash_0.wav"]
    assert len(clips) == 27


def test_the_published_rule_decides_otherwise(data: Path) -> None:
    (data / "manifest.csv").unlink()
    found = scan_folder(data)
    assert found.split_source.startswith("SHA-1")
    for clip in found.clips["yes"]:
        assert clip.split == which_set(clip.path.name)


def test_a_speaker_stays_in_one_split() -> None:
    names = [f"{n:08x}" for n in range(2000)]
    sets = [which_set(f"{name}_nohash_0.wav") for name in names]
    assert sets == [which_set(f"house/{name}_nohash_7.flac") for name in names]
    assert 0.08 < sets.count("val") / 2000 < 0.12
    assert 0.08 < sets.count("test") / 2000 < 0.12


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"keyword": "no"}, "twice"),
        ({"n_mfcc": 13, "n_mels": 10}, "n_mels = 10"),
    ],
)
def test_an_inconsistent_task_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_flow({"task": {"name": "speech_commands", **changes}}, "flow.toml")


def test_the_shipped_flow_asks_for_the_published_task() -> None:
    task = load_flow("kws_yes").task
    assert isinstance(task, SpeechCommandsTask)
    assert task.keyword == "yes"
    assert set(task.others) == {"no", "up", "down", "left", "right", "_silence_"}


def test_the_command_says_it_in_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line: exit code 2, no traceback, no run folder."""
    write(data / "no" / "test1_nohash_0.wav", np.zeros(9), 8000)
    run = tmp_path / "run"
    flow = tmp_path / "flow.toml"
    flow.write_text(
        '[task]\nname = "speech_commands"\nkeyword = "yes"\nothers = ["no", "up"]\n',
        encoding="utf-8",
    )
    assert main(["train", str(flow), "--data", str(data), "--run", str(run)]) == 2
    message = capsys.readouterr().err
    assert "8000 Hz" in message
    assert "Traceback" not in message
    assert not run.exists()


def real_data() -> Path:
    """The folder with real recordings, or a skip that says what to set."""
    places = [Path(__file__).resolve().parents[3] / "shared" / "data"]
    if given := os.environ.get("CODESIGN_DATA"):
        places = [Path(given)]
    for place in places:
        if (place / "gsc").is_dir():
            return place / "gsc"
    pytest.skip("no real recordings: set CODESIGN_DATA to a folder that holds gsc/")


def test_real_recordings() -> None:
    """Counts of the subset's own manifest; speakers apart; inputs fill their range."""
    gsc = real_data()
    task = load_task(SpeechCommandsTask(augment_copies=0), gsc, 0)
    assert [int(split.labels.sum()) for split in task.splits().values()] == [1110, 38, 96]
    assert [len(split) for split in task.splits().values()] == [2220, 294, 541]
    assert task.notes["speakers_in_several_splits"] == 0
    spread = task.test.inputs.flatten(0, 1).std(dim=0)
    assert (spread > 0.1).all()


def test_the_published_rule_on_real_names() -> None:
    """The subset's manifest keeps the official set of every clip."""
    import csv

    with (real_data() / "manifest.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["official_set"]]
    names = {"training": "train", "validation": "val", "testing": "test"}
    rows = [row for row in rows if not row["word"].startswith("_")]
    assert len(rows) > 1000
    wrong = [r["file"] for r in rows if which_set(r["file"]) != names[r["official_set"]]]
    assert not wrong
