"""From shards to tables: block by block, so that memory does not grow with the plan.

samples.parquet has every sample, timings.parquet what it took on this machine and units.parquet the
sums over states of every cell.

states.parquet and logits.parquet are complete for plans of up to ``STATE_ROWS`` states; of larger
ones they hold the states that differ and the logits of samples whose decision differs, up to as
many rows again.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from codesign.analysis.agreement import Comparison, Twins, Yardstick, compare
from codesign.analysis.tally import Tally
from codesign.files import atomic_path
from codesign.simulation.attempts import timing_rows
from codesign.simulation.plan import Plan
from codesign.simulation.traces import Traces, join

STATE_ROWS = 2_000_000
# States compared at once: some hundred megabytes at most.
_BLOCK_STATES = 500_000


@dataclass(frozen=True)
class Results:
    """Every sample, where disagreements began, what all adds up to, what the tables hold.

    ``followers``: how many states differ because of each root, itself included, by (sample, frame,
    layer, unit) of the root.
    """

    samples: pd.DataFrame
    roots: pd.DataFrame
    followers: "pd.Series[int]"
    timings: pd.DataFrame
    tally: Tally
    states_in_table: str
    logits_in_table: str


def write_tables(
    folder: Path, yardstick: Yardstick, plan: Plan, twins: Callable[[pd.DataFrame], Twins],
    shards: Iterable[Traces], network: Callable[[pd.DataFrame], Twins] | None = None,
) -> Results:  # fmt: skip
    """Compare ``shards`` with their ``twins`` (one per row of ``Plan.rows``), write the tables.

    ``network`` gives the ideal twins where ``twins`` are others.
    """
    per_sample = yardstick.shape.layers * yardstick.shape.state_dim * yardstick.timing.frames
    every = len(plan.samples) * per_sample <= STATE_ROWS
    samples, roots, followers, timings, tally = [], [], [], [], Tally()
    with ExitStack() as stack:
        tables = {
            name: _Table(stack.enter_context(atomic_path(folder / f"{name}.parquet")))
            for name in ("states", "logits")
        }
        for traces in _blocks(shards, max(1, _BLOCK_STATES // per_sample)):
            planned = plan.rows(traces.sample)
            part: Comparison = compare(
                yardstick, planned, twins(planned), traces, every,
                network and network(planned),
            )  # fmt: skip
            samples.append(part.samples)
            roots.append(part.roots)
            timings.append(timing_rows(traces))
            followers.append(_followers(part.states))
            tally = tally + part.tally
            tables["states"].write(part.states, every)
            tables["logits"].write(part.logits, every)
        for table in tables.values():
            table.close()
    joined = pd.concat(samples, ignore_index=True)
    took = pd.concat(timings, ignore_index=True)
    tabled = (("samples", joined), ("timings", took), ("units", tally.units_table()))
    for name, frame in tabled:
        with atomic_path(folder / f"{name}.parquet") as path:
            frame.to_parquet(path, index=False)
    described = [
        "all" if every else f"{kind}{tables[name].limit}"
        for name, kind in (("states", "differing"), ("logits", "of decisions that differ"))
    ]
    began = pd.concat(roots, ignore_index=True)
    return Results(joined, began, pd.concat(followers), took, tally, *described)


def _followers(states: pd.DataFrame) -> "pd.Series[int]":
    wrong = states[~states["agree"]]
    keys = [wrong["sample"], *(wrong[f"root_{name}"] for name in ("frame", "layer", "unit"))]
    return wrong.groupby(keys).size()


def _blocks(shards: Iterable[Traces], rows: int) -> Iterator[Traces]:
    """The samples of ``shards`` in order, in blocks of at most ``rows``."""
    waiting: list[Traces] = []
    count = 0
    for shard in shards:
        waiting.append(shard)
        count += len(shard.sample)
        if count >= rows:
            whole = join(waiting)
            full = count - count % rows
            for start in range(0, full, rows):
                yield whole.take(_span(start, start + rows))
            waiting, count = [whole.take(_span(full, count))], count - full
    if count:
        yield join(waiting)


def _span(start: int, stop: int) -> NDArray[np.intp]:
    return np.arange(start, stop, dtype=np.intp)


class _Table:
    """A parquet file that grows by blocks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self._rows = 0
        self.limit = ""

    def write(self, block: pd.DataFrame, every: bool) -> None:
        """Append rows; unless ``every`` row belongs here, no more than ``STATE_ROWS`` in all."""
        room = len(block) if every else STATE_ROWS - self._rows
        if room < len(block):
            self.limit = f", the first {STATE_ROWS}"
        table = pa.Table.from_pandas(block.iloc[:room], preserve_index=False)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)
        self._rows += table.num_rows

    def close(self) -> None:
        assert self._writer is not None  # a plan has samples
        self._writer.close()
