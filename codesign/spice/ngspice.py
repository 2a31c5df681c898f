"""The ngspice program: find it, run one deck in a folder, and say honestly how it ended.

ngspice's exit code and stderr do not tell success, so a run is judged by the output it was
expected to leave: every named raw file must exist and parse. What went wrong is read from the
log, which is always kept.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codesign.errors import EnvironmentMissing
from codesign.spice.rawfile import Plot, RawFileError, read_raw

Status = Literal["ok", "no_convergence", "timeout", "crashed", "missing_output"]

SPICEINIT = """\
* Read by ngspice from the folder it is started in.
* One thread: a small circuit gains nothing from more, and many samples run side by side.
set num_threads=1
* PDK model files are written in the HSPICE dialect.
set ngbehavior=hsa
"""

# Only messages that end an analysis: a failed gmin stepping, say, is followed by other attempts.
_NO_CONVERGENCE = re.compile(
    r"timestep too small|run simulation\(s\) aborted|simulation\(s\) aborted"
    r"|doanalyses: .*|no convergence in (?:dc|transient).*",
    re.IGNORECASE,
)
_FATAL = re.compile(r"^\s*(?:fatal |syntax )?error\b.*|^.*could not find.*$", re.IGNORECASE | re.M)


# Simulators of this process that have not ended, each the leader of its own group.
_running: set[int] = set()


def kill_running() -> None:
    """Kill every simulator this process started: for workers that are being stopped."""
    for process in tuple(_running):
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)


@dataclass(frozen=True)
class Outcome:
    """How one ngspice run ended; ``plots`` is empty unless ``status`` is ``"ok"``."""

    status: Status
    message: str
    wall_s: float
    log: str
    plots: tuple[Plot, ...] = ()


def find_ngspice(environ: Mapping[str, str] = os.environ) -> Path:
    """The ngspice program: ``$NGSPICE`` if set, else the one on ``PATH``.

    Raises EnvironmentMissing (exit code 3) with the fix when there is none.
    """
    named = environ.get("NGSPICE")
    if named:
        if os.access(named, os.X_OK) and Path(named).is_file():
            return Path(named)
        raise EnvironmentMissing(
            f"NGSPICE names {named}, which is not a program that can be run; correct or unset it."
        )
    found = shutil.which("ngspice", path=environ.get("PATH", os.defpath))
    if found is None:
        raise EnvironmentMissing(
            "ngspice was not found on PATH; install it ('sudo apt-get install ngspice') or set "
            "NGSPICE to the program."
        )
    return Path(found)


def run_deck(
    program: Path, folder: Path, deck: str, output: str, timeout_s: float = 600.0
) -> Outcome:
    """Run ``ngspice -b deck`` inside ``folder`` and read the raw file ``output`` it must leave.

    ``deck`` and ``output`` are file names inside ``folder``. The run is killed, with all its
    children, when ``timeout_s`` has passed. Never raises for a simulation that fails: that is a
    result, told by ``status``.
    """
    (folder / ".spiceinit").write_text(SPICEINIT, encoding="utf-8")
    raw = folder / output
    raw.unlink(missing_ok=True)
    started = time.monotonic()
    process = subprocess.Popen(
        [str(program), "-b", deck],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    _running.add(process.pid)
    timed_out = False
    try:
        printed, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(process.pid, signal.SIGKILL)
        printed, _ = process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        _running.discard(process.pid)
    wall_s = time.monotonic() - started
    log = printed.decode("utf-8", errors="replace")
    if timed_out:
        return Outcome("timeout", f"stopped after {timeout_s:g} s", wall_s, log)
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        return Outcome("crashed", f"ngspice was ended by {name}", wall_s, log)
    trouble = _NO_CONVERGENCE.search(log)
    if trouble:
        return Outcome("no_convergence", _line_of(log, trouble), wall_s, log)
    try:
        plots = tuple(read_raw(raw))
    except RawFileError as error:
        fatal = _FATAL.search(log)
        reason = f"; ngspice said: {fatal.group(0).strip()}" if fatal else ""
        return Outcome("missing_output", f"{error}{reason}", wall_s, log)
    return Outcome("ok", "", wall_s, log, plots)


def _line_of(log: str, match: re.Match[str]) -> str:
    start = log.rfind("\n", 0, match.start()) + 1
    end = log.find("\n", match.end())
    return log[start : end if end >= 0 else None].strip()


def run_text(
    program: Path, deck: str, timeout_s: float = 600.0, output: str = "out.raw"
) -> Outcome:
    """Run a deck given as text in a temporary folder; it must write ``output``."""
    with tempfile.TemporaryDirectory(prefix="codesign-") as name:
        folder = Path(name)
        (folder / "deck.cir").write_text(deck, encoding="utf-8")
        return run_deck(program, folder, "deck.cir", output, timeout_s)


def ngspice_version(program: Path) -> str:
    """What the program says it is (``ngspice-39``), for provenance; never used to decide."""
    printed = subprocess.run(
        [str(program), "--version"], capture_output=True, text=True, check=False, timeout=60
    ).stdout
    found = re.search(r"ngspice-\S+", printed)
    return found.group(0) if found else "unknown"
