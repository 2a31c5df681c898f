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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codesign.errors import EnvironmentMissing
from codesign.files import require_space
from codesign.spice.process import Ended, run_program
from codesign.spice.rawfile import Plot, RawFileError, read_raw

Status = Literal["ok", "no_convergence", "timeout", "crashed", "missing_output", "memory"]

# What ngspice printed, in the folder of its deck.
LOG = "ngspice.log"

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
_NO_MEMORY = re.compile(
    r"out of memory|(?:can.?t|cannot|could not) allocate|bad_alloc|failed to map segment",
    re.IGNORECASE,
)
_FATAL = re.compile(r"^\s*(?:fatal |syntax )?error\b.*|^.*could not find.*$", re.IGNORECASE | re.M)


@dataclass(frozen=True)
class Outcome:
    """How one ngspice run ended; ``plots`` is empty unless ``status`` is ``"ok"``.

    ``peak_memory_bytes`` is the largest resident memory of its process, 0 if not measured.
    """

    status: Status
    message: str
    wall_s: float
    log: str
    plots: tuple[Plot, ...] = ()
    peak_memory_bytes: int = 0


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
    program: Path,
    folder: Path,
    deck: str,
    output: str,
    timeout_s: float = 600.0,
    memory_limit_bytes: int | None = None,
) -> Outcome:
    """Run ``ngspice -b deck`` inside ``folder`` and read the raw file ``output`` it must leave.

    ``deck`` and ``output`` are file names inside ``folder``; what ngspice prints goes into
    ``LOG``, beside them. The run is killed, with all its children, when ``timeout_s`` has passed;
    beyond ``memory_limit_bytes`` of address space it gets no memory. Never raises for a simulation
    that fails: that is a result, told by ``status``. Raises OSError when the disk is full.
    """
    (folder / ".spiceinit").write_text(SPICEINIT, encoding="utf-8")
    raw = folder / output
    raw.unlink(missing_ok=True)
    ended = run_program(
        [str(program), "-b", deck], folder, folder / LOG, timeout_s, memory_limit_bytes
    )
    log = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    status, message, plots = _judge(ended, log, raw, timeout_s, memory_limit_bytes)
    if status in ("crashed", "missing_output"):
        require_space(folder)
    return Outcome(status, message, ended.wall_s, log, plots, ended.peak_memory_bytes)


def _judge(
    ended: Ended, log: str, raw: Path, timeout_s: float, memory_limit_bytes: int | None
) -> tuple[Status, str, tuple[Plot, ...]]:
    if ended.timed_out:
        return "timeout", f"stopped after {timeout_s:g} s", ()
    refused = _NO_MEMORY.search(log)
    if refused:
        limit = "" if memory_limit_bytes is None else f" of {memory_limit_bytes / 1e6:.0f} MB"
        return "memory", f"ngspice got no more memory{limit}: {_line_of(log, refused)}", ()
    if ended.returncode < 0:
        name = signal.Signals(-ended.returncode).name
        return "crashed", f"ngspice was ended by {name}", ()
    trouble = _NO_CONVERGENCE.search(log)
    if trouble:
        return "no_convergence", _line_of(log, trouble), ()
    try:
        return "ok", "", tuple(read_raw(raw))
    except RawFileError as error:
        fatal = _FATAL.search(log)
        reason = f"; ngspice said: {fatal.group(0).strip()}" if fatal else ""
        # Names without their folder: a message is the same wherever the run is.
        told = str(error).replace(f"{raw.parent}{os.sep}", "")
        return "missing_output", f"{told}{reason}", ()


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
