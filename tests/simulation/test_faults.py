"""Injected faults: each is visible in the statistics, none is lost, and the rest is as without."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from codesign.circuit.export import export_design
from codesign.errors import InputError
from codesign.runs import Run
from codesign.simulation.execution_options import ExecutionOptions
from codesign.simulation.ladder import LADDER
from codesign.simulation.run import Options, simulate
from tests.simulation.fake_ngspice import FakeNgspice, install
from tests.trained import made_up_run

pytestmark = pytest.mark.ngspice

CHIPS = 12


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_up_run(tmp_path_factory.mktemp("run") / "small")
    export_design(run)
    return run


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeNgspice:
    return install(monkeypatch, tmp_path)


def _options(**changes: Any) -> Options:
    execution = {
        name: changes.pop(name)
        for name in ("memory_limit_mb", "only_failed", "keep", "scheduler")
        if name in changes
    }
    given: dict[str, Any] = {"chips": CHIPS, "engine": "ngspice", "jobs": 2, "sensitivity": 0}
    return Options(**given | changes, execution=ExecutionOptions(**execution))


def _tables(run: Run) -> dict[str, str]:
    manifest = json.loads((run.sim_dir("mc") / "manifest.json").read_text())
    return {name: table["values_sha256"] for name, table in manifest["tables"].items()}


@pytest.fixture(scope="module")
def whole(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of an undisturbed run by one worker."""
    with pytest.MonkeyPatch.context() as patch:
        install(patch, tmp_path_factory.mktemp("whole"))
        simulate(run, _options(jobs=1, fresh=True))
    return _tables(run)


def test_every_fault_is_counted_and_none_is_lost(
    run: Run, whole: dict[str, str], fake: FakeNgspice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once, while the clock jumps by hours with every look at it."""
    now, looks = time.time(), itertools.count()
    monkeypatch.setattr(time, "time", lambda: now + 7200.0 * (-1) ** next(looks))
    every = ["diverge"] * len(LADDER)
    fake.set(
        {
            0: ["kill", "ok"], 1: ["kill"], 2: ["hang"], 3: ["cut"], 4: ["cut", "ok"],
            5: ["diverge", "diverge", "ok"], 6: every, 7: ["memory"], 8: ["diverge", "hang"],
        }
    )  # fmt: skip
    figures = simulate(run, _options(fresh=True, timeout_s=2.0, memory_limit_mb=300))
    folder = run.sim_dir("mc")
    table = pd.read_parquet(folder / "samples.parquet").set_index("sample")
    assert table["status"].tolist() == [
        "ok", "crashed", "timeout", "missing_output", "ok", "ok", "no_convergence", "memory",
        "timeout", "ok", "ok", "ok",
    ]  # fmt: skip
    assert table["rung"][5] == LADDER[2].name
    assert (figures["samples_ok"], figures["samples_failed"]) == (6, 6)
    timings = pd.read_parquet(folder / "timings.parquet").set_index("sample")
    attempts = [2, 2, 1, 2, 2, 3, len(LADDER), 1, 2, 1, 1, 1]
    assert timings["attempts"].tolist() == attempts
    assert fake.runs() == dict(enumerate(attempts))
    assert 0 < figures["seconds_per_sample"] < 60
    assert figures["samples_retried"] == 7
    assert figures["samples_ok_after_retry"] == 3
    assert (timings["peak_memory_bytes"] > 0).all()
    assert "SIGKILL" in table["message"][1]
    assert "cut short" in table["message"][3]
    assert "Timestep too small" in table["message"][6]
    assert table["message"][8] == "stopped after 2 s (tried: standard, exact)"
    for sample in table.index[table["status"] != "ok"]:
        assert (folder / table["log"][sample]).is_file()
        assert (folder / "work" / f"sample-{sample:05d}" / "deck.cir").is_file()
    assert len(list((folder / "work").iterdir())) == 6
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["failed"] == [1, 2, 3, 6, 7, 8]
    assert sum(manifest["statuses"].values()) == CHIPS
    # A failure is a result and stays, until it is asked for again.
    fake.set({})
    simulate(run, _options(only_failed=True))
    assert sorted(fake.runs()) == [1, 2, 3, 6, 7, 8]
    # Sample 5 keeps the values of the rung that gave them.
    again = pd.read_parquet(folder / "samples.parquet").set_index("sample")
    assert again["status"].eq("ok").all()
    assert again["rung"][5] == LADDER[2].name
    assert not (folder / "work").exists()
    # All others are as in the undisturbed run, and equal tables have equal digests.
    for path in (folder / "shards").iterdir():
        if path.stem in ("sample-00005",):
            path.unlink()
    simulate(run, _options())
    assert _tables(run) == whole
    assert fake.runs()[5] == 1


def test_files_are_kept_on_demand(run: Run, fake: FakeNgspice) -> None:
    simulate(run, _options(chips=1, fresh=True, keep=True))
    kept = run.sim_dir("mc") / "work" / "sample-00000"
    assert sorted(path.name for path in kept.iterdir()) == [
        ".spiceinit", "deck.cir", "ngspice.log", "out.raw",
    ]  # fmt: skip


def test_a_worker_that_dies_costs_no_sample(
    run: Run, whole: dict[str, str], fake: FakeNgspice
) -> None:
    """One sample takes its worker along once, another whenever it runs."""
    fake.set({3: ["worker", "ok"], 5: ["worker"]})
    figures = simulate(run, _options(fresh=True))
    table = pd.read_parquet(run.sim_dir("mc") / "samples.parquet").set_index("sample")
    assert table["status"].drop(5).eq("ok").all()
    assert table["status"][5] == "crashed"
    assert "worker process died" in table["message"][5]
    assert figures["samples_failed"] == 1
    fake.set({})
    simulate(run, _options(only_failed=True))
    assert _tables(run) == whole


def test_no_duration_is_taken_from_a_clock_that_can_be_set() -> None:
    for path in (Path(__file__).parents[2] / "codesign").rglob("*.py"):
        assert "time.time(" not in path.read_text(), path


def _background(run: Run, jobs: int, more: str = "") -> subprocess.Popen[bytes]:
    code = (
        "from pathlib import Path; from codesign.runs import Run;"
        "from codesign.simulation.run import Options, simulate;"
        "from codesign.simulation.execution_options import ExecutionOptions\n"
        f"if __name__ == '__main__': simulate(Run(Path({str(run.path)!r})),"
        f"Options(chips={CHIPS}, engine='ngspice', jobs={jobs}, sensitivity=0{more}), say=print)"
    )
    return subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE)


def _wait_for(what: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(list(what.glob("*.parquet"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_commands_at_once(
    run: Run, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is told who the first is; when the first was killed nothing is in the way."""
    install(monkeypatch, tmp_path, wait_s=0.5)
    shutil.rmtree(run.sim_dir("mc"))
    first = _background(run, 2)
    _wait_for(run.sim_dir("mc") / "shards", 1)
    with pytest.raises(InputError, match=f"another command .process {first.pid} on .*, since 20"):
        simulate(run, _options())
    assert first.poll() is None
    first.kill()
    first.wait()
    install(monkeypatch, tmp_path)
    simulate(run, _options())
    assert _tables(run) == whole


def test_an_interrupt_says_how_to_go_on(
    run: Run, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path, wait_s=0.3)
    shutil.rmtree(run.sim_dir("mc"))
    first = _background(run, 2)
    shards = run.sim_dir("mc") / "shards"
    _wait_for(shards, 2)
    first.send_signal(signal.SIGINT)
    said = first.communicate(timeout=60)[0].decode()
    finished = len(list(shards.iterdir()))
    assert 2 <= finished < CHIPS
    assert "finished shards are kept in" in said
    assert "the same command continues" in said
    fake = install(monkeypatch, tmp_path)
    simulate(run, _options())
    assert len(fake.runs()) == CHIPS - finished
    assert _tables(run) == whole


@pytest.mark.parametrize(
    "jobs", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(4, marks=pytest.mark.slow)]
)
def test_killed_at_a_random_moment_and_continued(
    run: Run, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    """kill -9 of the whole tree of processes: main, workers and simulators."""
    install(monkeypatch, tmp_path, wait_s=0.2)
    shutil.rmtree(run.sim_dir("mc"))
    process = _background(run, jobs)
    _wait_for(run.sim_dir("mc") / "shards", 1 + jobs)
    time.sleep(int.from_bytes(os.urandom(1)) / 255 * 0.3)
    for victim in tree(process.pid):
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()
    fake = install(monkeypatch, tmp_path)
    simulate(run, _options(jobs=jobs))
    assert 0 < len(fake.runs()) < CHIPS
    assert _tables(run) == whole


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


@pytest.fixture
def small_disk(run: Run) -> Iterator[Path]:
    """The folder of simulations on a disk of a few hundred kilobytes."""
    folder = run.path / "sim"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)],
        check=False, capture_output=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"mounting a small disk needs root: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_sentence_and_continued(
    run: Run, whole: dict[str, str], fake: FakeNgspice, small_disk: Path
) -> None:
    with pytest.raises(InputError, match="No space left on device") as raised:
        simulate(run, _options())
    assert str(small_disk) in str(raised.value)
    shards = list((small_disk / "mc" / "shards").iterdir())
    assert 0 < len(shards) < CHIPS
    assert all(path.name.startswith("sample-") for path in shards)
    ran = fake.runs()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    fake.set({})
    simulate(run, _options())
    assert len(fake.runs()) == CHIPS - len(shards) < len(ran)
    assert _tables(run) == whole
