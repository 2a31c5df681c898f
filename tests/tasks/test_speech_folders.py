"""Several folders as one: what is merged, and what is refused because it would flatter."""

import csv
import os
from collections import Counter
from pathlib import Path

import pytest
import torch

from codesign.cli.main import main
from codesign.errors import InputError
from codesign.flows import KeywordsTask, SpeechCommandsTask, load_flow
from codesign.tasks import load_task
from codesign.tasks.speech_folders import scan_folders
from codesign.tasks.speech_items import items_of, shared_speakers
from tests.tasks.sounds import folder, tone, write

TASK = SpeechCommandsTask(keyword="yes", others=("no",), augment_copies=0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))


def small(root: Path, rows: list[tuple[str, str, str, str]]) -> Path:
    """A folder with a manifest of (file, word, speaker, split)."""
    for n, (name, *_rest) in enumerate(rows):
        write(root / name, tone(500 + 50 * n, seconds=0.6, seed=n))
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "word", "speaker", "split"), *rows])
    return root


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return folder(tmp_path / "first", words=("yes", "no"))


def test_words_of_all_folders_are_one(first: Path, tmp_path: Path) -> None:
    second = small(
        tmp_path / "second",
        [("no/x_nohash_0.wav", "no", "x", "train"), ("go/y_nohash_0.wav", "go", "y", "test")],
    )
    task = load_task(SpeechCommandsTask(others=("no", "go"), augment_copies=0), (first, second), 0)
    assert task.notes["clips"] == {
        "train": {"yes": 3, "no": 4},
        "val": {"yes": 3, "no": 3},
        "test": {"yes": 3, "no": 3, "go": 1},
    }
    assert task.notes["noise_recordings"] == 1
    assert "no/x_nohash_0.wav" in task.train.ids


def test_a_shorter_clip_is_heard_as_if_it_had_been_padded(first: Path, tmp_path: Path) -> None:
    """The length a folder stores its clips at must not say which folder a clip is from."""
    second = small(tmp_path / "second", [("no/x_nohash_0.wav", "no", "x", "train")])
    short = load_task(TASK, (first, second), 0)
    samples = torch.cat([torch.from_numpy(tone(500, seconds=0.6)), torch.zeros(6400)])
    write(second / "no" / "x_nohash_0.wav", samples.numpy())
    assert torch.equal(short.train.inputs, load_task(TASK, (first, second), 0).train.inputs)


def test_the_order_of_the_folders_does_not_matter(first: Path, tmp_path: Path) -> None:
    second = small(tmp_path / "second", [("no/x_nohash_0.wav", "no", "x", "train")])
    one, other = load_task(TASK, (first, second), 0), load_task(TASK, (second, first), 0)
    for a, b in zip(one.splits().values(), other.splits().values(), strict=True):
        assert a.ids == b.ids
        assert torch.equal(a.inputs, b.inputs)


def test_one_folder_in_a_tuple_is_that_folder(first: Path) -> None:
    assert scan_folders((first,)).path == str(first)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (("no/x_nohash_0.wav", "no", "test0", "train"), "Speaker 'test0' is in test of"),
        (("yes/train1_nohash_0.wav", "yes", "train1", "train"), "a clip counts once"),
    ],
)
def test_what_would_flatter_is_refused(
    first: Path,
    tmp_path: Path,
    row: tuple[str, str, str, str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    second = small(tmp_path / "second", [row])
    flow = tmp_path / "flow.toml"
    flow.write_text('[task]\nname = "speech_commands"\nothers = ["no"]\n', encoding="utf-8")
    arguments = ["train", str(flow), "--data", str(first), "--data", str(second)]
    assert main([*arguments, "--run", str(tmp_path / "run")]) == 2
    message = capsys.readouterr().err
    assert complaint in message
    assert str(first) in message
    assert str(second) in message
    assert not (tmp_path / "run").exists()


def test_a_folder_given_twice_is_refused(first: Path) -> None:
    with pytest.raises(InputError, match="given twice"):
        load_task(TASK, (first, first / ".." / "first"), 0)


def test_speakers_that_agree_are_welcome(first: Path, tmp_path: Path) -> None:
    second = small(tmp_path / "second", [("no/x_nohash_0.wav", "no", "test0", "test")])
    task = load_task(TASK, (first, second), 0)
    assert task.notes["speakers_in_several_splits"] == 0
    assert len(task.test) == 7


def test_real_folders_agree_on_every_speaker() -> None:
    """The two subsets of Speech Commands; listed, not read. All twelve classes are there."""
    given = os.environ.get("CODESIGN_DATA")
    place = Path(given) if given else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not ((place / "gsc").is_dir() and (place / "gsc_extra").is_dir()):
        pytest.skip("no real recordings: set CODESIGN_DATA to a folder with gsc/ and gsc_extra/")
    both = scan_folders((place / "gsc", place / "gsc_extra"))
    task = load_flow("keywords12").task
    assert isinstance(task, KeywordsTask)
    items = items_of(task, both)
    assert shared_speakers(items) == 0
    counts = {name: Counter(item.word for item in items[name]) for name in items}
    assert counts["train"]["right"] == 173 + 519
    assert counts["test"]["go"] == 82
    assert all(len(found) == 12 for found in counts.values())
