"""Simulate a design at the points of its process: plan, runs, tables. Finished points are kept."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from codesign.circuit.library import library_text
from codesign.files import unwritable, write_json
from codesign.runs import Run
from codesign.simulation.corner_batched import point_traces
from codesign.simulation.corner_cells import CellJobs
from codesign.simulation.corner_circuits import (
    CornerCircuits,
    bench_at,
    bias_of,
    corner_circuits,
)
from codesign.simulation.corner_tables import CornerWork, write_corner_tables
from codesign.simulation.dispatch import Died, Task, run_tasks
from codesign.simulation.lock import only_writer
from codesign.simulation.plan import design_digest, existing_digest
from codesign.simulation.points import (
    CLIPS,
    CONDITIONS,
    CORNERS_PLAN,
    EVERYWHERE,
    CornerPlan,
    Selection,
    corner_digest,
    corner_points,
)
from codesign.simulation.sample import Job, run_sample, shard_path
from codesign.simulation.setting import Options, Setting, set_up
from codesign.simulation.traces import Traces, failed, read_traces, write_traces
from codesign.simulation.workers import Workers, worker_pool

Progress = Callable[[int, int, int], None]
Say = Callable[[str], None]
BIASES = ("design", "ideal", "tree", "both")


@dataclass(frozen=True)
class CornerOptions:
    """How to simulate points; None takes the value of the run's flow.

    ``bias``: "design" takes the design's own reference, "both" the ideal and the on-chip one.
    ``batched`` lets the batched engine advance the clips, characterised afresh at every point.
    """

    clips: int = CLIPS
    bias: str = "design"
    selection: Selection = EVERYWHERE
    batched: bool = False
    jobs: int | None = None
    timeout_s: float | None = None
    pdk_root: Path | None = None
    fresh: bool = False


def simulate_corners(
    run: Run,
    options: CornerOptions,
    progress: Progress = lambda *_: None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Simulate clips of a run at the points of its process and compare them with the twin.

    Writes ``sim/corners`` (samples.parquet, points.parquet, cells.parquet, summary.json) and
    returns the summary. It is of all points and conditions that are finished, whatever part was
    wanted now. ``progress`` is called with (done, total, failed) samples; ``say`` with what a
    user should know meanwhile.

    Raises InputError (no model or design, an unknown point, a unit current no reference gives),
    EnvironmentMissing.
    """
    started = monotonic()
    setting = set_up(
        run,
        Options(
            clips=options.clips, jobs=options.jobs, timeout_s=options.timeout_s,
            pdk_root=options.pdk_root,
        ),
    )  # fmt: skip
    conditions = _conditions(options.bias, setting)
    circuits = corner_circuits(setting.exported, setting.point, conditions)
    plan = _plan(setting, circuits, conditions, options)
    folder = run.sim_dir(CORNERS_PLAN)
    with only_writer(folder):
        return _simulate(setting, plan, circuits, options, progress, say, started)


def _simulate(
    setting: Setting, plan: CornerPlan, circuits: CornerCircuits, options: CornerOptions,
    progress: Progress, say: Say, started: float,
) -> dict[str, Any]:  # fmt: skip
    folder, conditions = setting.run.sim_dir(CORNERS_PLAN), plan.conditions
    _prepare(setting, plan, folder, options.fresh)
    engine = "batched" if options.batched else "ngspice"
    say("measuring the reference") if "tree" in {bias_of(c) for c in conditions} else None
    work = CornerWork(setting, plan, circuits, folder, engine)
    work.measure_references()
    with worker_pool(setting.workers) as executor:
        cells = CellJobs.submit(executor, circuits, plan, work.reference)
        if options.batched:
            _run_batched(work, progress, say)
        else:
            _run_ngspice(work, executor, progress)
        cell_table = cells.table(folder, setting.yardstick)
    figures = write_corner_tables(work, cell_table)
    figures |= {
        "plan": CORNERS_PLAN, "pvt_engine": engine, "clips": len(plan.clips),
        "clip_ids": list(plan.clip_ids), "pdk": setting.point.pdk.name,
        "pdk_sha256": setting.point.pdk.sha256, "ngspice": setting.point.ngspice_version,
        "supply_v": setting.exported.hardware.supply_v,
        "unit_current_a": setting.exported.hardware.unit_current_a,
        "reference": None if circuits.sizes is None else asdict(circuits.sizes),
        "wall_s": monotonic() - started,
    }  # fmt: skip
    write_json(folder / "summary.json", figures)
    return figures


def _conditions(bias: str, setting: Setting) -> tuple[str, ...]:
    wanted = setting.exported.hardware.bias if bias == "design" else bias
    return tuple(c for c in CONDITIONS if wanted == "both" or bias_of(c) == wanted)


def _plan(
    setting: Setting, circuits: CornerCircuits, conditions: tuple[str, ...], options: CornerOptions
) -> CornerPlan:
    points = corner_points(setting.exported.hardware.supply_v)
    same, seed = setting.plan, setting.plan.run_seed
    made = [library_text("bias.cir")]
    return CornerPlan(
        digest=corner_digest(design_digest(setting.exported), made, same.clips, seed),
        run_seed=seed,
        clips=same.clips,
        clip_ids=same.clip_ids,
        labels=same.labels,
        points=points,
        conditions=conditions,
        wanted=options.selection.of(points),
    )


def _prepare(setting: Setting, plan: CornerPlan, folder: Path, fresh: bool) -> None:
    """The plan's folder; samples of another plan are removed, those of this one are kept."""
    try:
        if fresh or existing_digest(setting.run, plan.name) not in (None, plan.digest):
            shutil.rmtree(folder, ignore_errors=True)
        for name in ("shards", "logs", "work"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    (folder / "summary.json").unlink(missing_ok=True)
    facts = {"samples_wanted": plan.total, "design": design_digest(setting.exported)}
    write_json(folder / "plan.json", asdict(plan) | facts)


def _run_ngspice(work: CornerWork, workers: Workers, progress: Progress) -> None:
    """Run what is not there yet, one process per sample."""
    setting, plan, folder = work.setting, work.plan, work.folder.resolve()
    inputs, files = setting.inputs_units(), work.circuits.write(folder)
    done = broken = 0

    def count(status: str) -> None:
        nonlocal done, broken
        done, broken = done + 1, broken + (status != "ok")
        progress(done, plan.total, broken)

    waiting: list[Task[str]] = []
    for condition in plan.conditions:
        for point in plan.wanted:
            reference = work.reference(condition, point)
            hw = work.circuits.hardware(condition, point, reference)
            bench = bench_at(setting.bench, work.circuits, files[hw.bias], hw)
            for number in plan.samples(condition, point).tolist():
                kept = read_traces(shard_path(folder, number))
                if kept is not None:
                    count(kept.status[0])
                    continue
                planned = plan.sample(number)
                if hw.bias == "tree" and reference is None:
                    count(_no_reference(work, number))
                    continue
                job = Job(bench, planned, inputs[planned.clip], folder, keep_waves=False)
                waiting.append(Task(number, partial(run_sample, job)))
    for number, end in run_tasks(workers, iter(waiting)):
        if isinstance(end, Died):
            write_traces(shard_path(folder, number), _died(work, number, end.message))
        count("crashed" if isinstance(end, Died) else end)


def _died(work: CornerWork, number: int, message: str) -> Traces:
    shape, frames = work.setting.bench.shape, work.setting.yardstick.timing.frames
    return failed(number, shape, frames, "crashed", message, "", 0.0)


def _no_reference(work: CornerWork, number: int) -> str:
    """The shard of a sample whose reference has no operating point."""
    status, frames = "no_convergence", work.setting.yardstick.timing.frames
    message = "the reference has no operating point at this point of the process"
    traces = failed(number, work.setting.bench.shape, frames, status, message, "", 0.0)
    write_traces(shard_path(work.folder, number), traces)
    return status


def _run_batched(work: CornerWork, progress: Progress, say: Say) -> None:
    done = broken = 0
    for condition in work.plan.conditions:
        for point in work.plan.wanted:
            traces = point_traces(
                work.setting, work.circuits, work.plan, condition, point,
                work.reference(condition, point), say,
            )  # fmt: skip
            done, broken = done + len(traces.sample), broken + int((~traces.ok).sum())
            progress(done, work.plan.total, broken)
