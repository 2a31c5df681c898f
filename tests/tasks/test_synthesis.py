"""Synthesised words: who says what in which split, and what comes out of the synthesiser."""

import csv
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codesign.cli.main import main
from codesign.errors import InputError
from codesign.espeak import TIMBRES
from codesign.flows import KeywordsTask
from codesign.tasks import load_task
from codesign.tasks.audio import loud_level_db
from codesign.tasks.synthesis import plan_takes, trimmed

needs_voices = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None,
    reason="the voices are not installed: pip install 'codesign[voices]'",
)


def test_voices_stay_in_one_split() -> None:
    planned = plan_takes(("yes", "no"), voices=20, takes=3, seed=0)
    assert len(planned) == 20 * 2 * 3
    splits: dict[str, set[str]] = {}
    for take in planned:
        splits.setdefault(take.spoken.timbre, set()).add(take.split)
    assert all(len(found) == 1 for found in splits.values())
    counts = [
        sum(found == {name} for found in splits.values()) for name in ("train", "val", "test")
    ]
    assert counts == [12, 4, 4]
    assert len({take.file for take in planned}) == len(planned)


def test_every_split_has_a_voice_however_few() -> None:
    assert {take.split for take in plan_takes(("yes",), 3, 1, 0)} == {"train", "val", "test"}


def test_takes_differ_and_more_of_them_leave_the_first_alone() -> None:
    few, many = plan_takes(("yes",), 5, 2, 0), plan_takes(("yes", "no"), 5, 4, 0)
    assert [t for t in many if t in few] == few
    one = [take for take in many if take.spoken.timbre == many[0].spoken.timbre]
    assert len({(t.spoken.rate_wpm, t.spoken.pitch, t.peak_db, t.place) for t in one}) == len(one)


def test_another_seed_chooses_other_voices() -> None:
    seen = [{take.spoken.timbre for take in plan_takes(("a",), 10, 1, seed)} for seed in (0, 1)]
    assert seen[0] != seen[1]


@pytest.mark.parametrize("word", ["", "  ", "a/b", "a\\b", "../up", "_silence_", ".x", "a\nb"])
def test_a_word_that_cannot_be_a_folder_is_refused(word: str) -> None:
    with pytest.raises(InputError, match="cannot be a word"):
        plan_takes((word,), 5, 1, 0)


@pytest.mark.parametrize("voices", [2, len(TIMBRES) + 1])
def test_too_few_or_many_voices_are_refused(voices: int) -> None:
    with pytest.raises(InputError, match=f"--voices {voices}"):
        plan_takes(("yes",), voices, 1, 0)


def test_quiet_around_a_word_is_trimmed() -> None:
    word = np.array([0, 0, 0.001, 0.5, 0, -0.5, 0.001, 0], np.float32)
    np.testing.assert_array_equal(trimmed(word), word[3:6])
    assert len(trimmed(np.zeros(9, np.float32))) == 0


def test_without_the_package_the_fix_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    assert main(["data", "synthesize", "hello", "--out", str(tmp_path / "out")]) == 3
    assert "pip install 'codesign[voices]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@needs_voices
def test_a_folder_of_spoken_words_is_whole_audible_and_can_be_learned_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "made" / "words"
    call = ["data", "synthesize", "banana", "seven", "--voices", "4", "--takes", "2"]
    assert main([*call, "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{out}\n"
    with (out / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 2 * 2
    sounds = []
    for row in rows:
        samples, rate = soundfile.read(out / row["file"], dtype="float32")
        assert rate == 16000
        assert len(samples) >= 16000
        assert np.abs(samples).max() < 10 ** (-2 / 20), "nothing is clipped"
        assert loud_level_db(samples, rate) > -45, "a word stands out of the room"
        sounds.append(samples[:16000])
    assert len({sound.tobytes() for sound in sounds}) == len(sounds)
    task = load_task(KeywordsTask(words=("banana", "seven", "_silence_")), out, 0)
    assert task.notes["speakers_in_several_splits"] == 0
    assert not list(out.parent.glob(".words*")), "nothing half-made is left"
    assert main([*call, "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err


@needs_voices
def test_a_word_without_sound_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["data", "synthesize", ";", "--voices", "3", "--out", str(tmp_path / "out")]
    assert main(call) == 2
    assert "no sound of ';'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
