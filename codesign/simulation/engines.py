"""Engines: what advances the transistors in time, ngspice or the batched engine.

ngspice takes any circuit, one sample per process. The batched engine takes the circuits it knows,
many samples together, in groups that are fixed ranges of the plan: part of a plan, or a run that
was interrupted, computes the same groups as the whole.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.circuit.elements import Mosfet
from codesign.device.bench import ProcessPoint
from codesign.errors import EnvironmentMissing
from codesign.mapping.exported import Exported
from codesign.pdk.adapter import MismatchLaw
from codesign.simulation.draws import Draws, draw_mismatch
from codesign.simulation.plan import Plan
from codesign.simulation.traces import Traces, read_traces, write_traces

EngineName = Literal["auto", "ngspice", "batched"]

# Samples advanced together: whole multiples of the widest vector, and a second or so of work, so
# that little is lost to an interrupt.
GROUP = 256
# Samples of one vector; groups begin at whole multiples of it.
LANES = 16
# Below this many samples ngspice is done before the batched engine has characterised the devices.
NGSPICE_UP_TO = 64

Floats = NDArray[np.float64]


class EngineResult(Protocol):
    """What the batched engine read: arrays as in ``Traces``, ``wall_s`` for all of them.

    ``power_w`` is that of the network's supplies: cells, feedforward, bias.
    """

    candidates_a: NDArray[np.float32]
    states_a: NDArray[np.float32]
    logits_a: NDArray[np.float32]
    power_w: Floats
    status: tuple[str, ...]
    message: tuple[str, ...]
    wall_s: float


class Engine(Protocol):
    """A batched engine, prepared for one design.

    ``instances`` are the transistors in the order draws are taken; ``key`` names everything the
    results depend on beside the plan: the version of the engine and its device fits.
    """

    @property
    def instances(self) -> tuple[str, ...]: ...

    @property
    def key(self) -> str: ...

    def run(
        self,
        inputs_units: Floats,
        clip: NDArray[np.int64],
        draws: Draws | None,
        chip: NDArray[np.int64],
        *,
        threads: int,
        waves: int = 0,
    ) -> EngineResult:
        """Advance n samples: ``clip`` (n,) are rows of ``inputs_units`` (clips, frames, channels),
        ``chip`` (n,) rows of ``draws`` (without draws every sample is the nominal chip). The
        waveforms of the first ``waves`` samples are kept in the result."""

    def waves_of(self, result: Any, row: int) -> pd.DataFrame:
        """Waveforms of sample ``row`` of a result, in the columns of ``simulation.sample``."""


@dataclass(frozen=True)
class Batch:
    """A prepared engine and what the samples of a plan are made from.

    ``strobe_power_w`` is what the strobe generator draws; the engine does not simulate it.
    """

    engine: Engine
    plan: Plan
    devices: tuple[Mosfet, ...]
    law: MismatchLaw
    inputs_units: Floats
    threads: int
    strobe_power_w: float = 0.0

    def draws(self, seeds: list[int]) -> Draws:
        """Mismatch of these chips, in the engine's order of devices."""
        return draw_mismatch(self.devices, self.law, seeds)

    def run(self, samples: NDArray[np.int64]) -> Traces:
        """Advance samples of the plan together."""
        return traces_of(samples, self._advance(samples, 0), self.strobe_power_w)

    def waves(self, block: int) -> Iterator[tuple[int, pd.DataFrame]]:
        """Waveforms of the samples of one block of sixteen, computed again.

        The samples of a block advance together, so that these are what the run itself saw.
        """
        stop = min((block + 1) * LANES, self.plan.total)
        samples = np.arange(block * LANES, stop, dtype=np.int64)
        result = self._advance(samples, len(samples))
        for row, sample in enumerate(samples):
            yield int(sample), self.engine.waves_of(result, row)

    def _advance(self, samples: NDArray[np.int64], waves: int) -> EngineResult:
        rows = self.plan.rows(samples)
        places, clip = np.unique(rows["at"].to_numpy(np.int64), return_inverse=True)
        inputs = self.inputs_units[[self.plan.clips[at] for at in places]]
        draws, chip = None, np.zeros(len(rows), dtype=np.int64)
        if self.plan.chips is not None:
            seeds, chip = np.unique(rows["chip_seed"].to_numpy(np.int64), return_inverse=True)
            draws = self.draws(seeds.tolist())
        return self.engine.run(inputs, clip, draws, chip, threads=self.threads, waves=waves)


def traces_of(
    samples: NDArray[np.int64], result: EngineResult, strobe_power_w: float = 0.0
) -> Traces:
    """The engine's result as traces; values of samples that failed are NaN."""
    failed = np.array([status != "ok" for status in result.status])
    count = len(samples)
    strobe = np.full((count, 1), strobe_power_w)

    def kept(values: NDArray[Any], dtype: type) -> NDArray[Any]:
        values = np.array(values, dtype=dtype)
        values[failed] = np.nan
        return values

    return Traces(
        samples, tuple(result.status), tuple(result.message), ("",) * count,
        np.full(count, result.wall_s / count), kept(result.candidates_a, np.float32),
        kept(result.states_a, np.float32), kept(result.logits_a, np.float32),
        kept(np.hstack([result.power_w, strobe]), np.float64),
        ("[]",) * count, np.zeros(count, dtype=np.int64),
    )  # fmt: skip


def choose_engine(
    wanted: EngineName,
    samples: int,
    exported: Exported,
    point: ProcessPoint,
    say: Callable[[str], None],
) -> Engine | None:
    """The batched engine prepared for the design, or None for ngspice.

    ``auto`` takes the batched engine for plans of more than ``NGSPICE_UP_TO`` samples; where it
    cannot be had it takes ngspice and says why. ``batched`` raises what stands in the way:
    codesign.engine.Unsupported, an InputError, or EnvironmentMissing.
    """
    if wanted == "ngspice" or (wanted == "auto" and samples <= NGSPICE_UP_TO):
        return None
    # Late: few runs need the engine, and it loads compiled code.
    module: Any = importlib.import_module("codesign.engine")
    try:
        engine: Engine = module.BatchedEngine.prepare(exported, point, progress=say)
    except (module.Unsupported, EnvironmentMissing) as error:
        if wanted == "batched":
            raise
        say(f"engine: ngspice, because the batched engine cannot be used here: {error}")
        return None
    return engine


def engine_devices(engine: Engine, mosfets: tuple[Mosfet, ...]) -> tuple[Mosfet, ...]:
    """The network's transistors in the engine's order."""
    named: Mapping[str, Mosfet] = {device.name: device for device in mosfets}
    return tuple(named[instance] for instance in engine.instances)


def group_path(folder: Path, group: int) -> Path:
    return folder / "groups" / f"group-{group:05d}.parquet"


def groups(plan: Plan) -> range:
    """The groups that hold the samples wanted now."""
    return range(plan.start // GROUP, (plan.stop - 1) // GROUP + 1)


def group_samples(plan: Plan, group: int) -> NDArray[np.int64]:
    """All samples of a group, those that are not wanted now included."""
    return np.arange(group * GROUP, min((group + 1) * GROUP, plan.total), dtype=np.int64)


def read_group(folder: Path, plan: Plan, group: int, key: str) -> Traces | None:
    """A finished group, or None when it has to be computed."""
    traces = read_traces(group_path(folder, group), key)
    complete = traces is not None and np.array_equal(traces.sample, group_samples(plan, group))
    return traces if complete else None


def read_sample(folder: Path, plan: Plan, sample: int, key: str) -> Traces | None:
    """One sample of a finished group."""
    traces = read_group(folder, plan, sample // GROUP, key)
    return None if traces is None else traces.take(traces.sample == sample)


def run_groups(batch: Batch, folder: Path) -> Iterator[Traces]:
    """Compute the groups that are not there yet; yields each group's samples that are wanted."""
    plan = batch.plan
    for group in groups(plan):
        traces = read_group(folder, plan, group, batch.engine.key)
        if traces is None:
            traces = batch.run(group_samples(plan, group))
            write_traces(group_path(folder, group), traces, batch.engine.key)
        yield wanted(plan, traces)


def wanted(plan: Plan, traces: Traces) -> Traces:
    """The samples of a group that are wanted now."""
    return traces.take((traces.sample >= plan.start) & (traces.sample < plan.stop))


def run_nominal(batch: Batch, at: int) -> Traces:
    """The nominal chip with the plan's clip at place ``at``; its sample is called -1."""
    inputs = batch.inputs_units[[batch.plan.clips[at]]]
    zero = np.zeros(1, dtype=np.int64)
    result = batch.engine.run(inputs, zero, None, zero, threads=batch.threads)
    return traces_of(zero - 1, result, batch.strobe_power_w)
