"""ngspice's word on the batched engine's noise: the same chip and clip with noise in both.

The two draw different numbers, so samples cannot be compared one by one, nor what followed from a
flip. What can be compared is how far candidates and logits scatter around the run without noise,
each in its own engine, over seeds, frames and cells.
"""

from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.noise import NoiseTally
from codesign.analysis.yardstick import Yardstick
from codesign.files import atomic_path
from codesign.simulation.engines import Batch
from codesign.simulation.noise_sources import STILL
from codesign.simulation.noisy import (
    drop_currents,
    read_still,
    renew_currents,
    still_folder,
    still_plan,
)
from codesign.simulation.plan import Plan
from codesign.simulation.sample import Bench, Job, run_sample, shard_path
from codesign.simulation.traces import Traces, join, read_traces

# Ratio of the two rms values beyond which the judge fails: four seeds leave some 15 %.
LIMIT = 1.5
SKIPPED: Mapping[str, Any] = {
    "judge_samples": 0,
    "judge_verdict": "skipped",
    "judge_reasons": [
        "samples with noise cannot be compared one by one: their scatter is (noise_judge_*)"
    ],
}


def judge_noise(
    batch: Batch,
    bench: Bench,
    yardstick: Yardstick,
    plan: Plan,
    folder: Path,
    executor: Executor,
    count: int,
) -> dict[str, Any]:
    """Run the plan's first chip and clip with up to ``count`` of its seeds in ngspice; compare.

    Writes noise_judge.parquet, one row per cell; finished runs, in ``folder/judge``, are kept.
    """
    first = plan.start - plan.start % plan.repeats
    samples = np.arange(first, first + plan.repeats, dtype=np.int64)
    ours = NoiseTally(yardstick)
    still = read_still(folder, plan, batch.key)(first)
    noisy = batch.run(samples)
    ours.add(noisy, still.take(np.zeros(len(samples), np.intp)), plan.rows(samples))
    theirs = NoiseTally(yardstick)
    chosen = samples[:count]
    found = _in_ngspice(bench, plan, batch, chosen, folder / "judge", executor)
    theirs.add(join(found[1:]), found[0].take(np.zeros(len(chosen), np.intp)), plan.rows(chosen))
    return _judged(ours, theirs, folder)


def _in_ngspice(
    bench: Bench, plan: Plan, batch: Batch, samples: Any, folder: Path, executor: Executor
) -> list[Traces]:
    """The run without noise, then those with."""
    still_folder(folder)
    for name in ("shards", "logs", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    quiet = still_plan(plan).sample(int(samples[0]) // plan.repeats)
    missing = [int(k) for k in samples if read_traces(shard_path(folder, int(k))) is None]
    renew_currents(plan, folder, missing)
    found = []
    for group in ([quiet], [plan.sample(int(sample)) for sample in samples]):
        waiting = []
        for planned in group:
            place = (folder / STILL if planned.noise_seed is None else folder).resolve()
            path = shard_path(place, planned.sample)
            if read_traces(path) is None:
                inputs = batch.inputs_units[planned.clip]
                job = Job(bench.at(planned.corner), planned, inputs, place, keep_waves=False)
                waiting.append(executor.submit(run_sample, job))
            found.append(path)
        for future in waiting:
            future.result()
    drop_currents(plan, folder)
    return [traces for path in found if (traces := read_traces(path)) is not None]


def _judged(ours: NoiseTally, theirs: NoiseTally, folder: Path) -> dict[str, Any]:
    keys = ["layer", "unit"]
    table = ours.units().merge(theirs.units(), on=keys, suffixes=("_batched", "_ngspice"))
    with atomic_path(folder / "noise_judge.parquet") as path:
        table.to_parquet(path, index=False)
    figures: dict[str, Any] = {"noise_judge_samples": len(theirs.rows)}
    reasons = []
    for name in ("candidate", "logit"):
        values = [_pooled(tally.samples(), name) for tally in (ours, theirs)]
        figures[f"noise_judge_{name}_rms_batched_units"] = values[0]
        figures[f"noise_judge_{name}_rms_ngspice_units"] = values[1]
        if not values[0] or not values[1]:
            reasons.append(f"no {name} could be compared")
            continue
        ratio = values[0] / values[1]
        figures[f"noise_judge_{name}_ratio"] = ratio
        if not 1 / LIMIT <= ratio <= LIMIT:
            reasons.append(
                f"the noise of the {name}s is {ratio:.2f} times that of ngspice; at most a factor "
                f"{LIMIT:g} is expected"
            )
    verdict = "fail" if reasons else "pass"
    return figures | {"noise_judge_verdict": verdict, "noise_judge_reasons": reasons}


def _pooled(samples: pd.DataFrame, name: str) -> float | None:
    good = samples[samples["compared"]]
    if good.empty or not good[f"{name}_count"].sum():
        return None
    return float(np.sqrt(good[f"{name}_square_units2"].sum() / good[f"{name}_count"].sum()))
