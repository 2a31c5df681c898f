"""The twins against the transistors: predicted disagreements, agreement, chips, time.

    python benchmarks/twins.py runs/digits runs/keyword:10 --clips 100 --chips 16

The transistors are those of the batched engine at a fine time grid (``--confirm`` clips are run in
ngspice with exact options as well, the ones in which it and the ideal twin differ first). RUN:K
takes K clips. A disagreement is a state (unit, frame) in which the ideal twin and the transistors
differ; it is predicted when the other twin has what the transistors have, and a false alarm is a
state in which that twin contradicts the ideal one and the transistors do not. ``--chips`` draws
chips with mismatch, each with a calibrated twin of its own from the same draws, and compares it and
the ideal twin with the batched engine (its usual grid) on the first ``--chip-clips`` clips. The
runs stay as they are.
"""

import argparse
import shlex
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

from codesign.analysis.agreement import Twins
from codesign.analysis.prediction import count_prediction
from codesign.circuit.testbench import EXACT_OPTIONS
from codesign.engine import BatchedEngine
from codesign.engine.batched import EngineResult
from codesign.engine.grid import Resolution
from codesign.files import write_text
from codesign.runs import open_run
from codesign.simulation.draws import draw_mismatch
from codesign.simulation.plan import chip_seed
from codesign.simulation.sample import Job, run_sample, shard_path
from codesign.simulation.setting import Options, Setting, set_up
from codesign.simulation.traces import read_traces
from codesign.twin.ideal import ideal_twin
from codesign.twin.twins import TwinName, design_twin

FINE = Resolution(first_us=2.0, growth=1.2, longest=0.008, calm_us=10.0, calm_growth=1.5)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Values:
    """Candidates, states and logits, in units."""

    candidates: Floats
    states: Floats
    logits: Floats


def of_engine(setting: Setting, result: EngineResult) -> Values:
    bad = [status for status in result.status if status != "ok"]
    assert not bad, f"the engine stopped: {bad}"
    unit = setting.yardstick.unit_current_a
    return Values(
        *(np.asarray(v, np.float64) / unit
          for v in (result.candidates_a, result.states_a, result.logits_a))
    )  # fmt: skip


def rms(values: Floats) -> float:
    return float(np.sqrt((values**2).mean())) if values.size else float("nan")


def decisions(setting: Setting, logits: Floats) -> NDArray[np.int64]:
    return setting.yardstick.decide(logits)


def twin_line(
    setting: Setting, name: str, ideal: Values, twin: Values, real: Values, ms: float
) -> str:
    """One row of the table; errors over samples without any differing state."""
    half = setting.yardstick.cells("alpha")[:, :, None] / 2
    active = [v.states > half for v in (ideal, twin, real)]
    found = count_prediction(*active)
    agree = (active[1] == active[2]).all(axis=(1, 2, 3))
    hits = "" if name == "ideal" else f"{found.predicted}/{found.disagreements}"
    alarms = "" if name == "ideal" else f"{found.false_alarms}"
    flips = (decisions(setting, twin.logits) != decisions(setting, real.logits)).sum()
    return (
        f"  {name:12}{found.wrong:10d}{100 * (1 - found.wrong / found.states):10.3f}"
        f"{hits:>11}{alarms:>7}{int(flips):7d}"
        f"{rms((twin.candidates - real.candidates)[agree]):11.5f}"
        f"{rms((twin.logits - real.logits)[agree]):10.5f}"
        f"{f'{int(agree.sum())}/{len(agree)}':>10}{ms:12.2f}"
    )


HEAD = (
    f"  {'twin':12}{'differing':>10}{'agree %':>10}{'predicted':>11}{'false':>7}{'votes':>7}"
    f"{'cand rms':>11}{'logit rms':>10}{'clips':>10}{'ms a clip':>12}"
)


def confirmed(setting: Setting, real: Values, ideal: Values, count: int) -> str:
    """The engine against ngspice: those clips first in which it contradicts the ideal twin."""
    half = setting.yardstick.cells("alpha")[:, :, None] / 2
    differing = ((ideal.states > half) != (real.states > half)).sum(axis=(1, 2, 3))
    chosen = np.argsort(-differing, kind="stable")[:count]
    bench = replace(setting.bench, options=EXACT_OPTIONS)
    inputs = setting.inputs_units()
    unit = setting.yardstick.unit_current_a
    disagreements = confirmed_there = contradicted = states = 0
    errors, spent = [], 0.0
    with tempfile.TemporaryDirectory(prefix="codesign-twins-") as name:
        folder = Path(name)
        for part in ("shards", "logs", "work"):
            (folder / part).mkdir()
        with ProcessPoolExecutor(1) as executor:
            for row in chosen:
                planned = setting.plan.sample(int(row))
                started = perf_counter()
                job = Job(bench, planned, inputs[planned.clip], folder, False)
                executor.submit(run_sample, job).result()
                spent += perf_counter() - started
                traces = read_traces(shard_path(folder, int(row)))
                assert traces is not None
                assert traces.ok.all(), f"ngspice failed on {planned}: {traces.message}"
                exact = np.asarray(traces.states_a[0], np.float64) / unit > half
                batched, equations = real.states[row] > half, ideal.states[row] > half
                disagreements += int((equations != batched).sum())
                confirmed_there += int(((equations != batched) & (exact == batched)).sum())
                contradicted += int((exact != batched).sum())
                states += exact.size
                if (exact == batched).all():
                    errors.append(traces.candidates_a[0] / unit - real.candidates[row])
    error = f"{rms(np.array(errors)):.5f} units rms" if errors else "none without"
    return (
        f"  ngspice, {len(chosen)} clips: has {confirmed_there} of {disagreements} of the engine's "
        f"disagreements with the ideal twin; contradicts {contradicted} of {states} of its states; "
        f"candidates where all agree {error}; {spent / max(1, len(chosen)):.2f} s a clip"
    )


def nominal_lines(setting: Setting, engine: BatchedEngine, confirm: int) -> list[str]:
    inputs = setting.inputs_units()[list(setting.plan.clips)]
    clips = np.arange(len(inputs))
    fast, fine = (
        of_engine(setting, e.run(inputs, clips, threads=1))
        for e in (engine, replace(engine, resolution=FINE))
    )
    started = perf_counter()
    engine.run(inputs, clips, threads=1)
    engine_ms = 1e3 * (perf_counter() - started) / len(inputs)
    half = setting.yardstick.cells("alpha")[:, :, None] / 2
    coarse = int(((fast.states > half) != (fine.states > half)).sum())
    lines = [HEAD]
    ideal: Values | None = None
    names: tuple[TwinName, ...] = ("ideal", "calibrated", "substepped")
    for name in names:
        parameters = setting.yardstick.parameters
        model = design_twin(name, setting.exported, setting.point, parameters)
        started = perf_counter()
        found = model.run(parameters, inputs)
        ms = 1e3 * (perf_counter() - started) / len(inputs)
        values = Values(found.candidates, found.states, found.logits)
        ideal = ideal or values
        lines.append(twin_line(setting, name, ideal, values, fine, ms))
    assert ideal is not None
    lines.append(
        f"  batched engine {engine_ms:.2f} ms a clip; its usual grid differs from the fine one "
        f"in {coarse} of {fine.states.size} states"
    )
    if confirm:
        lines.append(confirmed(setting, fine, ideal, confirm))
    return lines


def chip_lines(setting: Setting, engine: BatchedEngine, chips: int, clips: int) -> list[str]:
    inputs = setting.inputs_units()[list(setting.plan.clips)][:clips]
    seeds = [chip_seed(setting.plan.run_seed, chip) for chip in range(chips)]
    draws = draw_mismatch(setting.bench.network.mosfets, setting.bench.law, seeds)
    own = draw_mismatch(engine.graph.devices, setting.bench.law, seeds)
    chip, clip = (k.ravel() for k in np.indices((chips, len(inputs))))
    result = engine.run(inputs, clip, own, chip, threads=1)
    real = of_engine(setting, result)
    parameters, rule = setting.yardstick.parameters, setting.yardstick.rule
    once = Twins.of(ideal_twin(parameters, inputs, rule)).take(clip)
    ideal = Values(once.candidates, once.states, once.logits)
    lines = [f"  {chips} chips with mismatch, {len(inputs)} clips each", HEAD]
    lines.append(twin_line(setting, "ideal", ideal, ideal, real, float("nan")))
    names: tuple[TwinName, ...] = ("calibrated", "substepped")
    for name in names:
        model = design_twin(name, setting.exported, setting.point, parameters)
        started = perf_counter()
        found = model.run(parameters, inputs, draws)
        ms = 1e3 * (perf_counter() - started) / len(chip)
        values = Values(
            *(v.reshape(len(chip), *v.shape[2:])
              for v in (found.candidates, found.states, found.logits))
        )  # fmt: skip
        lines.append(twin_line(setting, name, ideal, values, real, ms))
    half = setting.yardstick.cells("alpha")[:, :, None] / 2
    lines.append(
        f"  engine {1e3 * result.wall_s / len(chip):.2f} ms a sample; over all samples the ideal "
        f"twin's candidates are off by {rms(ideal.candidates - real.candidates):.4f} units rms, "
        f"the last twin's by {rms(values.candidates - real.candidates):.4f}, states on "
        f"in {100 * float((real.states > half).mean()):.0f} % of all"
    )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN[:CLIPS]")
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--chips", type=int, default=16)
    parser.add_argument("--chip-clips", type=int, default=4)
    parser.add_argument("--confirm", type=int, default=3, help="clips run in ngspice too")
    parser.add_argument("--out", type=Path, help="file for the text")
    given = parser.parse_args()
    started, shown = process_time(), []
    words = [Path(w).name if "/" in w else w for w in sys.argv[1:]]
    command = f"$ python benchmarks/twins.py {shlex.join(words)}"
    parts = [command]
    for text in given.runs:
        path, _, count = text.partition(":")
        setting = set_up(open_run(Path(path)), Options(clips=int(count or given.clips)))
        engine = BatchedEngine.prepare(setting.exported, setting.point)
        hw, shape = setting.exported.hardware, setting.exported.shape
        shown = [
            f"{Path(path).name}: {hw.cell} cells, {shape.inputs} inputs, {shape.layers} layers of "
            f"{shape.state_dim}, {setting.yardstick.timing.frames} frames, "
            f"{len(setting.plan.clips)} clips; {hw.pdk} {hw.corner}, "
            f"{setting.point.ngspice_version}"
        ]
        shown += nominal_lines(setting, engine, given.confirm)
        if given.chips:
            shown += chip_lines(setting, engine, given.chips, given.chip_clips)
        parts.append("\n".join(shown))
        print(parts[-1], flush=True)
    parts.append(f"{process_time() - started:.0f} s of CPU")
    if given.out is not None:
        legend = " ".join(" ".join((__doc__ or "").split("\n\n")[2:]).split())
        body = "\n\n".join(parts)
        write_text(given.out, f"# Twins against transistors\n\n{legend}\n\n```\n{body}\n```\n")


if __name__ == "__main__":
    main()
