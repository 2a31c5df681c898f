"""Simulate a design: plan, engine, tables, judge, figures. What is finished stays finished."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from codesign.analysis.agreement import Yardstick
from codesign.analysis.summary import root_figures, summarise, verdict
from codesign.errors import InputError
from codesign.files import unwritable, write_json
from codesign.runs import Run
from codesign.simulation.area import scaled_run
from codesign.simulation.aside import take_folder
from codesign.simulation.attempts import timing_figures
from codesign.simulation.cell_spread import measure_cell_spread
from codesign.simulation.drawn_chips import analyse_chips
from codesign.simulation.engines import (
    Batch,
    Engine,
    choose_engines,
    engine_devices,
    engines_key,
    groups,
    read_group,
    run_groups,
    wanted,
)
from codesign.simulation.execution import (
    Progress,
    continued_later,
    engine_asked,
    memory_figures,
    refuse_batched,
    run_ngspice,
    unfinished,
    workers_of,
)
from codesign.simulation.explain import explain
from codesign.simulation.facts import plan_facts
from codesign.simulation.hysteresis import measure_cells
from codesign.simulation.judge import judge
from codesign.simulation.limits import limits_of
from codesign.simulation.lock import only_writer
from codesign.simulation.manifest import write_manifest
from codesign.simulation.noise_judge import SKIPPED, judge_noise
from codesign.simulation.noise_study import NOISE_TABLES, study_noise
from codesign.simulation.noisy import (
    compare_with_still,
    cost_of_batched,
    cost_of_ngspice,
    drop_currents,
    renew_currents,
    still_folder,
    still_plan,
)
from codesign.simulation.noisy_engine import noisy_engines
from codesign.simulation.perturb import SIGMAS_UNITS, measure_suppression
from codesign.simulation.plan import (
    Plan,
    design_digest,
    existing_digest,
    write_plan,
)
from codesign.simulation.population import population_figures
from codesign.simulation.reference import Reference
from codesign.simulation.results import Results, write_tables
from codesign.simulation.retry import remove_leftovers
from codesign.simulation.sample import shard_path
from codesign.simulation.setting import DEFAULTS, Options, Setting, set_up
from codesign.simulation.traces import Traces, read_traces

__all__ = ["Options", "Progress", "Say", "simulate"]

Say = Callable[[str], None]
_OF_A_SUMMARY = (
    "summary.json", "manifest.json", "judge.json", "judge.parquet", "suppression.parquet",
)  # fmt: skip


def simulate(
    run: Run,
    options: Options = DEFAULTS,
    progress: Progress = lambda *_: None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Simulate test clips of a run at transistor level and compare them with a twin.

    Writes ``sim/nominal``, or ``sim/mc`` for chips with mismatch, and returns the summary.
    Samples that a former call finished on the same circuit are kept. ``progress`` is called with
    what ``Progress`` says; ``say`` with what a user should know meanwhile.

    Raises InputError (no model or design, or they do not fit; another command is writing the same
    results; the disk is full), EnvironmentMissing.
    """
    started = monotonic()
    run = scaled_run(run, options.area_scale, options.pdk_root, say)
    setting = set_up(run, options)
    asked = engine_asked(setting)
    with only_writer(setting.folder), continued_later(setting.folder, say):
        engines = choose_engines(asked, setting.plan.total, setting.exported, setting.points, say)
        if engines is not None:
            refuse_batched(setting)
        return _simulate(setting, engines, progress, say, started)


def _simulate(
    setting: Setting, engines: Mapping[str, Engine] | None, progress: Progress, say: Say,
    started: float,
) -> dict[str, Any]:  # fmt: skip
    plan, folder, options, worker_peak = setting.plan, setting.folder, setting.options, 0
    if plan.noise and engines is not None:
        engines = noisy_engines(engines, setting.points)
    key = None if engines is None else engines_key(engines)
    _prepare(setting, key, say)
    with workers_of(setting, say) as executor:
        # Cells as designed are measured once, with the nominal chip they belong to.
        loops = _measure_cells(executor, setting) if plan.chips is None else None
        batch = None if engines is None else _batch(setting, engines)
        if plan.noise:
            _run_still(executor, setting, batch, say)
        if batch is None:
            worker_peak = run_ngspice(executor, setting, progress)
            if plan.noise:
                drop_currents(plan, folder)
        else:
            _run_batched(batch, folder, progress)
        if loops is not None:
            loops.result()
        reference = Reference(setting)
        setting = replace(setting, yardstick=_with_limits(setting))
        results = write_tables(
            folder, setting.yardstick, plan, reference.rows, _shards(folder, plan, key),
            reference.network,
        )  # fmt: skip
        hardware = setting.exported.hardware
        results = explain(folder, setting.yardstick, hardware, results, batch)
        figures = summarise(results.samples, results.tally) | root_figures(results.roots)
        figures |= timing_figures(results.timings)
        figures |= plan_facts(setting, results) | _suppression(setting, batch, say)
        figures |= population_figures(setting, results.samples, _shards(folder, plan, key))
        figures |= measure_cell_spread(setting, say)
        figures |= analyse_chips(setting, lambda: _shards(folder, plan, key), batch, say)
        if plan.noise:
            figures |= compare_with_still(
                folder, setting.yardstick, plan, _shards(folder, plan, key), key
            )
            if options.jitter:
                design = design_digest(setting.exported)
                figures |= study_noise(setting, design, executor, options.jitter, say)
        figures |= {"engine": "ngspice" if batch is None else "batched"}
        figures |= {"twin": options.twin}
        if options.twin == "substepped":
            figures |= reference.prediction(_shards(folder, plan, key)).figures()
        if batch is not None:
            figures |= _judge(batch, setting, results, executor)
    figures["verdict"] = verdict(figures)
    figures["wall_s"] = monotonic() - started
    local = options.execution.scheduler is None
    figures |= memory_figures(figures, worker_peak, setting.workers if local else 0)
    write_manifest(folder, plan, figures["engine"], results)
    write_json(folder / "summary.json", figures)
    work = folder / "work"
    if not any(work.iterdir()):
        work.rmdir()
    return figures


def _prepare(setting: Setting, key: str | None, say: Say) -> None:
    """The plan's folder, with the samples of this plan; those of another are put aside."""
    run, plan, folder = setting.run, setting.plan, setting.folder
    found = existing_digest(run, plan.name)
    moved = take_folder(folder, plan.digest, found, setting.options.fresh)
    if moved is not None:
        say(f"The samples of another plan, in {folder}, are kept in {moved}.")
    try:
        for name in ("shards", "waves", "logs", "work"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    remove_leftovers(folder / "work")
    # A summary is of one plan and one engine: until there is a new one there is none.
    for name in (*_OF_A_SUMMARY, *(f"noise_{table}.parquet" for table in NOISE_TABLES)):
        (folder / name).unlink(missing_ok=True)
    name = "ngspice" if key is None else f"batched {key}"
    write_plan(run, plan, design_digest(setting.exported), name)


def _measure_cells(executor: Executor, setting: Setting) -> Any:
    hw = setting.exported.hardware
    return executor.submit(
        measure_cells,
        setting.exported,
        setting.yardstick.parameters,
        setting.point.pdk.header(hw.corner),
        setting.bench.ngspice,
        setting.folder,
    )


def _run_still(executor: Executor, setting: Setting, batch: Batch | None, say: Say) -> None:
    """The runs without noise that a plan with noise is made from; then what it will cost."""
    plan, folder = still_plan(setting.plan), still_folder(setting.folder)
    if batch is None:
        renew_currents(setting.plan, setting.folder, unfinished(setting))
        run_ngspice(executor, replace(setting, plan=plan, folder=folder), lambda *_: None)
        still = list(_shards(folder, plan, None))
        say(cost_of_ngspice(setting.plan, still, setting.workers))
    else:
        quiet = replace(batch, plan=plan)
        say(cost_of_batched(batch, quiet))
        _run_batched(quiet, folder, lambda *_: None)


def _batch(setting: Setting, engines: Mapping[str, Engine]) -> Batch:
    plan, bench = setting.plan, setting.bench
    return Batch(
        engines=engines,
        plan=plan,
        devices=engine_devices(engines[plan.corners[0]], bench.network.mosfets),
        law=bench.law,
        inputs_units=setting.inputs_units(),
        threads=setting.workers,
        strobe_power_w={corner: bench.at(corner).strobe_power_w for corner in plan.corners},
    )


def _run_batched(batch: Batch, folder: Path, progress: Progress) -> None:
    done = failed = 0
    for traces in run_groups(batch, folder):
        done, failed = done + len(traces.sample), failed + int((~traces.ok).sum())
        progress(done, len(batch.plan.samples), failed)


def _with_limits(setting: Setting) -> Yardstick:
    """The yardstick with what cells decide by, now that the nominal chip's were measured."""
    cells = None if setting.plan.chips is not None else setting.folder / "cells.json"
    law = None if setting.plan.chips is None else setting.bench.law
    exported, yardstick = setting.exported, setting.yardstick
    unrepresentable = exported.facts["unrepresentable"]
    return replace(
        yardstick,
        limits=limits_of(yardstick, exported.hardware, unrepresentable, cells, law),
    )


def _shards(folder: Path, plan: Plan, key: str | None) -> Iterator[Traces]:
    """The samples wanted now, in order, read one shard at a time."""
    if key is None:
        for index in plan.samples:
            yield _present(read_traces(shard_path(folder, index)), folder)
    else:
        for group in groups(plan):
            yield wanted(plan, _present(read_group(folder, plan, group, key), folder))


def _present(traces: Traces | None, folder: Path) -> Traces:
    if traces is None:
        raise InputError(f"Results in {folder} vanished while they were in use; simulate again.")
    return traces


def _suppression(setting: Setting, batch: Batch | None, say: Say) -> dict[str, Any]:
    """Error suppression of the nominal chip: as asked for, or where it costs next to nothing."""
    plan, asked = setting.plan, setting.options.suppression
    if plan.chips is not None or asked == () or (asked is None and batch is None):
        return {}
    if batch is None:
        engines = choose_engines("batched", plan.total, setting.exported, setting.points, say)
        assert engines is not None  # "batched" raises instead
        batch = _batch(setting, engines)
    sigmas = tuple(sorted(set(asked or SIGMAS_UNITS)))
    inputs = setting.inputs_units()[list(plan.clips)][plan.start : plan.stop]
    return measure_suppression(
        setting.folder, batch.engine, setting.yardstick, plan, inputs, sigmas, setting.workers
    )


def _judge(batch: Batch, setting: Setting, results: Results, executor: Executor) -> dict[str, Any]:
    count = setting.options.judge
    if count == 0:
        return {"judge_samples": 0, "judge_verdict": "skipped", "judge_reasons": []}
    if setting.plan.noise:
        return dict(SKIPPED) | judge_noise(
            batch, setting.bench, setting.yardstick, setting.plan, setting.folder, executor, count
        )
    return judge(
        batch, setting.bench, setting.yardstick, results.samples, setting.folder, executor, count
    )
