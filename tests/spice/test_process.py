"""Children with limits: what they took is measured, and none outlives who started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codesign.spice.process import run_program

MB = 1 << 20


def _python(folder: Path, code: str, limit: int | None = None) -> tuple[int, int, str]:
    ended = run_program([sys.executable, "-c", code], folder, folder / "said", 30.0, limit)
    assert not ended.timed_out
    return ended.returncode, ended.peak_memory_bytes, (folder / "said").read_text()


def test_peak_memory_is_the_childs_own(tmp_path: Path) -> None:
    code = "import time; held = bytearray({} << 20); time.sleep(0.5)"
    small, large = (_python(tmp_path, code.format(size))[1] for size in (1, 200))
    assert 190 * MB < large - small < 210 * MB
    # A parent that is larger than its child is not taken for it.
    held = bytearray(600 * MB)
    again = _python(tmp_path, code.format(200))[1]
    assert again == pytest.approx(large, rel=0.1)
    assert len(held) > again


def test_address_space_is_bounded(tmp_path: Path) -> None:
    code, _, said = _python(tmp_path, "bytearray(400 << 20)", 200 * MB)
    assert code == 1
    assert "MemoryError" in said
    assert _python(tmp_path, "bytearray(100 << 20)", 200 * MB)[0] == 0


@pytest.mark.parametrize("how", ["-9", "0", "7"])
def test_how_it_ended_is_told(tmp_path: Path, how: str) -> None:
    script = f"kill {how} $$" if how.startswith("-") else f"exit {how}"
    ended = run_program(["/bin/sh", "-c", script], tmp_path, tmp_path / "said", 30.0)
    assert ended.returncode == int(how)


def test_a_killed_parent_takes_its_program_with_it(tmp_path: Path) -> None:
    """Nothing can be done at SIGKILL: the kernel does it."""
    code = (
        "from pathlib import Path; from codesign.spice.process import run_program\n"
        f"run_program(['/bin/sh', '-c', 'echo $$; sleep 600'], Path({str(tmp_path)!r}),"
        f"Path({str(tmp_path / 'said')!r}), 600.0)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 30
    while not _said(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.01)
    child = int(_said(tmp_path))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _alive(child)


def _said(folder: Path) -> str:
    path = folder / "said"
    text = path.read_text() if path.is_file() else ""
    return text if text.endswith("\n") else ""


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
