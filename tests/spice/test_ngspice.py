"""Running ngspice: every way a run can end has its status, and is never mistaken for success."""

import stat
import sys
import time
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
    # The signal was sent when the run ended; when it is heard is the system's affair.
    deadline = time.monotonic() + 20
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _alive(child)


def test_a_program_that_wants_too_much_memory_is_told_apart(tmp_path: Path) -> None:
    """Address space is bounded for the program itself and for what it starts."""
    program = _program(tmp_path, f'exec {sys.executable} -c "bytearray(400 << 20)"')
    outcome = run_deck(program, tmp_path, "deck.cir", "out.raw", 20.0, 200_000_000)
    assert outcome.status == "missing_output"
    assert "MemoryError" in outcome.log
    said = _program(tmp_path, 'echo "malloc: Internal Error: can\'t allocate 543 bytes."; exit 1')
    outcome = run_deck(said, tmp_path, "deck.cir", "out.raw", 20.0, 200_000_000)
    assert outcome.status == "memory"
    assert outcome.message == (
        "ngspice got no more memory of 200 MB: malloc: Internal Error: can't allocate 543 bytes."
    )


def test_what_a_run_says_does_not_depend_on_where_it_is(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    program = _program(tmp_path, "printf 'Title: x\\nPlotname: y\\n' > out.raw")
    told = {
        run_deck(program, tmp_path / name, "deck.cir", "out.raw").message for name in ("a", "b")
    }
    assert len(told) == 1
    assert told.pop().startswith("out.raw")


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
