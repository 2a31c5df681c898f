"""Simulate a design: plan, workers, tables, figures. What is finished stays finished."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.agreement import Comparison, Judge, compare
from codesign.analysis.summary import TARGETS, summarise, verdict
from codesign.checkpoint import Model, load_model
from codesign.circuit.timing import Timing
from codesign.errors import InputError
from codesign.files import atomic_path, unwritable, write_json
from codesign.mapping.design import count_mapping
from codesign.mapping.exported import Exported, load_exported
from codesign.pdk import Pdk, find_pdk
from codesign.pdk.links import spice_path
from codesign.runs import Run
from codesign.simulation.hysteresis import measure_cells
from codesign.simulation.plan import Plan, existing_digest, make_plan, write_plan
from codesign.simulation.sample import Ending, Job, read_shard, run_sample
from codesign.simulation.workers import worker_pool
from codesign.spice.ngspice import find_ngspice, ngspice_version
from codesign.testset import load_test_split
from codesign.twin.ideal import ideal_twin

# Waveforms of more samples than this are not worth their disk space.
WAVES_KEPT = 64


@dataclass(frozen=True)
class Options:
    """How to simulate; None takes the value of the run's flow."""

    clips: int | None = None
    jobs: int | None = None
    timeout_s: float | None = None
    min_agreement: float | None = None
    pdk_root: Path | None = None
    fresh: bool = False


Progress = Callable[[int, int, Ending | None], None]


def simulate(
    run: Run, options: Options = Options(), progress: Progress = lambda *_: None
) -> dict[str, Any]:
    """Simulate test clips of a run at transistor level and compare them with the ideal twin.

    Writes ``sim/nominal`` and returns its summary. Samples that a former call finished on the
    same circuit are kept. ``progress`` is called with (done, total, ending).

    Raises InputError (no model or design, or they do not fit), EnvironmentMissing.
    """
    started = monotonic()
    model, exported = load_model(run), load_exported(run)
    settings = run.flow().simulation
    clips = load_test_split(run)
    ngspice = find_ngspice()
    pdk = find_pdk(exported.hardware.pdk, options.pdk_root)
    if pdk.sha256 != exported.facts["pdk"]["sha256"]:
        raise InputError(
            f"The design was made with other model files of '{pdk.name}' than the ones found in "
            f"{pdk.root}; make it again with 'codesign export-netlist' or name the same "
            "installation with --pdk-root."
        )
    plan = make_plan(exported, clips, options.clips or settings.clips, run.flow().seed)
    folder = _prepare(run, plan, options.fresh)
    timing = Timing(
        exported.hardware.frame_s, exported.hardware.edge_s, clips.inputs.shape[1],
        exported.shape.layers,
    )  # fmt: skip
    jobs = [
        Job(
            planned=planned,
            inputs_units=clips.inputs[planned.clip].double().numpy(),
            shape=exported.shape,
            hardware=exported.hardware,
            network_file=spice_path(exported.network_file.resolve()),
            pdk_header=pdk.header(exported.hardware.corner),
            ngspice=ngspice,
            folder=folder.resolve(),
            timeout_s=options.timeout_s or settings.timeout_s,
            keep_waves=len(plan.samples) <= WAVES_KEPT,
        )
        for planned in plan.samples
    ]
    workers = options.jobs or settings.jobs or os.cpu_count() or 1
    parameters = model_parameters(model)
    with worker_pool(workers) as executor:
        loops = executor.submit(
            measure_cells,
            exported,
            parameters,
            pdk.header(exported.hardware.corner),
            ngspice,
            folder,
        )
        for done, ending in enumerate(_run_jobs(executor, jobs), start=1):
            progress(done, len(jobs), ending)
        loops.result()
    judge = Judge(exported.shape, parameters, model.decision, settings.near_tie_units)
    comparison = _compare(judge, plan, clips.inputs.double().numpy(), folder, timing)
    figures = summarise(comparison)
    figures |= _facts(exported, pdk, ngspice, timing, options, judge)
    figures["verdict"] = verdict(figures)
    figures["wall_s"] = monotonic() - started
    _write(folder, comparison, figures)
    return figures


def model_parameters(model: Model) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Parameters of a model as double precision arrays."""
    return {
        key: np.asarray(value.detach().double().numpy())
        for key, value in model.network.state_dict().items()
    }


def _prepare(run: Run, plan: Plan, fresh: bool) -> Path:
    """The plan's folder; samples of another circuit are removed, those of this one are kept."""
    folder = run.sim_dir(plan.name)
    try:
        if fresh or existing_digest(run, plan.name) not in (None, plan.digest):
            shutil.rmtree(folder, ignore_errors=True)
        for name in ("shards", "waves", "logs", "work"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    write_plan(run, plan)
    return folder


def _run_jobs(executor: Executor, jobs: list[Job]) -> Iterator[Ending]:
    """Endings as they come: first those already there, then those still to be run."""
    waiting = []
    for job in jobs:
        kept = read_shard(job.folder, job.planned.sample)
        if kept is None:
            waiting.append(executor.submit(partial(run_sample, job)))
        else:
            yield kept[0]
    for future in as_completed(waiting):
        yield future.result()


def _compare(
    judge: Judge,
    plan: Plan,
    inputs: np.ndarray[Any, np.dtype[np.float64]],
    folder: Path,
    timing: Timing,
) -> Comparison:
    chosen = inputs[[planned.clip for planned in plan.samples]]
    twins = ideal_twin(judge.parameters, chosen, judge.rule)
    endings, readings = [], []
    for planned in plan.samples:
        kept = read_shard(folder, planned.sample)
        assert kept is not None  # every job has left its shard by now
        endings.append(kept[0])
        readings.append(kept[1])
    return compare(judge, plan.samples, twins, endings, readings, timing)


def _facts(
    exported: Exported,
    pdk: Pdk,
    ngspice: Path,
    timing: Timing,
    options: Options,
    judge: Judge,
) -> dict[str, Any]:
    hw = exported.hardware
    return {
        "parameters_learned": int(sum(value.size for value in judge.parameters.values())),
        "parameter_rows": count_mapping(exported.mapping_file),
        "transistors": exported.facts["transistors"],
        "gate_area_m2": exported.facts["gate_area_m2"],
        "cell": hw.cell,
        "pdk": pdk.name,
        "pdk_sha256": pdk.sha256,
        "ngspice": ngspice_version(ngspice),
        "corner": hw.corner,
        "temperature_c": hw.temperature_c,
        "supply_v": hw.supply_v,
        "unit_current_a": hw.unit_current_a,
        "frame_s": hw.frame_s,
        "frames": timing.frames,
        "decision": judge.rule,
        "near_tie_units": judge.near_tie_units,
        "min_agreement": options.min_agreement,
        "targets": TARGETS,
    }


def _write(folder: Path, comparison: Comparison, figures: dict[str, Any]) -> None:
    tables: dict[str, pd.DataFrame] = {
        "samples": comparison.samples,
        "states": comparison.states,
        "logits": comparison.logits,
    }
    for name, table in tables.items():
        with atomic_path(folder / f"{name}.parquet") as path:
            table.to_parquet(path, index=False)
    write_json(folder / "summary.json", figures)
    work = folder / "work"
    if not any(work.iterdir()):
        work.rmdir()
