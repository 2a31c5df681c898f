"""One sample in ngspice: write its deck, run it, read what the transistors did, keep it.

A nominal sample is the hierarchical netlist as exported; one of a chip with mismatch is the same
network written flat, every transistor with its draws. Both are read by the same names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from codesign.circuit import testbench as bench
from codesign.circuit.elements import Mosfet
from codesign.circuit.flat import FlatNetwork, flat_text
from codesign.circuit.timing import StrobeEdges, Timing
from codesign.files import atomic_path, unwritable, write_text
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.pdk.adapter import MismatchLaw
from codesign.simulation.draws import Draws, draw_mismatch
from codesign.simulation.noise_sources import (
    STILL,
    NoiseLaw,
    StillMissing,
    current_vectors,
    currents_path,
    noise_lines,
    read_currents,
    write_currents,
)
from codesign.simulation.plan import PlannedSample
from codesign.simulation.readout import Readout
from codesign.simulation.retry import (
    Tried,
    climb,
    keep_files,
    remove_kept,
    working_folder,
)
from codesign.simulation.traces import Traces, failed, write_traces
from codesign.spice.ngspice import Outcome, run_deck

_RAW = "out.raw"


@dataclass(frozen=True)
class CornerModels:
    """What a corner of the process changes: the models, and what the strobe generator draws."""

    pdk_header: str
    strobe_power_w: float


@dataclass(frozen=True)
class Bench:
    """What all ngspice samples of a design share.

    ``network`` is its flat form, ``models`` the PDK's model names by polarity and ``law`` its
    mismatch; ``options`` the simulator's. The strobe generator is ``strobe_file`` where it is
    simulated; ``strobe_power_w`` is its power where it is not, and ``edges`` are then those of the
    strobes if not the ideal ones. Its transistors have no mismatch. ``corners`` are those, beside
    the hardware's own, that a plan has. ``timeout_s`` and ``memory_limit_bytes`` bound every run of
    the simulator. ``noise`` is that of the devices by corner, of plans with device noise, whose
    runs without it (``simulation.noisy``) leave their currents.
    """

    shape: Shape
    hardware: HardwareSection
    network_file: Path
    network: FlatNetwork
    models: dict[str, str]
    law: MismatchLaw
    pdk_header: str
    ngspice: Path
    timeout_s: float
    options: str = bench.TRANSIENT_OPTIONS
    strobe_file: Path | None = None
    strobe_power_w: float = 0.0
    edges: StrobeEdges | None = None
    corners: Mapping[str, CornerModels] = field(default_factory=dict)
    memory_limit_bytes: int | None = None
    noise: Mapping[str, NoiseLaw] = field(default_factory=dict)

    @property
    def noise_law(self) -> NoiseLaw | None:
        """Device noise at the bench's corner; None where the plan has none."""
        return self.noise.get(self.hardware.corner)

    def connected(self) -> FlatNetwork:
        """The flat network with the nodes of the deck."""
        nodes = bench.connections(self.hardware, self.shape)
        return self.network.at(bench.INSTANCE, nodes)

    def at(self, corner: str | None) -> "Bench":
        """The bench at a corner of the process; None is the hardware's own."""
        if corner is None or corner == self.hardware.corner:
            return self
        models = self.corners[corner]
        return replace(
            self,
            hardware=self.hardware.model_copy(update={"corner": corner}),
            pdk_header=models.pdk_header,
            strobe_power_w=models.strobe_power_w,
        )


@dataclass(frozen=True)
class Job:
    """Everything a worker needs for one sample; inputs are (frames, channels) in units.

    Deck, raw file and log of a sample that failed are kept in the folder ``work``, with
    ``keep_files`` those of every sample.
    """

    bench: Bench
    planned: PlannedSample
    inputs_units: NDArray[np.float64]
    folder: Path
    keep_waves: bool
    keep_files: bool = False

    @property
    def timing(self) -> Timing:
        hw = self.bench.hardware
        return Timing(hw.frame_s, hw.edge_s, len(self.inputs_units), self.bench.shape.layers)

    @property
    def readout(self) -> Readout:
        shared = self.bench
        return Readout(shared.shape, shared.hardware, self.timing, shared.strobe_power_w)

    @property
    def noisy(self) -> bool:
        return self.planned.noise_seed is not None


def sample_name(sample: int) -> str:
    """How a sample's files are called; the nominal chip beside a plan's own is -1."""
    return "nominal" if sample < 0 else f"sample-{sample:05d}"


def shard_path(folder: Path, sample: int) -> Path:
    return folder / "shards" / f"{sample_name(sample)}.parquet"


def waves_path(folder: Path, sample: int) -> Path:
    return folder / "waves" / f"{sample_name(sample)}.parquet"


def run_sample(job: Job) -> str:
    """Simulate one sample and write its shard, log and waves; never raises for a failed run.

    Returns the status. Raises InputError where the folder cannot be written, as on a full disk.
    """
    return run_counted(job)[0]


def run_counted(job: Job) -> tuple[str, int]:
    """As ``run_sample``; returns the status and how often the simulator was run."""
    try:
        tried = _run_sample(job)
    except OSError as error:
        raise unwritable(job.folder, error) from error
    return tried.outcome.status, len(tried.attempts)


def _run_sample(job: Job) -> Tried:
    number = job.planned.sample
    name, works = sample_name(number), job.folder / "work"
    with working_folder(works, name) as work:
        try:
            tried = climb(deck(job), partial(_attempt, job, work))
        except StillMissing as error:
            tried = climb("", partial(_without_currents, str(error)))
        status = tried.outcome.status
        log = job.folder / "logs" / f"{name}.log"
        write_text(log, tried.log)
        traces = _read(job, tried, str(log.relative_to(job.folder)))
        if status == "ok" and (law := job.bench.noise_law) and not job.noisy:
            connected, stop_s = job.bench.connected().mosfets, job.timing.stop_s
            path = currents_path(job.folder, name)
            write_currents(path, tried.outcome.plots[0], connected, law.tick_s, stop_s)
        if status == "ok" and job.keep_waves:
            table = pa.Table.from_pandas(
                job.readout.waves(tried.outcome.plots[0]), preserve_index=False
            )
            with atomic_path(waves_path(job.folder, number)) as temporary:
                pq.write_table(table, temporary, compression="zstd")
        remove_kept(works, name)
        if status != "ok" or job.keep_files:  # the deck of a failed sample is kept beside its log
            keep_files(work)
        write_traces(shard_path(job.folder, number), traces)
    return tried


def _attempt(job: Job, work: Path, name: str, text: str) -> Outcome:
    (work / name).write_text(text, encoding="utf-8")
    shared = job.bench
    outcome = run_deck(
        shared.ngspice, work, name, _RAW, shared.timeout_s, shared.memory_limit_bytes
    )
    return job.readout.complete(outcome)


def _without_currents(why: str, _name: str, _text: str) -> Outcome:
    """A noisy sample whose run without noise failed is not run."""
    return Outcome("missing_output", why, 0.0, why)


def deck(job: Job) -> str:
    """The whole deck of a sample."""
    planned, shared = job.planned, job.bench
    title = f"sample {planned.sample}, clip {planned.clip_id}, seed {planned.seed}"
    includes: list[str] = []
    network: str | None = None
    if planned.chip_seed is not None:
        title += f", chip {planned.chip} of seed {planned.chip_seed}"
        draws = draw_mismatch(shared.network.mosfets, shared.law, [planned.chip_seed])
        network = flat_network_text(shared, draws)
    elif shared.noise_law is not None:
        network = flat_network_text(shared, nominal_draws(shared.network.mosfets))
    else:
        includes.append(str(shared.network_file))
    if shared.strobe_file is not None:
        includes.append(str(shared.strobe_file))
    text = bench.bench_text(
        shared.hardware, shared.shape, job.timing, title, includes, network, shared.options,
        shared.edges,
    )  # fmt: skip
    first, _, rest = text.partition("\n")
    unit_a = shared.hardware.unit_current_a
    stimulus = bench.stimulus(job.inputs_units.tolist(), job.timing, unit_a)
    stimulus += _noise_text(job)
    return f"{first}\n{shared.pdk_header}{rest}{stimulus}{bench.control(_RAW)}"


def _noise_text(job: Job) -> str:
    """The noise sources of a noisy sample; of its run without, the currents that are to be kept."""
    law, shared, planned = job.bench.noise_law, job.bench, job.planned
    if law is None:
        return ""
    connected = shared.connected().mosfets
    if planned.noise_seed is None:
        return "".join(f".save {vector}\n" for vector in current_vectors(connected))
    still = currents_path(job.folder / STILL, sample_name(planned.sample // law.repeats))
    return noise_lines(
        law, shared.network.mosfets, connected, read_currents(still), planned.noise_seed
    )


def nominal_draws(devices: Sequence[Mosfet]) -> Draws:
    """A chip without deviations."""
    count = len(devices)
    instances = tuple(device.name for device in devices)
    return Draws(instances, np.zeros((1, count)), np.ones((1, count)))


def flat_network_text(shared: Bench, draws: Draws, row: int = 0) -> str:
    """The network connected to the bench, with the draws of chip ``row``."""
    return flat_text(shared.connected(), shared.models, draws.delvto_v[row], draws.mulu0[row])


def _read(job: Job, tried: Tried, log: str) -> Traces:
    number, shape, frames = job.planned.sample, job.bench.shape, len(job.inputs_units)
    outcome, memory = tried.outcome, tried.peak_memory_bytes
    if outcome.status != "ok":
        return failed(
            number, shape, frames, outcome.status, tried.message, log, tried.wall_s, tried.text(),
            memory,
        )  # fmt: skip
    candidates, states, logits, power = job.readout.values(outcome.plots[0])
    return Traces(
        np.array([number], dtype=np.int64), ("ok",), ("",), (log,), np.array([tried.wall_s]),
        candidates[None], states[None], logits[None], power[None], (tried.text(),),
        np.array([memory], dtype=np.int64),
    )  # fmt: skip
