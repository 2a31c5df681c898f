"""Monte Carlo in ngspice: the product against bare ngspice processes on the same decks.

    python benchmarks/mc_throughput.py RUN [--chips 24] [--jobs 2] [--rounds 2]

RUN has a design. Each round runs, one after the other and in alternating order,

    bare      the decks of the samples, written beforehand, each in its own ngspice process, --jobs
              at a time, nothing read back
    product   codesign simulate RUN --mc CHIPS --engine ngspice --jobs JOBS --fresh, the whole
              command: decks, results, comparison with the twin, tables and page

and prints wall and CPU seconds (of all processes) and the overhead, for the whole command and
without what does not depend on the number of samples (a command with one sample, less that sample).
CPU seconds depend less than wall seconds on what else the machine does. RUN is copied, not changed.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from codesign.runs import Run
from codesign.simulation.sample import Job, deck
from codesign.simulation.setting import Options, set_up
from codesign.spice.ngspice import SPICEINIT, find_ngspice


@dataclass(frozen=True)
class Cost:
    """Seconds on the wall and of processors, and the most memory one process held."""

    wall_s: float
    cpu_s: float
    memory_mb: float


def write_decks(run: Path, chips: int, folder: Path) -> list[Path]:
    """A folder for every sample of the plan, with its deck."""
    setting = set_up(Run(run), Options(chips=chips, clips=1))
    inputs, made = setting.inputs_units(), []
    for index in setting.plan.samples:
        planned = setting.plan.sample(index)
        job = Job(setting.bench, planned, inputs[planned.clip], folder, keep_waves=False)
        place = folder / f"{index:05d}"
        place.mkdir()
        (place / "deck.cir").write_text(deck(job), encoding="utf-8")
        (place / ".spiceinit").write_text(SPICEINIT, encoding="utf-8")
        made.append(place)
    return made


def bare(decks: list[Path], jobs: int) -> Cost:
    program = str(find_ngspice())

    def one(place: Path) -> None:
        # Its exit code says nothing; the file it has to leave does.
        subprocess.run(
            [program, "-b", "deck.cir"], cwd=place, check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if not (place / "out.raw").is_file():
            raise SystemExit(f"{place} left no result")
        (place / "out.raw").unlink()

    def work() -> None:
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(one, decks))

    before, started = _cpu_s(), time.monotonic()
    work()
    return Cost(time.monotonic() - started, _cpu_s() - before, float("nan"))


def product(run: Path, chips: int, jobs: int) -> Cost:
    command = [
        sys.executable, "-m", "codesign", "simulate", str(run), "--mc", str(chips), "--clips", "1",
        "--engine", "ngspice", "--jobs", str(jobs), "--fresh",
    ]  # fmt: skip
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - started
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--chips", type=int, default=24)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="codesign-throughput-") as name:
        copy = Path(name) / given.run.name
        shutil.copytree(given.run, copy, ignore=shutil.ignore_patterns("sim", "report"))
        (Path(name) / "decks").mkdir()
        decks = write_decks(copy, given.chips, Path(name) / "decks")
        product(copy, 1, 1)  # what is measured once and remembered is not part of a round
        print(f"{given.run.name}: {given.chips} samples, {given.jobs} at a time")
        print(f"{'':22}{'wall s':>9}{'CPU s':>9}{'CPU s a sample':>16}{'memory MB':>11}")
        for number in range(given.rounds):
            found: dict[str, Cost] = {}
            order = ("bare", "product", "one")
            for kind in order if number % 2 == 0 else order[::-1]:
                if kind == "bare":
                    found[kind] = bare(decks, given.jobs)
                else:
                    found[kind] = product(copy, given.chips if kind == "product" else 1, given.jobs)
            base, whole, one = (found[kind] for kind in order)
            for title, cost, count in (
                ("bare ngspice", base, given.chips), ("product", whole, given.chips),
                ("product, one sample", one, 1),
            ):  # fmt: skip
                print(
                    f"{title:22}{cost.wall_s:>9.2f}{cost.cpu_s:>9.2f}{cost.cpu_s / count:>16.3f}"
                    f"{cost.memory_mb:>11.0f}"
                )
            each = base.cpu_s / given.chips
            fixed = one.cpu_s - each
            print(
                f"overhead: {100 * (whole.cpu_s / base.cpu_s - 1):.1f} % of CPU time for the whole "
                f"command ({100 * (whole.wall_s / base.wall_s - 1):.1f} % of wall time), "
                f"{100 * ((whole.cpu_s - fixed) / base.cpu_s - 1):.1f} % without the {fixed:.1f} s "
                "of CPU that a command takes by itself"
            )


if __name__ == "__main__":
    main()
