"""Running ngspice: every way a run can end has its status, and is never mistaken for success."""

import stat
from pathlib import Path

import pytest

from codesign.errors import EnvironmentMissing
from codesign.spice.ngspice import find_ngspice, run_deck, run_text


def _program(folder: Path, script: str) -> Path:
    path = folder / "ngspice"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def _run(folder: Path, script: str, timeout_s: float = 20.0) -> str:
    outcome = run_deck(_program(folder, script), folder, "deck.cir", "out.raw", timeout_s)
    assert outcome.plots == ()
    assert outcome.message
    return outcome.status


def _alive(process: int) -> bool:
    """A process that was killed may stay for a moment as a zombie, which is not alive."""
    try:
        return (Path("/proc") / str(process) / "stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_nothing_found_says_how_to_install() -> None:
    with pytest.raises(EnvironmentMissing, match="apt-get install ngspice") as raised:
        find_ngspice({"PATH": "/nonexistent"})
    assert raised.value.exit_code == 3


def test_the_named_program_must_exist(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing, match="NGSPICE names"):
        find_ngspice({"NGSPICE": str(tmp_path / "none")})
    program = _program(tmp_path, "exit 0")
    assert find_ngspice({"NGSPICE": str(program), "PATH": ""}) == program


def test_exit_code_zero_without_output_is_not_success(tmp_path: Path) -> None:
    assert _run(tmp_path, "exit 0") == "missing_output"


def test_a_truncated_output_is_not_success(tmp_path: Path) -> None:
    assert _run(tmp_path, "printf 'Title: x\\nPlotname: y\\n' > out.raw") == "missing_output"


def test_an_old_output_is_not_taken_for_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "out.raw").write_text("old")
    assert _run(tmp_path, "exit 0") == "missing_output"
    assert not (tmp_path / "out.raw").exists()


def test_a_crash_is_a_crash(tmp_path: Path) -> None:
    assert _run(tmp_path, "kill -SEGV $$") == "crashed"


def test_non_convergence_is_read_from_the_log(tmp_path: Path) -> None:
    said = "echo 'doAnalyses: TRAN:  Timestep too small; time = 1e-3' >&2"
    assert _run(tmp_path, said) == "no_convergence"


def test_a_run_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    assert _run(tmp_path, "sleep 1000 & echo $! > child; wait", timeout_s=1.0) == "timeout"
    child = int((tmp_path / "child").read_text())
    assert not _alive(child)


@pytest.mark.ngspice
def test_real_non_convergence_keeps_its_reason() -> None:
    deck = "* floating\ni1 0 a 1\nv1 b 0 1\nv2 b 0 2\n.control\nop\nwrite out.raw\n.endc\n.end\n"
    outcome = run_text(find_ngspice(), deck)
    assert outcome.status in ("no_convergence", "missing_output")
    assert outcome.message
    assert outcome.log


@pytest.mark.ngspice
def test_a_missing_model_is_not_success() -> None:
    deck = (
        "* no model\nv1 a 0 1\nm1 a a 0 0 nothing w=1u l=1u\n"
        ".control\nop\nwrite out.raw\n.endc\n.end\n"
    )
    outcome = run_text(find_ngspice(), deck)
    assert outcome.status != "ok"
    assert "nothing" in outcome.log
