"""The batched engine against ngspice on one trained network, side by side in one run.

    python benchmarks/engine.py runs/demo --draws 4 --chips 256 --most 4096

Chips with mismatch, each with one test clip. ngspice runs twice on the same draws: as
``codesign simulate`` runs it (with ``bypass=1``) and with the judge's exact options, which is the
truth of the accuracy columns. Times are CPU seconds of one thread (user and system), draws of the
mismatch included, characterisation and compilation not; where a wall time is quoted it says so.

Every row of the scaling table is a process of its own, so that its peak memory is its own; samples
are advanced in the groups that ``codesign simulate`` uses. The AVX2 column is the same source
compiled for x86-64-v3.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from codesign.analysis.engines import Bools, Chosen, compare_engines, judged
from codesign.circuit.testbench import EXACT_OPTIONS, TRANSIENT_OPTIONS
from codesign.engine import BatchedEngine
from codesign.engine.native import call
from codesign.engine.native.library import kernel
from codesign.runs import Run
from codesign.simulation.engines import GROUP, Batch, engine_devices
from codesign.simulation.judge import one_mirror
from codesign.simulation.plan import PlannedSample
from codesign.simulation.sample import Job, run_sample, shard_path
from codesign.simulation.setting import Options, Setting, set_up
from codesign.simulation.traces import Traces, join, read_traces

SIZES = (16, 64, 256, 1024, 4096, 20000)
ARCHITECTURES = {"native": "native", "AVX2": "x86-64-v3"}
MOST_CLIPS = 8
# Repeated until this much time is spent; the least counts.
REPEAT_S = 3.0


@dataclass(frozen=True)
class Bed:
    """A design at one operating point, ready in both engines."""

    setting: Setting
    engine: BatchedEngine
    batch: Batch


def make_bed(run: Run, chips: int, clips: int, **hardware: Any) -> Bed:
    """A run's design; ``hardware`` replaces keys such as corner, temperature_c and supply_v."""
    setting = set_up(run, Options(chips=chips, clips=clips))
    if hardware:
        changed = setting.exported.hardware.model_copy(update=hardware)
        header = setting.point.pdk.header(changed.corner)
        setting = replace(
            setting,
            exported=replace(setting.exported, hardware=changed),
            points={setting.plan.corners[0]: replace(setting.point, hardware=changed)},
            bench=replace(setting.bench, hardware=changed, pdk_header=header),
        )
    engine = BatchedEngine.prepare(setting.exported, setting.point)
    corner = setting.plan.corners[0]
    batch = Batch(
        {corner: engine}, setting.plan, engine_devices(engine, setting.bench.network.mosfets),
        setting.bench.law, setting.inputs_units(), 1, {corner: setting.bench.strobe_power_w},
    )  # fmt: skip
    return Bed(setting, engine, batch)


def different_samples(bed: Bed, count: int) -> list[int]:
    """``count`` samples of the plan: every chip with another clip."""
    clips = len(bed.setting.plan.clips)
    return [chip * clips + chip % clips for chip in range(count)]


def run_ngspice(bed: Bed, samples: list[int], options: str) -> tuple[Traces, float]:
    """Samples in ngspice, one after another, and the CPU seconds of each on average."""
    bench = replace(bed.setting.bench, options=options)
    parts = []
    before = _cpu_s(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory(prefix="codesign-engine-") as name:
        folder = Path(name)
        for part in ("shards", "logs", "work"):
            (folder / part).mkdir()
        for index in samples:
            planned = bed.setting.plan.sample(index)
            inputs = bed.batch.inputs_units[planned.clip]
            run_sample(Job(bench, planned, inputs, folder, keep_waves=False))
            traces = read_traces(shard_path(folder, index))
            assert traces is not None
            parts.append(traces)
    return join(parts), (_cpu_s(resource.RUSAGE_CHILDREN) - before) / len(samples)


def _cpu_s(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _unexplained(
    _planned: PlannedSample, _states: Bools, differs: Bools, _decision: int
) -> tuple[Bools, bool]:
    return np.zeros_like(differs), False


def compare(
    bed: Bed, samples: list[int], truth: Traces, other: Traces, explain: bool
) -> dict[str, float]:
    """How far ``other`` is from ``truth``; ``explain``: count the marginal ones of the states."""
    yardstick = bed.setting.yardstick
    chosen = [Chosen("random", bed.setting.plan.sample(index)) for index in samples]
    marginal = one_mirror(bed.batch, yardstick) if explain else _unexplained
    rows, pooled = compare_engines(yardstick, chosen, truth, other, marginal)
    figures = judged(rows, pooled)
    if "judge_states_compared" not in figures:
        return {"compared": 0}
    half_a = yardstick.cells("alpha")[None, :, :, None] / 2 * yardstick.unit_current_a
    ok = truth.ok & other.ok
    high = (truth.states_a[ok] > half_a) & (other.states_a[ok] > half_a)
    wanted, got = truth.states_a[ok][high], other.states_a[ok][high]
    power = rows["power_batched_w"].mean() / rows["power_ngspice_w"].mean() - 1
    return {
        "compared": int(ok.sum()),
        "candidate_rms": figures["judge_candidate_error_rms_relative"],
        "candidate_max": figures["judge_candidate_error_max_relative"],
        "logit_rms": figures["judge_logit_error_rms_relative"],
        "states": figures["judge_states_compared"],
        "differing": figures["judge_states_differing"],
        "marginal": figures["judge_states_marginal"],
        "decisions": figures["judge_decisions_differing"],
        "power": abs(float(power)),
        "high": float(np.sqrt(np.mean(np.square(got / wanted - 1)))) if high.any() else np.nan,
    }


ACCURACY_HEAD = (
    f"{'candidates':>11}{'largest':>9}{'logits':>9}{'high st.':>9}{'power':>9}"
    f"{'states':>15}{'marginal':>9}{'decisions':>10}"
)


def accuracy_text(found: dict[str, float]) -> str:
    """One line under ``ACCURACY_HEAD``."""
    if not found["compared"]:
        return f"{'no sample ended well in both':>60}"
    percents = "".join(
        f"{100 * found[key]:>{width - 1}.3f}%"
        for key, width in (("candidate_rms", 11), ("candidate_max", 9), ("logit_rms", 9),
                           ("high", 9), ("power", 9))
    )  # fmt: skip
    states = f"{found['differing']} of {found['states']}"
    decisions = f"{found['decisions']} of {found['compared']}"
    return f"{percents}{states:>15}{found['marginal']:>9}{decisions:>10}"


def measure(path: Path, samples: int, threads: int, architecture: str) -> dict[str, float]:
    """Advance ``samples`` chips with one clip in this process; times and peak memory of it."""
    # The engine takes the processor's own instructions; the benchmark alone asks for others.
    call.kernel = partial(kernel, ARCHITECTURES[architecture])  # type: ignore[assignment, attr-defined]
    bed = make_bed(Run(path), samples, 1)
    batch = replace(bed.batch, threads=threads)
    batch.run(np.arange(min(samples, 16)))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    walls: list[float] = []
    cpus: list[float] = []
    engines: list[float] = []
    while not walls or (sum(walls) < REPEAT_S and len(walls) < 5):
        wall_s, cpu_s, engine_s, failed = time.monotonic(), time.process_time(), 0.0, 0
        for start in range(0, samples, GROUP):
            traces = batch.run(np.arange(start, min(start + GROUP, samples)))
            engine_s += float(traces.wall_s.sum())
            failed += int((~traces.ok).sum())
        walls.append(time.monotonic() - wall_s)
        cpus.append(time.process_time() - cpu_s)
        engines.append(engine_s)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "wall_s": min(walls), "cpu_s": min(cpus), "engine_s": min(engines), "failed": failed,
        "peak_mib": peak_kib / 1024, "before_mib": before_kib / 1024,
    }  # fmt: skip


def in_own_process(path: Path, samples: int, threads: int, architecture: str) -> dict[str, float]:
    words = [str(path), "--measure", f"{samples},{threads},{architecture}"]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), *words],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def machine() -> str:
    """The processor, as far as the system says, and how busy it is."""
    named, flags = platform.machine(), ""
    info = Path("/proc/cpuinfo")
    for line in info.read_text(encoding="utf-8").splitlines() if info.is_file() else []:
        if line.startswith("model name"):
            named = line.partition(":")[2].strip()
        if line.startswith("flags"):
            flags = line
    widest = next((n for n in ("avx512f", "avx2") if n in flags.split()), "no AVX")
    load = os.getloadavg()[0]
    return f"{named}, {os.cpu_count()} cores, {widest}; load {load:.1f} at the start"


def side_by_side(path: Path, draws: int, chips: int, architectures: list[str]) -> None:
    """Speed per core and accuracy, in ngspice and in the batched engine."""
    bed = make_bed(Run(path), max(draws, 1), min(MOST_CLIPS, max(draws, 1)))
    plan, shape = bed.setting.plan, bed.setting.exported.shape
    frames = bed.batch.inputs_units.shape[1]
    print(
        f"{path.name}: d = {shape.state_dim}, {shape.layers} layers, "
        f"{len(bed.engine.instances)} transistors, {frames} frames"
    )
    batched = {arch: in_own_process(path, chips, 1, arch) for arch in architectures}
    head = f"{'engine':26}{'samples':>8}{'ms per sample per core':>24}"
    print(f"{head}{'times (a)':>11}{'times (b)':>11}")
    ngspice: list[tuple[Traces, float]] = []
    samples = different_samples(bed, draws)
    names = ("(a) ngspice, as simulate", "(b) ngspice, exact")
    for name, options in zip(names, (TRANSIENT_OPTIONS, EXACT_OPTIONS), strict=True):
        if draws:
            ngspice.append(run_ngspice(bed, samples, options))
            print(f"{name:26}{draws:>8}{1e3 * ngspice[-1][1]:>24.5g}", flush=True)
    for arch, found in batched.items():
        each_s = found["cpu_s"] / chips
        ratios = "".join(f"{cpu_s / each_s:>11.0f}" for _, cpu_s in ngspice)
        failed = f"  {found['failed']} samples failed" if found["failed"] else ""
        print(f"{'batched, ' + arch:26}{chips:>8}{1e3 * each_s:>24.4g}{ratios}{failed}")
    if not draws:
        return
    usual, exact = (traces for traces, _ in ngspice)
    mine = bed.batch.run(np.array(samples))
    print(f"\nagainst (b), {draws} chips, {len(plan.clips)} clips in turn")
    print(f"{'':26}{ACCURACY_HEAD}")
    for name, traces, explain in (("(a)", usual, False), ("batched", mine, True)):
        print(f"{name:26}{accuracy_text(compare(bed, samples, exact, traces, explain))}")
    print(flush=True)


def scaling(path: Path, most: int, limit_s: float, architectures: list[str]) -> None:
    """Time and memory against samples and threads."""
    print(
        f"{'samples':>8}{'threads':>8}  {'built for':10}{'CPU ms/sample':>14}{'wall ms/sample':>15}"
        f"{'wall s':>8}{'peak MiB':>9}{'before MiB':>11}"
    )
    slowest = dict.fromkeys(architectures, 0.0)
    for samples in [*(size for size in SIZES if size < most), most]:
        for arch in architectures:
            for threads in (1, 2) if arch == "native" else (1,):
                expected = slowest[arch] * samples / threads
                if expected > limit_s:
                    print(f"{samples:>8}{threads:>8}  {arch:10}  left out: about {expected:.0f} s")
                    continue
                found = in_own_process(path, samples, threads, arch)
                slowest[arch] = found["cpu_s"] / samples
                print(
                    f"{samples:>8}{threads:>8}  {arch:10}{1e3 * found['cpu_s'] / samples:>14.3f}"
                    f"{1e3 * found['wall_s'] / samples:>15.3f}{found['wall_s']:>8.2f}"
                    f"{found['peak_mib']:>9.0f}{found['before_mib']:>11.0f}",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--draws", type=int, default=4, help="chips in ngspice; 0: none")
    parser.add_argument("--chips", type=int, default=256, help="chips in the batched engine")
    parser.add_argument("--most", type=int, default=4096, help="largest size of the scaling table")
    parser.add_argument("--no-scaling", action="store_true")
    parser.add_argument("--limit-s", type=float, default=60.0, help="longest row of that table")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        samples, threads, arch = given.measure.split(",")
        print(json.dumps(measure(given.runs[0], int(samples), int(threads), arch)))
        return
    x86 = platform.machine() == "x86_64"
    architectures = list(ARCHITECTURES) if x86 else ["native"]
    print(f"{machine()}\ntimes are CPU seconds of one thread unless called wall\n")
    for path in given.runs:
        side_by_side(path, given.draws, given.chips, architectures)
        if not given.no_scaling:
            scaling(path, given.most, given.limit_s, architectures)
        print(flush=True)


if __name__ == "__main__":
    main()
