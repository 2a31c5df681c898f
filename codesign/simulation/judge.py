"""The judge: some samples of every batched run are simulated again in ngspice, and compared.

The samples are the nominal chip (run for this purpose if the plan is of chips with mismatch), the
two whose decision is closest to a flip, and others at random, in ngspice with the same draws.
ngspice judges with its exact options: what it usually saves by bypassing devices costs 0.1 % of the
currents, as much as the batched engine's own error.

``codesign.analysis.engines`` says what is compared and how far it may differ.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.agreement import Yardstick
from codesign.analysis.engines import (
    TOLERANCES,
    Bools,
    Chosen,
    Marginal,
    compare_engines,
    judged,
)
from codesign.circuit.testbench import EXACT_OPTIONS
from codesign.errors import InputError
from codesign.files import atomic_path, write_json
from codesign.simulation.draws import Draws
from codesign.simulation.engines import GROUP, Batch, read_sample, run_nominal
from codesign.simulation.plan import PlannedSample, sample_seed
from codesign.simulation.sample import Bench, Job, run_sample, shard_path
from codesign.simulation.traces import Traces, join, read_traces

# Change of one mirror's current under which a difference counts as marginal.
MIRROR_CHANGE = 0.005
_CLOSEST = 2


def choose_samples(batch: Batch, samples: pd.DataFrame, count: int) -> list[Chosen]:
    """``count`` samples, or as many as there are: nominal, random, and closest to a flip.

    ``samples`` is the plan's table; ties are broken by the sample's number.
    """
    plan = batch.plan
    ok = samples[samples["status"] == "ok"]
    nominal = plan.nominal() if plan.chips is not None else plan.sample(plan.start)
    left = ok.sort_values(["chip_margin_units", "sample"])["sample"].tolist()
    left = [sample for sample in left if sample != nominal.sample]
    close = left[: min(_CLOSEST, max(0, count - 1))]
    rest = sorted(left[len(close) :], key=lambda sample: sample_seed(plan.run_seed, sample))
    picked = [("random", sample) for sample in rest[: max(0, count - 1 - len(close))]]
    picked += [("closest", sample) for sample in close]
    chosen = [Chosen(kind, plan.sample(int(sample))) for kind, sample in picked]
    return [Chosen("nominal", nominal), *chosen]


def judge(
    batch: Batch,
    bench: Bench,
    yardstick: Yardstick,
    samples: pd.DataFrame,
    folder: Path,
    executor: Executor,
    count: int,
    marginal: Marginal | None = None,
) -> dict[str, Any]:
    """Compare ``count`` samples of a batched run with ngspice; the figures, under stable names.

    Writes judge.json and judge.parquet into the plan's ``folder``; finished ngspice runs, in
    ``folder/judge``, are kept.
    """
    chosen = choose_samples(batch, samples, count)
    bench = replace(bench, options=EXACT_OPTIONS)
    reference = _reference(batch, bench, chosen, folder / "judge", executor)
    batched = join([_batched(batch, item.planned, folder) for item in chosen])
    rows, sums = compare_engines(
        yardstick, chosen, reference, batched, marginal or one_mirror(batch, yardstick)
    )
    figures = judged(rows, sums)
    with atomic_path(folder / "judge.parquet") as path:
        rows.to_parquet(path, index=False)
    write_json(folder / "judge.json", figures | {"tolerances": asdict(TOLERANCES)})
    return figures


def _reference(
    batch: Batch, bench: Bench, chosen: Sequence[Chosen], folder: Path, executor: Executor
) -> Traces:
    """The chosen samples in ngspice, in order."""
    for name in ("shards", "logs", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    waiting = []
    for planned in (item.planned for item in chosen):
        if read_traces(shard_path(folder, planned.sample)) is None:
            inputs = batch.inputs_units[planned.clip]
            job = Job(bench.at(planned.corner), planned, inputs, folder.resolve(), keep_waves=False)
            waiting.append(executor.submit(run_sample, job))
    for future in waiting:
        future.result()
    found = [read_traces(shard_path(folder, item.planned.sample)) for item in chosen]
    return join([traces for traces in found if traces is not None])


def _batched(batch: Batch, planned: PlannedSample, folder: Path) -> Traces:
    if planned.sample < 0:
        return run_nominal(batch, batch.plan.clips.index(planned.clip))
    traces = read_sample(folder, batch.plan, planned.sample, batch.key)
    if traces is None:
        raise InputError(
            f"A finished part of {folder} was changed while it was in use; simulate again."
        )
    return traces


def one_mirror(batch: Batch, yardstick: Yardstick) -> Marginal:
    """Whether the batched engine finds ngspice's states and decision when one device carries a
    little more, or less, current; chips with such a change are run together, until all is found."""
    half_a = yardstick.cells("alpha")[:, :, None] / 2 * yardstick.unit_current_a

    def marginal(
        planned: PlannedSample, states: Bools, differs: Bools, decision: int
    ) -> tuple[Bools, bool]:
        if planned.chip_seed is None:
            count = len(batch.devices)
            own = Draws(batch.engine.instances, np.zeros((1, count)), np.ones((1, count)))
        else:
            own = batch.draws([planned.chip_seed])
        engine = batch.engines[planned.corner or batch.plan.corners[0]]
        changes = [
            (device, 1 + sign * MIRROR_CHANGE)
            for device in range(len(own.instances))
            for sign in (1, -1)
        ]
        inputs = batch.inputs_units[[planned.clip]]
        found, reached = ~differs, False
        for start in range(0, len(changes), GROUP):
            part = changes[start : start + GROUP]
            mulu0 = np.repeat(own.mulu0, len(part), axis=0)
            for row, (device, factor) in enumerate(part):
                mulu0[row, device] *= factor
            delvto_v = np.repeat(own.delvto_v, len(part), axis=0)
            result = engine.run(
                inputs, np.zeros(len(part), np.int64), Draws(own.instances, delvto_v, mulu0),
                np.arange(len(part)), threads=batch.threads,
            )  # fmt: skip
            found |= ((np.asarray(result.states_a) > half_a) == states).any(axis=0)
            logits = np.asarray(result.logits_a, dtype=np.float64) / yardstick.unit_current_a
            reached = reached or bool((yardstick.decide(logits) == decision).any())
            if found.all() and reached:
                break
        return found, reached

    return marginal
