"""What ``train`` and ``demo`` refuse before they start: one message, nothing left behind."""

from pathlib import Path

import pytest

from codesign.cli.main import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "--set", "training.step=5"], "did you mean 'steps'?"),
        (["demo", "--set", "training.step=5"], "did you mean 'steps'?"),
        (["train", "--set", "training.steps=-1"], "training.steps = -1"),
        (["train", "--set", "training.steps"], "not of the form key=value"),
        (["train", "no_such_flow"], "There is no flow 'no_such_flow'"),
        (["train", "kws_yes"], "--data"),
        (["train", "kws_yes", "--data", "nowhere"], "nowhere"),
        (["train", "kws_yes", "--data", "."], "."),
    ],
)
def test_wrong_input_exits_2_and_writes_nothing(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.err.startswith("codesign: ")
    assert printed.out == ""
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("command", [["train", "--run"], ["demo"]])
@pytest.mark.parametrize("place", ["file", "file/run"])
def test_a_run_folder_that_cannot_be_written(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], command: list[str], place: str
) -> None:
    """Below a file nobody can write, root neither."""
    (elsewhere / "file").write_text("")
    assert main([*command, place]) == 2
    assert "file" in capsys.readouterr().err
    assert [path.name for path in elsewhere.iterdir()] == ["file"]


def test_the_demo_asks_for_ngspice_before_it_trains(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NGSPICE", raising=False)
    monkeypatch.setenv("PATH", str(elsewhere))
    assert main(["demo"]) == 3
    assert "apt-get install ngspice" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


@pytest.mark.ngspice
def test_the_demo_asks_for_the_pdk_before_it_trains(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--pdk-root", str(elsewhere)]) == 3
    assert "No models found for the PDK 'gf180mcu'" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []
