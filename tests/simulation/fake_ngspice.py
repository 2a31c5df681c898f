"""A program that behaves as ngspice does, quickly, and fails as it is told.

Decks of samples get made-up vectors, the same for the same sample; every other deck goes to the
real program. Faults stand in a file: for each sample what happens at its first run, its second, ...
(the last one again and again).
"""

import json
import stat
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from codesign.spice.ngspice import find_ngspice

# Runs alone: without site packages it starts in some milliseconds.
_PROGRAM = r"""#!{python} -SE
import array, json, math, os, re, signal, sys, time, zlib
REAL, FAULTS, WAIT_S = {real!r}, {faults!r}, {wait_s!r}
arguments = sys.argv[1:]
deck = open(arguments[1]).read() if arguments[:1] == ["-b"] else ""
found = re.match(r"\*? ?sample (-?\d+),", deck)
if not found:
    os.execv(REAL, [REAL, *arguments])
sample = found.group(1)
faults = json.load(open(FAULTS)).get(sample, ["ok"])
counter = FAULTS + "." + sample
with open(counter, "a") as file:
    file.write("x")
fault = faults[min(os.path.getsize(counter), len(faults)) - 1]
time.sleep(WAIT_S)
if fault == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if fault == "worker":
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
if fault == "hang":
    time.sleep(600)
if fault == "diverge":
    print("doAnalyses: TRAN:  Timestep too small; time = 1e-3")
    sys.exit(1)
if fault == "memory":
    try:
        hold = bytearray(600 << 20)
    except MemoryError:
        print("malloc: Internal Error: can't allocate 629145600 bytes.")
        sys.exit(1)
stop = re.search(r"^\.tran \S+ (\S+)", deck, re.M).group(1)
scale = dict(m=1e-3, u=1e-6, n=1e-9)
stop = float(stop.rstrip("mun")) * scale.get(stop[-1], 1.0)
names = ["time"] + re.findall(r"^\.save (\S+)", deck, re.M)
points = 60
values = array.array("d")
for point in range(points):
    at = stop * point / (points - 1)
    values.append(at)
    for name in names[1:]:
        phase = zlib.crc32((sample + name).encode()) / 2**32
        values.append(1e-9 * (1 + math.sin(6.28 * (phase + 20 * at))) / 2)
data = values.tobytes()
header = ["Title: made up", "Plotname: Transient Analysis", "Flags: real",
          "No. Variables: %d" % len(names), "No. Points: %d" % points, "Variables:"]
kinds = ["time"] + ["current"] * (len(names) - 1)
header += ["\t%d\t%s\t%s" % line for line in zip(range(len(names)), names, kinds)]
with open("out.raw", "wb") as file:
    file.write(("\n".join(header) + "\nBinary:\n").encode())
    file.write(data[: len(data) // 2] if fault == "cut" else data)
"""


@cache
def _real() -> Path:
    """The real program, as it was before anything took its place."""
    return find_ngspice()


class FakeNgspice:
    """The program, and what is wrong with it."""

    def __init__(self, folder: Path, wait_s: float = 0.0) -> None:
        self.program = folder / "ngspice"
        self._faults = folder / "faults.json"
        self.set({})
        text = _PROGRAM.format(
            python=sys.executable, real=str(_real()), faults=str(self._faults),
            wait_s=wait_s,
        )  # fmt: skip
        self.program.write_text(text)
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    def set(self, faults: dict[int, Sequence[str]]) -> None:
        """Faults by sample, counted from now on."""
        for counter in self._faults.parent.glob("faults.json.*"):
            counter.unlink()
        self._faults.write_text(json.dumps({str(k): list(v) for k, v in faults.items()}))

    def runs(self) -> dict[int, int]:
        """How often each sample was run since then."""
        counters = self._faults.parent.glob("faults.json.*")
        return {int(path.suffix[1:]): path.stat().st_size for path in counters}


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, wait_s: float = 0.0) -> FakeNgspice:
    """Put the program in the place of ngspice."""
    fake = FakeNgspice(folder, wait_s)
    monkeypatch.setenv("NGSPICE", str(fake.program))
    return fake
