"""Which clips a task takes: several keywords, and what stands for words without a name."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from codesign.errors import InputError
from codesign.flows import KeywordsTask, SpeechCommandsTask, load_flow, parse_flow
from codesign.tasks import load_task
from codesign.tasks.base import TaskData
from codesign.tasks.speech_items import Item, copies_of
from tests.tasks.sounds import folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return folder(tmp_path / "speech")


def keywords(*words: str, **changes: Any) -> KeywordsTask:
    return KeywordsTask.model_validate({"words": words, "augment_copies": 1, **changes})


def words_of(task: TaskData, split: str, label: int) -> Counter[str]:
    part = task.splits()[split]
    pairs = zip(part.ids, part.labels.tolist(), strict=True)
    return Counter(name.split("/")[0] for name, found in pairs if found == label)


def test_every_word_is_a_class_in_the_order_named(data: Path) -> None:
    task = load_task(keywords("up", "yes", "no"), data, 0)
    assert task.class_names == ("up", "yes", "no")
    for label, word in enumerate(task.class_names):
        assert words_of(task, "test", label) == {word: 3}
        assert words_of(task, "train", label) == {word: 6}


def test_classes_of_different_size_are_balanced_by_copies(data: Path) -> None:
    rows = (data / "manifest.csv").read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if not row.startswith(("up/train0", "up/train1"))]
    (data / "manifest.csv").write_text("\n".join(kept), encoding="utf-8")
    task = load_task(keywords("up", "yes", "no"), data, 0)
    assert torch.bincount(task.train.labels).tolist() == [6, 6, 6]
    assert len(set(task.train.ids)) == 18


def test_words_of_a_class_are_balanced_by_copies_and_none_loses_a_clip() -> None:
    counts = {("a", 1): 4, ("b", 0): 6, ("c", 0): 1, ("d", 0): 2}
    items = [
        Item(f"{word}/{n}", word, "", None, label)
        for (word, label), size in counts.items()
        for n in range(size)
    ]

    def rows(augment_copies: int) -> dict[str, int]:
        found: Counter[str] = Counter()
        for item, copies in zip(items, copies_of(items, augment_copies), strict=True):
            assert copies >= 0
            found[item.word] += 1 + copies
        return dict(found)

    assert rows(2) == {"a": 27, "b": 9, "c": 9, "d": 9}
    assert rows(1) == {"a": 18, "b": 6, "c": 6, "d": 6}
    assert rows(0) == {"a": 9, "b": 6, "c": 1, "d": 2}


def test_silence_and_unknown_are_classes_like_the_others(data: Path) -> None:
    task = load_task(keywords("yes", "_silence_", "_unknown_"), data, 0)
    for split, each in (("train", 6), ("validation", 3), ("test", 3)):
        assert words_of(task, split, 1) == {"_silence_": each}
        assert sum(words_of(task, split, 2).values()) == each
        assert set(words_of(task, split, 2)) <= {"no", "up"}
    assert task.notes["clips"]["test"] == {"yes": 3, "_silence_": 3, "_unknown_": 3}


def test_the_first_clips_of_a_split_hold_every_class(data: Path) -> None:
    task = load_task(keywords("yes", "no", "up"), data, 0)
    assert [sorted(task.test.labels[k : k + 3].tolist()) for k in (0, 3, 6)] == [[0, 1, 2]] * 3


@pytest.mark.parametrize(("ratio", "each"), [(1.0, 3), (2.0, 6), (0.4, 1), (0.0, 6), (50.0, 6)])
def test_the_ratio_bounds_what_unknown_takes(data: Path, ratio: float, each: int) -> None:
    task = load_task(keywords("yes", "_unknown_", unknown_ratio=ratio), data, 0)
    assert task.notes["clips"]["test"]["_unknown_"] == each
    assert words_of(task, "test", 1).keys() <= {"no", "up"}


def test_the_seed_leaves_what_is_made_alone(data: Path) -> None:
    task = keywords("yes", "_unknown_", "_silence_")
    one, other = load_task(task, data, 0), load_task(task, data, 1)
    assert one.test.ids == other.test.ids
    assert torch.equal(one.test.inputs, other.test.inputs)


def test_a_folder_of_unknown_words_comes_first(data: Path) -> None:
    shutil.copytree(data / "no", data / "_unknown_")
    manifest = data / "manifest.csv"
    text = manifest.read_text(encoding="utf-8").replace("no/", "_unknown_/")
    manifest.write_text(text.replace(",no,", ",_unknown_,"), encoding="utf-8")
    task = load_task(keywords("yes", "_unknown_"), data, 0)
    assert words_of(task, "test", 1) == {"_unknown_": 3}, "'up' is unnamed, but not asked for"


def test_one_word_against_all_that_is_not_named(data: Path) -> None:
    task = SpeechCommandsTask(keyword="yes", others=("_silence_", "_unknown_"), unknown_ratio=0)
    data_ = load_task(task, data, 0)
    assert data_.class_names == ("other", "yes")
    assert data_.notes["clips"]["test"] == {"yes": 3, "_silence_": 3, "_unknown_": 6}


def test_unknown_without_other_words_is_refused(tmp_path: Path) -> None:
    only = folder(tmp_path / "only", words=("yes", "no"))
    with pytest.raises(InputError, match="of '_unknown_'"):
        load_task(keywords("yes", "no", "_unknown_"), only, 0)


def test_a_task_of_made_classes_alone_is_refused(data: Path) -> None:
    with pytest.raises(InputError, match="names no spoken word"):
        load_task(keywords("_silence_", "_unknown_"), data, 0)


@pytest.mark.parametrize(
    ("words", "complaint"), [(["yes", "yes"], "names a word twice"), (["yes"], "task.words")]
)
def test_words_that_cannot_be_classes_are_refused(words: list[str], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_flow({"task": {"name": "keywords", "words": words}}, "flow.toml")


def test_the_shipped_flows_name_the_usual_classes() -> None:
    twelve, full = load_flow("keywords12").task, load_flow("kws_yes_full").task
    assert isinstance(twelve, KeywordsTask)
    assert len(twelve.words) == 12
    assert twelve.words[-2:] == ("_silence_", "_unknown_")
    assert isinstance(full, SpeechCommandsTask)
    assert full.keyword == "yes"
    assert set(full.others) == {"no", "up", "down", "left", "right", "_silence_"}
