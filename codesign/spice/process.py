"""One program as a child: with limits, measured, and never outliving who started it.

Nothing here runs Python between fork and exec, so that it is safe in a process with threads: limits
are set by small programs that replace themselves by the wanted one.
"""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# The end of a run is noticed after this part of its time, at most the second of these.
_NOTICED_AFTER, _NOTICED_WITHIN_S = 0.01, 0.02
# How often the memory of a running program is read.
_MEMORY_EVERY_S = 0.2
# getrusage counts kilobytes, on macOS bytes.
_RUSAGE_BYTES = 1 if sys.platform == "darwin" else 1024

# Programs of this process that have not ended, each the leader of its own group.
_running: set[int] = set()


@dataclass(frozen=True)
class Ended:
    """How a program ended: ``returncode`` as of subprocess (negative: the signal).

    ``peak_memory_bytes`` is the largest resident memory; 0 where it could not be measured.
    """

    returncode: int
    timed_out: bool
    wall_s: float
    peak_memory_bytes: int


def kill_running() -> None:
    """Kill every program this process started: for workers that are being stopped."""
    for process in tuple(_running):
        _kill(process)


def run_program(
    command: Sequence[str],
    folder: Path,
    printed: Path,
    timeout_s: float,
    memory_limit_bytes: int | None = None,
) -> Ended:
    """Run ``command`` inside ``folder`` and wait; what it prints goes into the file ``printed``.

    It is killed, with all its children, when ``timeout_s`` has passed; where ``setpriv`` is
    installed (all of Debian and Ubuntu) also when this process dies, however it dies.
    ``memory_limit_bytes`` bounds its address space: beyond it the program gets no memory.
    """
    started = time.monotonic()
    with printed.open("wb") as output:
        process = subprocess.Popen(
            [*_limits(memory_limit_bytes), *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _running.add(process.pid)
    try:
        status, usage, seen, timed_out = _wait(process.pid, started, timeout_s)
    except BaseException:
        _kill(process.pid)
        process.wait()
        raise
    finally:
        _running.discard(process.pid)
    process.returncode = os.waitstatus_to_exitcode(status)
    # A child begins with the peak of its parent, so that a smaller one is not told by the kernel.
    # The parent's is read afterwards: it may have grown until the child began, and never shrinks.
    told = usage.ru_maxrss * _RUSAGE_BYTES
    peak = told if told > peak_of_self() else seen
    return Ended(process.returncode, timed_out, time.monotonic() - started, peak)


def _wait(
    process: int, started: float, timeout_s: float
) -> tuple[int, resource.struct_rusage, int, bool]:
    """Exit status, resources, largest memory seen, and whether the time was up."""
    seen, read_at, timed_out = 0, started, False
    while True:
        ended, status, usage = os.wait4(process, os.WNOHANG)
        if ended:
            return status, usage, seen, timed_out
        now = time.monotonic()
        if now - started > timeout_s and not timed_out:
            timed_out = True
            _kill(process)
        if now >= read_at:
            seen = max(seen, peak_of(process))
            read_at = now + min(_MEMORY_EVERY_S, 0.1 * (now - started))
        pause = min(_NOTICED_WITHIN_S, _NOTICED_AFTER * (now - started) + 2e-4)
        time.sleep(min(pause, max(started + timeout_s - now, 2e-4)))


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _limits(memory_limit_bytes: int | None) -> list[str]:
    """What stands before a command to limit it."""
    words = [*_dies_with_parent()]
    if memory_limit_bytes is not None:
        script = 'ulimit -v "$0" && exec "$@"'
        words += ["/bin/sh", "-c", script, str(memory_limit_bytes // 1024)]
    return words


@cache
def _dies_with_parent() -> tuple[str, ...]:
    program = shutil.which("setpriv")
    return () if program is None else (program, "--pdeathsig", "KILL", "--")


def peak_of(process: int) -> int:
    """The largest resident memory of a running process so far, as Linux tells it; else 0."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def peak_of_self() -> int:
    """The largest resident memory of this process, or of those it came of before they became it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RUSAGE_BYTES
