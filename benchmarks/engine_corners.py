"""The batched engine against ngspice at the corners of a process, and in other processes.

    python benchmarks/engine_corners.py runs/demo           # nine points
    python benchmarks/engine_corners.py runs/demo --all     # 5 corners, 3 temperatures, 3 supplies
    python benchmarks/engine_corners.py runs/demo --pdk sky130 generic180

Every point has a characterisation of its own, measured afresh. The network stays as it was exported
(its mirrors are trimmed for the typical point), so at an extreme point the chip may decide
otherwise than the software; both engines simulate that same chip. With ``--pdk`` the network is
exported again for each process, into a temporary folder. ngspice runs with the judge's exact
options; every chip has mismatch and the same test clip.
"""

import argparse
import os
import shutil
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from codesign.circuit.export import export_design
from codesign.circuit.testbench import EXACT_OPTIONS
from codesign.errors import EnvironmentMissing
from codesign.flows import load_flow
from codesign.runs import Run
from engine import ACCURACY_HEAD, Bed, accuracy_text, compare, machine, make_bed, run_ngspice

CORNERS = ("typical", "ss", "ff", "sf", "fs")
TEMPERATURES_C = (-20.0, 27.0, 85.0)
SUPPLIES_V = (1.62, 1.8, 1.98)


@dataclass(frozen=True)
class Point:
    corner: str
    temperature_c: float
    supply_v: float

    def text(self) -> str:
        return f"{self.corner} {self.temperature_c:g} C {self.supply_v:g} V"


# The typical point, and the slow and fast extremes: least headroom (cold, slow, low supply), most
# leakage (hot, fast, high supply), both skewed corners both ways.
EXTREMES = (
    Point("typical", 27.0, 1.8),
    Point("ss", -20.0, 1.62),
    Point("ss", 85.0, 1.98),
    Point("ff", 85.0, 1.98),
    Point("ff", -20.0, 1.62),
    Point("sf", -20.0, 1.98),
    Point("sf", 85.0, 1.62),
    Point("fs", 85.0, 1.62),
    Point("fs", -20.0, 1.98),
)

HEAD = f"{'fitted in':>10}{'mirror':>8}{'diode':>8}{'switch':>8}{ACCURACY_HEAD}{'ngspice':>9}"


def row(bed: Bed, draws: int) -> str:
    """Time and errors of the fits, then how the engines differ on ``draws`` chips."""
    models = bed.engine.models
    worst = {
        kind: max(error.rms for error in models.errors if kind in error.what)
        for kind in ("mirror", "diode", "switch")
    }
    fits = "".join(f"{100 * rms:>7.3f}%" for rms in worst.values())
    samples = list(range(draws))
    truth, cpu_s = run_ngspice(bed, samples, EXACT_OPTIONS)
    mine = bed.batch.run(np.array(samples))
    found = accuracy_text(compare(bed, samples, truth, mine, explain=True))
    ended = sorted({*truth.status, *mine.status} - {"ok"})
    return f"{models.measured_s:>9.1f}s{fits}{found}{cpu_s:>8.1f}s  {' '.join(ended)}"


def at_points(run: Run, points: tuple[Point, ...], draws: int) -> None:
    print(f"\n{run.path.name}\n{'point':22}{HEAD}")
    for point in points:
        bed = make_bed(
            run, draws, 1, corner=point.corner, temperature_c=point.temperature_c,
            supply_v=point.supply_v,
        )  # fmt: skip
        print(f"{point.text():22}{row(bed, draws)}", flush=True)


def in_processes(run: Run, names: list[str], draws: int, folder: Path) -> None:
    print(f"\n{run.path.name}, exported for each process\n{'process':22}{HEAD}")
    for name in names:
        copy = Run(folder / name)
        shutil.copytree(run.path, copy.path, ignore=shutil.ignore_patterns("sim", "design"))
        try:
            export_design(copy, load_flow(copy.flow_file, (f"hardware.pdk={name}",)).hardware)
        except EnvironmentMissing as error:
            print(f"{name:22}left out: {error}")
            continue
        print(f"{name:22}{row(make_bed(copy, draws, 1), draws)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--draws", type=int, default=4, help="chips at each point")
    parser.add_argument("--all", action="store_true", help="all 45 points")
    parser.add_argument("--pdk", nargs="+", default=[], help="processes instead of corners")
    given = parser.parse_args()
    print(f"{machine()}\nngspice: CPU seconds per sample, exact options; errors are rms")
    with tempfile.TemporaryDirectory(prefix="codesign-corners-") as name:
        # An empty cache, so that every characterisation is measured and its time known.
        os.environ["CODESIGN_CACHE"] = str(Path(name) / "cache")
        if given.pdk:
            in_processes(Run(given.run), given.pdk, given.draws, Path(name))
            return
        every = tuple(Point(*values) for values in product(CORNERS, TEMPERATURES_C, SUPPLIES_V))
        at_points(Run(given.run), every if given.all else EXTREMES, given.draws)


if __name__ == "__main__":
    main()
