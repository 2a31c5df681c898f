"""What can be wrong with a folder of recordings, each told by the command in one sentence."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from codesign.cli.main import main
from tests.tasks.sounds import RATE, folder, tone, write

FLOW = '[task]\nname = "keywords"\nwords = ["yes", "no"]\naugment_copies = 0\n'
CLIP = "no/test1_nohash_0.wav"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("clean") / "speech", words=("yes", "no"))


@pytest.fixture
def data(clean: Path, tmp_path: Path) -> Path:
    """A copy to damage; files are linked and replaced, never written in place."""
    copy = tmp_path / "data" / "speech"
    for source in clean.rglob("*"):
        if source.is_file():
            target = copy / source.relative_to(clean)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(source)
    return copy


def replace(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def rows(data: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Edit the manifest's lines, the header among them."""
    path = data / "manifest.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    changed = change(lines)
    assert changed != lines
    replace(path, "\n".join(changed).encode())


def swap(data: Path, old: str, new: str) -> None:
    rows(data, lambda lines: [line.replace(old, new) for line in lines])


def sound(data: Path, name: str, samples: np.ndarray, rate: int = RATE) -> None:
    (data / name).unlink(missing_ok=True)
    write(data / name, samples, rate)


def loose(data: Path) -> None:
    """All recordings in one folder, nothing to say which word each is."""
    (data / "manifest.csv").unlink()
    for path in list(data.glob("*/*_nohash_*")):
        path.rename(data / f"{path.parent.name}_{path.name}")


def bare(data: Path) -> None:
    """Words as sub-folders and no manifest, so that folders are read."""
    (data / "manifest.csv").unlink()


def nested(data: Path) -> None:
    bare(data)
    sound(data, "yes/alice/a_nohash_0.wav", tone(440))


def other_format(data: Path) -> None:
    bare(data)
    replace(data / "yes" / "late.mp3", b"ID3")


def no_utf8_name(data: Path) -> None:
    bare(data)
    source = os.fsencode(data / "yes" / "train1_nohash_0.wav")
    target = os.fsdecode(os.fsencode(data / "yes") + b"/tr\xff\n_nohash_0.wav")
    Path(os.fsdecode(source)).rename(target)


def truncated(data: Path, name: str, part: float) -> None:
    content = (data / name).read_bytes()
    replace(data / name, content[: round(part * len(content))])


def infinite(data: Path) -> None:
    import soundfile

    (data / CLIP).unlink()
    soundfile.write(data / CLIP, np.full(99, np.inf, np.float32), RATE, subtype="FLOAT")


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing class": (lambda d: swap(d, ",no,", ",nope,"), "no clips of 'no' (task.words)"),
    "one class only": (
        lambda d: rows(d, lambda lines: [line for line in lines if ",no," not in line]),
        "no clips of 'no' (task.words)",
    ),
    "split without a class": (
        lambda d: rows(d, lambda lines: [line for line in lines if "no/val" not in line]),
        "no clips of 'no' in its val split (manifest.csv)",
    ),
    "mixed sample rates": (lambda d: sound(d, CLIP, tone(440), 44100), f"{CLIP} is sampled at 44"),
    "stereo": (lambda d: sound(d, CLIP, np.zeros((99, 2))), f"{CLIP} has 2 channels"),
    "empty file": (lambda d: replace(d / CLIP, b""), f"{CLIP} is an empty file"),
    "no samples": (lambda d: sound(d, CLIP, np.zeros(0)), f"{CLIP} has zero length"),
    "not sound": (lambda d: replace(d / CLIP, b"hello" * 99), f"{CLIP} cannot be read as sound"),
    "truncated": (lambda d: truncated(d, CLIP, 0.6), f"{CLIP} is truncated"),
    "truncated flac": (
        lambda d: truncated(d, "no/test0_nohash_0.flac", 0.5),
        "no/test0_nohash_0.flac",
    ),
    "not numbers": (infinite, f"{CLIP} holds samples that are not finite"),
    "missing file": (lambda d: (d / CLIP).unlink(), "there is no file"),
    "label absent": (lambda d: swap(d, "val0_nohash_0.flac,no,", "val0_nohash_0.flac,,"), "label"),
    "no labels at all": (loose, "has no label: expected recordings in sub-folders"),
    "duplicated row": (lambda d: rows(d, lambda lines: [*lines, lines[4]]), "is listed twice"),
    "the same file spelled otherwise": (
        lambda d: rows(d, lambda lines: [*lines, f"./{lines[4]}"]),
        "is listed twice",
    ),
    "unknown split": (lambda d: swap(d, ",val", ",dev"), "split is 'dev'"),
    "column absent": (lambda d: swap(d, "file,word", "file,label"), "lacks the column word"),
    "manifest not UTF-8": (
        lambda d: replace(d / "manifest.csv", "file,größe\n".encode("latin-1")),
        "manifest.csv",
    ),
    "manifest without rows": (lambda d: rows(d, lambda lines: lines[:1]), "lists no clips"),
    "manifest of one endless field": (
        lambda d: rows(d, lambda lines: [lines[0], "x" * 200_000, *lines[1:]]),
        "not a row of a table",
    ),
    "word that cannot be printed": (lambda d: swap(d, ",no,", ",n\x07o,"), "cannot be printed"),
    "file name that cannot be printed": (no_utf8_name, "not UTF-8; rename it"),
    "folders in a word's folder": (nested, "too deep"),
    "sound in another format": (other_format, "late.mp3 is neither .wav nor .flac"),
}


def refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The message of a training that must not begin."""
    flow, run = tmp_path / "flow.toml", tmp_path / "run"
    flow.write_text(FLOW, encoding="utf-8")
    code = main(["train", str(flow), "--data", str(data), "--run", str(run)])
    message = capsys.readouterr().err
    assert code == 2, message
    assert not run.exists()
    assert message.count("\n") == 1, "one line"
    assert "defect" not in message
    return message


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("case", CASES)
def test_bad_data_is_refused_in_one_sentence(
    case: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, complaint = CASES[case]
    damage(data)
    message = refused(data, tmp_path, capsys)
    assert complaint in message
    assert str(data) in message


def test_a_folder_of_folders_names_the_right_one(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare(data)
    assert f"did you mean --data {data}?" in refused(data.parent, tmp_path, capsys)


def test_names_with_odd_characters_are_welcome(data: Path, tmp_path: Path) -> None:
    """Spaces, accents, quotes and markup in words and file names are only names."""
    from codesign.flows import KeywordsTask
    from codesign.tasks import load_task

    word = "gr\u00fc\u00df dich; <b>'no' & 100 %"
    bare(data)
    (data / "no").rename(data / word)
    replace(data / "validation_list.txt", b"")
    names = [path.name for path in sorted((data / "yes").iterdir())]
    odd = sorted((data / word).iterdir())
    lists = {"validation_list.txt": "val", "testing_list.txt": "test"}
    for file, part in lists.items():
        chosen = [f"yes/{name}" for name in names if name.startswith(part)]
        chosen += [f"{p.parent.name}/{p.name}" for p in odd if p.name.startswith(part)]
        replace(data / file, "\n".join(chosen).encode())
    task = load_task(KeywordsTask(words=("yes", word)), data, 0)
    assert task.class_names[1] == word
    assert [len(split) for split in task.splits().values()] == [30, 6, 6]
