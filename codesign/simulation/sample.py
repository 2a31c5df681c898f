"""One sample: write its deck, run ngspice, read what the transistors did, keep it.

A finished sample is one parquet file, written atomically, that holds the values at the sampling
instant of every frame and, in its metadata, how the run ended. A sample that failed leaves the
same file with a status and no values, and its log.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from codesign.circuit import testbench as bench
from codesign.circuit.timing import Timing
from codesign.errors import InputError
from codesign.files import atomic_path, write_text
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.simulation.plan import PlannedSample
from codesign.spice.ngspice import Outcome, run_deck
from codesign.spice.rawfile import Plot

_META = b"codesign"
_RAW = "out.raw"


@dataclass(frozen=True)
class Job:
    """Everything a worker needs for one sample; inputs are (frames, channels) in units."""

    planned: PlannedSample
    inputs_units: NDArray[np.float64]
    shape: Shape
    hardware: HardwareSection
    network_file: Path
    pdk_header: str
    ngspice: Path
    folder: Path
    timeout_s: float
    keep_waves: bool

    @property
    def timing(self) -> Timing:
        return Timing(
            self.hardware.frame_s, self.hardware.edge_s, len(self.inputs_units), self.shape.layers
        )


@dataclass(frozen=True)
class Ending:
    """How a sample ended; powers in watt, averaged over the clip."""

    sample: int
    status: str
    message: str
    log: str
    wall_s: float
    mean_power_cells_w: float | None = None
    mean_power_feedforward_w: float | None = None
    mean_power_bias_w: float | None = None


def shard_path(folder: Path, sample: int) -> Path:
    return folder / "shards" / f"sample-{sample:05d}.parquet"


def waves_path(folder: Path, sample: int) -> Path:
    return folder / "waves" / f"sample-{sample:05d}.parquet"


def run_sample(job: Job) -> Ending:
    """Simulate one sample and write its shard, log and waves; never raises for a failed run."""
    number = job.planned.sample
    work = job.folder / "work" / f"sample-{number:05d}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "deck.cir").write_text(deck(job), encoding="utf-8")
    outcome = run_deck(job.ngspice, work, "deck.cir", _RAW, job.timeout_s)
    log = job.folder / "logs" / f"sample-{number:05d}.log"
    write_text(log, outcome.log)
    outcome = _complete(outcome, job)
    ending, readings = _read(job, outcome, str(log.relative_to(job.folder)))
    if outcome.status == "ok" and job.keep_waves:
        _write_parquet(waves_path(job.folder, number), _waves(job, outcome.plots[0]))
    _write_parquet(shard_path(job.folder, number), readings, asdict(ending))
    if ending.status == "ok":  # the deck of a failed sample is kept beside its log
        shutil.rmtree(work)
    return ending


def deck(job: Job) -> str:
    """The whole deck of a sample."""
    title = f"sample {job.planned.sample}, clip {job.planned.clip_id}, seed {job.planned.seed}"
    text = bench.bench_text(job.hardware, job.shape, job.timing, title, [str(job.network_file)])
    first, _, rest = text.partition("\n")
    stimulus = bench.stimulus(job.inputs_units.tolist(), job.timing, job.hardware.unit_current_a)
    return f"{first}\n{job.pdk_header}{rest}{stimulus}{bench.control(_RAW)}"


def _complete(outcome: Outcome, job: Job) -> Outcome:
    """A run that stopped early, or lacks a vector, is not a result."""
    if outcome.status != "ok":
        return outcome
    plot = outcome.plots[0]
    end = plot.scale[-1] if len(plot.scale) else 0.0
    missing = [name for name in bench.saved_vectors(job.shape) if name not in plot.names]
    if missing:
        message = f"the output lacks {missing[0]} ({len(missing)} vectors in all)"
    elif end < job.timing.stop_s * (1 - 1e-6):
        message = f"the run stopped at {end:.4g} s of {job.timing.stop_s:.4g} s"
    elif not np.isfinite(plot.values.real).all():
        message = "the output holds values that are not finite"
    else:
        return outcome
    return Outcome("missing_output", message, outcome.wall_s, outcome.log)


def _read(job: Job, outcome: Outcome, log: str) -> tuple[Ending, pd.DataFrame]:
    number = job.planned.sample
    empty = pd.DataFrame(
        {
            "kind": pd.Series(dtype="str"), "layer": pd.Series(dtype="int64"),
            "unit": pd.Series(dtype="int64"), "frame": pd.Series(dtype="int64"),
            "value_units": pd.Series(dtype="float64"),
        }
    )  # fmt: skip
    if outcome.status != "ok":
        ending = Ending(number, outcome.status, outcome.message, log, outcome.wall_s)
        return ending, empty
    plot = outcome.plots[0]
    times = job.timing.sample_times_s()
    parts = []
    for kind, layer, unit, vector in _probes(job.shape):
        values = np.interp(times, plot.scale, plot[vector]) / job.hardware.unit_current_a
        columns = {"kind": kind, "layer": layer, "unit": unit, "frame": range(len(times))}
        parts.append(pd.DataFrame({**columns, "value_units": values}))
    power = {
        block: float(np.trapezoid(_power_w(job, plot, block), plot.scale) / plot.scale[-1])
        for block in bench.SOURCES
    }
    ending = Ending(
        number, "ok", "", log, outcome.wall_s, power["cells"], power["feedforward"], power["bias"]
    )
    return ending, pd.concat(parts, ignore_index=True)


def _probes(shape: Shape) -> list[tuple[str, int, int, str]]:
    cells = [(la, un) for la in range(shape.layers) for un in range(shape.state_dim)]
    probes = [("candidate", la, un, bench.candidate_vector(la, un)) for la, un in cells]
    probes += [("state", la, un, bench.state_vector(la, un)) for la, un in cells]
    return probes + [("logit", -1, k, bench.logit_vector(k)) for k in range(shape.classes)]


def _power_w(job: Job, plot: Plot, block: str) -> NDArray[np.float64]:
    # ngspice counts the current into a source's positive terminal, so a supply's is negative.
    return -plot[bench.supply_vector(block)] * job.hardware.supply_v


def _waves(job: Job, plot: Plot) -> pd.DataFrame:
    columns: dict[str, NDArray[np.float64]] = {"time_s": plot.scale}
    for kind, layer, unit, vector in _probes(job.shape):
        name = f"logit.c{unit}_a" if kind == "logit" else f"{kind}.l{layer}.u{unit}_a"
        columns[name] = plot[vector]
    for layer in range(job.shape.layers):
        for unit in range(job.shape.state_dim):
            columns[f"v0.l{layer}.u{unit}_v"] = plot[bench.decision_vector(layer, unit)]
    for block in bench.SOURCES:
        columns[f"power.{block}_w"] = _power_w(job, plot, block)
    return pd.DataFrame(columns).astype({name: "float32" for name in columns if name != "time_s"})


def _write_parquet(path: Path, frame: pd.DataFrame, meta: dict[str, Any] | None = None) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if meta is not None:
        table = table.replace_schema_metadata({_META: json.dumps(meta).encode()})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_shard(folder: Path, sample: int) -> tuple[Ending, pd.DataFrame] | None:
    """A finished sample, or None when it has not run. InputError when its file is damaged."""
    path = shard_path(folder, sample)
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path)
        ending = Ending(**json.loads((table.schema.metadata or {})[_META]))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}); delete it and simulate again."
        ) from error
    return ending, table.to_pandas()
