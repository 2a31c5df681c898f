"""kill -9 of everything at three random moments, then a rerun: are the tables those of a quiet run?

    python benchmarks/mc_kill.py RUN [--chips 8] [--seed 1]

RUN is a run folder with a design. Its chips are simulated in ngspice once undisturbed; then, each
in a copy of its own, with 1, 2 and 4 workers, where the whole tree of processes (command, workers,
simulators) is killed at three random moments and the same command given again each time; and on a
Dask cluster of two workers of this machine, of which one is killed while it simulates. Tables are
compared by the digests of their values in manifest.json.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KILLS = 3
_EVERY = ("samples", "states", "logits", "units", "roots")


def command(run: Path, chips: int, *options: str) -> list[str]:
    return [
        sys.executable, "-m", "codesign", "simulate", str(run), "--mc", str(chips),
        "--engine", "ngspice", "--sensitivity", "0", *options,
    ]  # fmt: skip


def tree(process: int) -> list[int]:
    """A process and all that came of it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    found = [process]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found


def simulators(run: Path) -> list[int]:
    """ngspice processes at work in a run folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = run.resolve() in (entry / "cwd").resolve().parents
        except OSError:
            continue
        if inside and not is_zombie(entry):
            found.append(int(entry.name))
    return found


def is_zombie(entry: Path) -> bool:
    try:
        return (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def shards(run: Path) -> int:
    return len(list((run / "sim" / "mc" / "shards").glob("sample-*.parquet")))


def digests(run: Path) -> dict[str, str]:
    manifest = json.loads((run / "sim" / "mc" / "manifest.json").read_text())
    return {name: manifest["tables"][name]["values_sha256"] for name in _EVERY}


def wait_until(condition, process: subprocess.Popen[bytes]) -> None:  # type: ignore[no-untyped-def]
    while process.poll() is None and not condition():
        time.sleep(0.02)


def killed_run(run: Path, chips: int, jobs: int, draw: random.Random) -> dict[str, object]:
    """Three times killed at a random moment of what was left, then left alone."""
    at: list[float] = []
    orphans = 0
    for kill in range(KILLS):
        process = subprocess.Popen(
            command(run, chips, "--jobs", str(jobs)),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        # Kills are spread over the plan; each comes at any moment of a sample.
        wanted = shards(run) if kill == 0 else max(at[-1], chips * kill // (KILLS + 1))
        wait_until(lambda n=wanted: simulators(run) and shards(run) >= n, process)
        time.sleep(draw.uniform(0, 3))
        for victim in tree(process.pid):
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()
        time.sleep(0.5)
        orphans += len(simulators(run))
        at.append(shards(run))
    finish(run, chips, "--jobs", str(jobs))
    return {"killed_at": at, "orphans": orphans}


def dask_run(run: Path, chips: int, draw: random.Random) -> dict[str, object]:
    """One of two Dask workers is killed while it simulates."""
    process = subprocess.Popen(
        command(run, chips, "--scheduler", "local:2"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until(lambda: shards(run) >= 1 and len(simulators(run)) >= 1, process)
    time.sleep(draw.uniform(0, 1))
    wait_until(lambda: simulators(run), process)
    worker = int(Path(f"/proc/{simulators(run)[0]}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(worker, signal.SIGKILL)
    at = [shards(run)]
    if process.wait():
        raise SystemExit("the command on the Dask cluster failed")
    return {"killed_at": at, "orphans": len(simulators(run))}


def finish(run: Path, chips: int, *options: str) -> None:
    subprocess.run(command(run, chips, *options), check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--chips", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:

        def copy(label: str) -> Path:
            target = Path(name) / label
            shutil.copytree(given.run, target, ignore=shutil.ignore_patterns("sim", "report"))
            return target

        quiet = copy("quiet")
        finish(quiet, given.chips, "--jobs", "2")
        expected = digests(quiet)
        print(f"{given.chips} samples in ngspice; samples.parquet {expected['samples'][:16]}")
        print(f"{'workers':>8} {'killed with samples finished':>30} {'simulators left':>16} "
              f"{'tables equal':>13}", flush=True)  # fmt: skip
        wrong = 0
        for label in ("1", "2", "4", "dask"):
            run = copy(label)
            if label == "dask":
                facts = dask_run(run, given.chips, draw)
            else:
                facts = killed_run(run, given.chips, int(label), draw)
            found = digests(run)
            equal = sum(found[table] == expected[table] for table in _EVERY)
            wrong += equal != len(_EVERY)
            shown = ", ".join(str(count) for count in facts["killed_at"])  # type: ignore[attr-defined]
            print(f"{label:>8} {shown:>30} {facts['orphans']:>16} {equal:>8} of {len(_EVERY)}",
                  flush=True)  # fmt: skip
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
