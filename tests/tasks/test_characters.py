"""Text as a task: clips and their next characters, split by position, each scored once."""

from pathlib import Path

import pytest

from codesign.errors import InputError
from codesign.flows import parse_flow
from codesign.sequence_sections import CharactersTask
from codesign.tasks import TaskData, load_task, needs_data
from codesign.tasks.base import NOT_SCORED, Split
from tests.tasks.real import real_data

TEXT = "".join(f"{number}: {number * number}\n" for number in range(600))


def _load(folder: Path, text: str = TEXT, **task: object) -> TaskData:
    (folder / "input.txt").write_text(text, encoding="utf-8")
    knobs = {"frames": 20, "warmup_frames": 5, **task}
    return load_task(CharactersTask.model_validate(knobs), folder, 0)


def _span(name: str) -> tuple[int, int]:
    word, start, end = name.split("-")
    assert word == "characters"
    return int(start), int(end)


def _characters(data: TaskData, split: Split, clip: int) -> tuple[str, list[str | None]]:
    """What a clip shows, and what its labels say (None: not scored)."""
    alphabet = data.notes["characters"]
    shown = "".join(alphabet[token] for token in split.inputs[clip].tolist())
    told = [alphabet[k] if k != NOT_SCORED else None for k in split.labels[clip].tolist()]
    return shown, told


def test_clips_are_the_text_and_labels_its_next_characters(tmp_path: Path) -> None:
    data = _load(tmp_path)
    assert needs_data(CharactersTask())
    assert data.per_frame
    assert data.n_inputs == len(data.class_names) == len(set(TEXT))
    for name, split in data.splits().items():
        for clip, span in enumerate(split.ids):
            start, end = _span(span)
            shown, told = _characters(data, split, clip)
            warmup = 0 if name == "train" else 5
            assert shown == TEXT[start:end]
            assert told == [None] * warmup + list(TEXT[start + 1 + warmup : end + 1])


@pytest.mark.parametrize(("name", "warmup"), [("train", 0), ("validation", 5), ("test", 5)])
def test_every_character_is_scored_once(tmp_path: Path, name: str, warmup: int) -> None:
    data = _load(tmp_path)
    split = data.splits()[name]
    low, high = data.notes["split_by_position"][name]
    scored = [k + 1 for s, e in map(_span, split.ids) for k in range(s + warmup, e)]
    assert len(scored) == len(set(scored))
    assert scored == list(range(low + warmup + 1, scored[-1] + 1))
    assert high - 20 <= scored[-1] < high


def test_splits_are_90_5_5_by_position_and_share_nothing(tmp_path: Path) -> None:
    data = _load(tmp_path)
    spans = [data.notes["split_by_position"][name] for name in data.splits()]
    assert spans[0][0] == 0
    assert spans[-1][1] == len(TEXT)
    assert [b - a for a, b in spans] == pytest.approx(
        [0.9 * len(TEXT), 0.05 * len(TEXT), 0.05 * len(TEXT)], abs=1
    )
    assert [spans[0][1], spans[1][1]] == [spans[1][0], spans[2][0]]


def test_training_clips_may_overlap(tmp_path: Path) -> None:
    starts = [_span(name)[0] for name in _load(tmp_path, hop_frames=7).train.ids]
    assert starts[:3] == [0, 7, 14]


def test_class_names_can_be_printed(tmp_path: Path) -> None:
    names = _load(tmp_path).class_names
    assert names[:2] == ("\\n", "space")
    assert all(name.isprintable() for name in names)


def test_more_characters_than_a_byte_holds(tmp_path: Path) -> None:
    text = "".join(chr(0x4E00 + k % 300) for k in range(3000))
    data = _load(tmp_path, text)
    assert data.n_inputs == 300
    assert _characters(data, data.train, 3)[0] == text[60:80]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ab" * 100, "its validation part has 10 characters, too few"),
        ("a" * 1000, "1 different characters"),
        ("".join(map(chr, range(200, 1500))) * 9, "1300 different characters"),
    ],
)
def test_texts_that_do_not_do(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        _load(tmp_path, text)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    task = CharactersTask(file="book.txt")
    with pytest.raises(InputError, match=r"no text .*book.txt.*codesign data get shakespeare"):
        load_task(task, tmp_path, 0)
    (tmp_path / "book.txt").write_bytes(b"abc\xff")
    with pytest.raises(InputError, match=r"not UTF-8 .byte 3."):
        load_task(task, tmp_path, 0)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"Cannot read .*folder"):
        load_task(CharactersTask(file="folder"), tmp_path, 0)


@pytest.mark.parametrize(
    ("task", "said"),
    [({"file": "../secret"}, r"task\.file"), ({"frames": 8}, "leaves nothing of frames = 8")],
)
def test_knobs_that_do_not_fit(task: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_flow({"task": {"name": "characters", **task}}, "flow")


def test_the_real_text() -> None:
    data = load_task(CharactersTask(), real_data("tinyshakespeare"), 0)
    assert data.n_inputs == 65
    assert data.notes["characters_in_text"] == 1_115_394
    assert _characters(data, data.train, 0)[0].startswith("First Citizen:\nBefore we proceed")
