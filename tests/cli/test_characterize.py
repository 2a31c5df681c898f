"""``codesign characterize``: what it writes, what it refuses."""

from pathlib import Path

import pytest

from codesign.cli.main import main


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
