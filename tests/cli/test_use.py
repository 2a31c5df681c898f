"""``evaluate`` and ``classify`` as a user calls them, on generated sound."""

from pathlib import Path

import pandas as pd
import pytest

from codesign.cli.main import main
from codesign.runs import Run
from tests.tasks.sounds import folder, tone, write
from tests.trained import made_up_run
from tests.use.heard import BINARY, SEVERAL, speech_run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("sounds") / "speech", ("yes", "no", "up"), 2)


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    where = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODESIGN_CACHE", str(where / "cache"))
        return {
            "binary": speech_run(where / "binary", data, BINARY, "mean_logit"),
            "several": speech_run(where / "several", data, SEVERAL, "latch:0.05"),
        }


def test_the_runs_own_clips_score_as_those_of_its_folder(
    runs: dict[str, Run], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder's test part has one word more, which counts as "other"."""
    run = runs["binary"].path
    own, all_of_it = tmp_path / "own.csv", tmp_path / "all.parquet"
    assert main(["evaluate", str(run), "--out", str(own)]) == 0
    assert capsys.readouterr().out.strip() == str(own)
    assert main(["evaluate", str(run), "--data", str(data), "--out", str(all_of_it)]) == 0
    told = capsys.readouterr().err
    assert "2 of 6 clips are of 1 word the run does not name (up)" in told
    mine, theirs = pd.read_csv(own), pd.read_parquet(all_of_it)
    assert len(mine) == 4
    assert len(theirs) == 6
    assert set(theirs.loc[theirs["word"] == "up", "label"]) == {"other"}
    both = mine.merge(theirs, on="clip", suffixes=("", "_folder"))
    assert len(both) == 4
    assert (both["decision"] == both["decision_folder"]).all()
    assert both["margin_units"].to_numpy() == pytest.approx(
        both["margin_units_folder"].to_numpy(), rel=1e-4
    )
    assert (mine["right"] == (mine["decision"] == mine["label"])).all()
    lead = mine["logit_yes_units"] - mine["logit_other_units"]
    assert ((lead > 0) == (mine["decision"] == "yes")).all()
    assert lead.abs().to_numpy() == pytest.approx(mine["margin_units"].to_numpy(), abs=1e-4)
    assert f"{int(theirs['right'].sum())} of 6 clips right" in told
    assert "the decision needs: one gated integrator per class with a reset" in told


def test_a_folder_without_a_stated_split_is_scored_whole(
    runs: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(3):
        write(tmp_path / "mine" / "yes" / f"{n}.wav", tone(440.0, seed=n))
        write(tmp_path / "mine" / "no" / f"{n}.wav", tone(880.0, 0.4, seed=n))
    out = tmp_path / "out.csv"
    arguments = ["evaluate", str(runs["several"].path), "--data", str(tmp_path / "mine")]
    assert main([*arguments, "--clips", "4", "--out", str(out)]) == 0
    table = pd.read_csv(out)
    assert table["label"].value_counts().to_dict() == {"yes": 2, "no": 2}
    assert "twin, decision latch:0.05" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("which", "arguments", "told"),
    [
        ("several", ["--data", "DATA"], "2 clips of 1 words that are no class of this run (up)"),
        ("binary", ["--data", "DATA", "--out", "table.xlsx"], "end the name in one"),
        ("binary", ["--data", "nowhere"], "does not exist"),
        ("binary", ["--jobs", "2"], "need transistors: give --engine"),
        ("binary", ["--engine", "batched"], "codesign export-netlist"),
        ("digits", ["--data", "DATA"], "takes no sound"),
    ],
)
def test_what_cannot_be_scored_is_said(
    runs: dict[str, Run], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    which: str, arguments: list[str], told: str,
) -> None:  # fmt: skip
    if which == "digits":
        run = made_up_run(tmp_path / "digits")
        run.metrics_file.write_text('{"task": {"notes": {}}}')
    else:
        run = runs[which]
    given = [str(data) if part == "DATA" else part for part in arguments]
    assert main(["evaluate", str(run.path), *given]) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.out == ""


def test_classify_says_and_draws(
    runs: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = write(tmp_path / "a" / "word.wav", tone(440.0, 2.0))
    short = write(tmp_path / "b" / "word.flac", tone(880.0, 0.5))
    pictures = tmp_path / "pictures"
    run = str(runs["several"].path)
    assert main(["classify", run, str(long), str(short), "--picture", str(pictures)]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [str(long), str(short)]
    assert all(line.split(": ")[1].split(" (margin ")[0] in ("yes", "no") for line in lines)
    assert "lasts 2.00 s and the network hears 1.00 s: its beginning decides" in printed.err
    assert sorted(path.name for path in pictures.iterdir()) == ["a-word.png", "b-word.png"]
    assert (pictures / "a-word.png").read_bytes()[:4] == b"\x89PNG"

    one = tmp_path / "one.svg"
    assert main(["classify", run, str(short), "--picture", str(one)]) == 0
    first = one.read_bytes()
    decision = capsys.readouterr().out.split(": ")[1].split(" (")[0]
    assert f">{decision}<".encode() in first
    assert main(["classify", run, str(short), "--picture", str(one)]) == 0
    assert one.read_bytes() == first, "the same clip gives the same bytes"
    capsys.readouterr()

    assert main(["classify", run, str(long), "--every", "0.5", "--picture", str(pictures)]) == 0
    assert [line.split(": ")[0][-6:] for line in capsys.readouterr().out.splitlines()] == [
        "@0.00s", "@0.50s", "@1.00s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "told"),
    [
        ("stereo", "has 2 channels"),
        ("rate", "is sampled at 8000 Hz"),
        ("empty", "is an empty file"),
        ("missing", "There is no sound file"),
        ("text", "cannot be read as sound"),
    ],
)
def test_a_file_that_cannot_be_heard_is_named(
    runs: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str], make: str, told: str
) -> None:
    path = tmp_path / f"{make}.wav"
    sound = tone(440.0)
    if make == "stereo":
        write(path, pd.DataFrame({"l": sound, "r": sound}).to_numpy())
    elif make == "rate":
        write(path, sound, 8000)
    elif make == "empty":
        path.touch()
    elif make == "text":
        path.write_text("no sound")
    assert main(["classify", str(runs["binary"].path), str(path)]) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert str(path) in printed.err
    assert not (runs["binary"].path / "classify").exists()


def test_one_picture_is_not_for_two_clips(
    runs: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(write(tmp_path / f"{k}.wav", tone(440.0))) for k in range(2)]
    arguments = ["classify", str(runs["binary"].path), *paths, "--picture"]
    assert main([*arguments, str(tmp_path / "one.png")]) == 2
    assert "there are 2 decisions; name a folder" in capsys.readouterr().err
    assert main([*arguments[:-2], "--picture", str(tmp_path / "one.jpg")]) == 2
    assert "pictures are .png or .svg" in capsys.readouterr().err
