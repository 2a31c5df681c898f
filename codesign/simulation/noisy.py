"""A plan with device noise: its runs without noise, what it costs, what noise did.

``still`` is the same plan without noise, in a folder inside the plan's: one sample per corner, chip
and clip. In ngspice these runs leave the currents that the noise of the devices follows; in both
engines they are what the noisy samples are compared with.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.noise import clip_rows, noise_figures, tallied
from codesign.analysis.yardstick import Yardstick
from codesign.files import atomic_path
from codesign.simulation.engines import Batch, group_of, read_group
from codesign.simulation.noise_sources import STILL, currents_path
from codesign.simulation.plan import Plan
from codesign.simulation.sample import sample_name, shard_path
from codesign.simulation.traces import Traces, join, read_ends, read_traces

# Time of a sample with noise over that of its run without: CPU time of ngspice, one digits clip
# (d = 8, 8 frames), 10.6 s twice over 5.8 s, both without bypass (reports/noise/README.md).
NGSPICE_FACTOR = 1.8


def still_plan(plan: Plan) -> Plan:
    """The plan without noise: its samples that those wanted now are compared with."""
    return replace(
        plan,
        varied=replace(plan.varied, repeats=None),
        start=plan.start // plan.repeats,
        stop=-(-plan.stop // plan.repeats),
    )


def still_folder(folder: Path) -> Path:
    """Where the runs without noise are, made if need be."""
    for name in ("shards", "waves", "logs", "work"):
        (folder / STILL / name).mkdir(parents=True, exist_ok=True)
    return folder / STILL


def renew_currents(plan: Plan, folder: Path, waiting: Iterable[int]) -> None:
    """Have the runs without noise made again whose currents the noisy samples ``waiting`` need
    and that ``drop_currents`` has removed; all else about them comes out the same."""
    place = still_folder(folder)
    for index in sorted({sample // plan.repeats for sample in waiting}):
        shard = shard_path(place, index)
        end = read_ends(shard)
        there = currents_path(place, sample_name(index)).is_file()
        if end is not None and end[0] == "ok" and not there:
            shard.unlink()


def drop_currents(plan: Plan, folder: Path) -> None:
    """Remove the currents that the noise of ``plan`` followed, now that its samples are there: two
    bytes per device and tick, of use to nothing else."""
    for index in still_plan(plan).samples:
        currents_path(folder / STILL, sample_name(index)).unlink(missing_ok=True)
    place = currents_path(folder / STILL, "").parent
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()


def cost_of_batched(batch: Batch, quiet: Batch) -> str:
    """What a noisy plan will cost, from a few samples with and without noise, in words."""
    count = min(16, batch.plan.per_corner)
    samples = np.arange(count, dtype=np.int64)
    times = []
    quiet.run(samples[:1])  # the first call does what later ones need not
    for of, rows in ((quiet, np.zeros(count, dtype=np.int64)), (batch, samples)):
        started = monotonic()
        of.run(rows)
        times.append((monotonic() - started) / len(rows))
    total = len(batch.plan.samples)
    return _cost(total, times[1] / times[0], "measured on this machine", total * times[1])


def cost_of_ngspice(plan: Plan, still: list[Traces], workers: int) -> str:
    """The same in ngspice, from the samples without noise, which have been run."""
    each_s = float(np.mean(np.concatenate([traces.wall_s for traces in still])))
    total = len(plan.samples)
    wall_s = total * each_s * NGSPICE_FACTOR / min(workers, total)
    return _cost(total, NGSPICE_FACTOR, "measured on a digits network", wall_s)


def _cost(samples: int, factor: float, source: str, wall_s: float) -> str:
    return (
        f"noise: {samples} samples, each about {factor:.1f} times as long as one without noise "
        f"({source}): {f'{wall_s / 60:.1f} minutes' if wall_s >= 60 else f'{wall_s:.2g} seconds'}"
    )


def read_still(folder: Path, plan: Plan, key: str | None) -> Callable[[int], Traces]:
    """A reader of the run without noise of a sample of the noisy plan; it keeps the last group."""
    quiet, place = still_plan(plan), folder / STILL
    kept: dict[int, Traces] = {}

    def read(sample: int) -> Traces:
        index = sample // plan.repeats
        name = index if key is None else group_of(quiet, index)
        if name not in kept:
            kept.clear()
            found = (
                read_traces(shard_path(place, index))
                if key is None
                else read_group(place, quiet, name, key)
            )
            assert found is not None  # the plan's own runs were made before
            kept[name] = found
        return kept[name].take(kept[name].sample == index)

    return read


def compare_with_still(
    folder: Path, yardstick: Yardstick, plan: Plan, shards: Iterator[Traces], key: str | None
) -> dict[str, Any]:
    """Write noise_samples, noise_clips and noise_units.parquet; the figures of the summary."""
    read = read_still(folder, plan, key)

    def pairs() -> Iterator[tuple[Traces, Traces, pd.DataFrame]]:
        for traces in shards:
            still = join([read(int(sample)) for sample in traces.sample])
            yield traces, still, plan.rows(traces.sample)

    tally = tallied(yardstick, pairs())
    samples, units = tally.samples(), tally.units()
    tables = {"samples": samples, "clips": clip_rows(samples), "units": units}
    for name, table in tables.items():
        with atomic_path(folder / f"noise_{name}.parquet") as path:
            table.to_parquet(path, index=False)
    return {"noise_seeds": plan.repeats} | noise_figures(samples, units)
