"""``codesign characterize``: what it writes, what it refuses."""

import json
from pathlib import Path

import pytest

from codesign.cli.main import main
from codesign.device import characterise
from codesign.runs import Run
from tests.trained import made_up_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_up_run(tmp_path / "run")


def _fails(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    assert main(["characterize", *arguments]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return printed.err.strip()


def test_a_key_that_is_not_hardware(capsys: pytest.CaptureFixture[str]) -> None:
    assert "only hardware keys" in _fails(capsys, 2, "--set", "training.steps=5")


def test_an_unknown_key_and_an_impossible_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'supply_v'" in _fails(capsys, 2, "--set", "hardware.suply_v=1.8")
    assert "hardware.supply_v" in _fails(capsys, 2, "--set", "hardware.supply_v=99")


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not a run folder" in _fails(capsys, 2, str(tmp_path))


@pytest.mark.ngspice
def test_an_unknown_process_and_corner(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'gf180mcu'" in _fails(capsys, 2, "--pdk", "gf180mcx")
    assert "corner" in _fails(capsys, 2, "--corner", "slowest")


@pytest.mark.ngspice
def test_the_cells_of_a_run_are_measured(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All of the command but the slow groups, which have tests of their own."""
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out"
    assert main(["characterize", str(run.path), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(out / "characterization.html")
    assert "met" in printed.err
    facts = json.loads((out / "characterization.json").read_text())
    assert facts["run"] == "run"
    cells = run.flow().network.layers * 0 + facts["figures"]["cells_programmed"]
    assert cells == 4
    assert set(facts["tables"]) >= {"unit_ratio", "cell_program", "leakage", "noise_density"}
    for name in facts["tables"]:
        assert (out / f"{name}.parquet").is_file()
    assert len(characterise.GROUPS) == 8
