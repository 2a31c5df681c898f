"""Engines: what advances the transistors in time, ngspice or the batched engine.

ngspice takes any circuit, one sample per process. The batched engine takes the circuits it knows,
many samples together, in groups that are fixed ranges of the plan: part of a plan, or a run that
was interrupted, computes the same groups as the whole.
"""

import hashlib
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

    @property
    def candidates_a(self) -> NDArray[np.float32]: ...

    @property
    def states_a(self) -> NDArray[np.float32]: ...

    @property
    def logits_a(self) -> NDArray[np.float32]: ...

    @property
    def power_w(self) -> Floats: ...

    @property
    def status(self) -> tuple[str, ...]: ...

    @property
    def message(self) -> tuple[str, ...]: ...

    @property
    def wall_s(self) -> float: ...


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
        noise_seed: NDArray[np.int64] | None = None,
    ) -> EngineResult:
        """Advance n samples: ``clip`` (n,) are rows of ``inputs_units`` (clips, frames, channels),
        ``chip`` (n,) rows of ``draws`` (without draws every sample is the nominal chip). The
        waveforms of the first ``waves`` samples are kept in the result. ``noise_seed`` (n,) is for
        engines with device noise (``simulation.noisy_engine``)."""

    def waves_of(self, result: Any, row: int) -> pd.DataFrame:
        """Waveforms of sample ``row`` of a result, in the columns of ``simulation.sample``."""


@dataclass(frozen=True)
class Batch:
    """Prepared engines, one per corner of the plan, and what its samples are made from.

    ``strobe_power_w`` is what the strobe generator draws in each corner; the engines do not
    simulate it.
    """

    engines: Mapping[str, Engine]
    plan: Plan
    devices: tuple[Mosfet, ...]
    law: MismatchLaw
    inputs_units: Floats
    threads: int
    strobe_power_w: Mapping[str, float]

    @property
    def engine(self) -> Engine:
        """That of the plan's first corner."""
        return self.engines[self.plan.corners[0]]

    @property
    def key(self) -> str:
        """Everything the results depend on beside the plan."""
        return engines_key(self.engines)

    def draws(self, seeds: list[int]) -> Draws:
        """Mismatch of these chips, in the engine's order of devices."""
        return draw_mismatch(self.devices, self.law, seeds)

    def run(self, samples: NDArray[np.int64]) -> Traces:
        """Advance samples of one corner of the plan together."""
        power_w = self.strobe_power_w[self._corner(samples)]
        return traces_of(samples, self._advance(samples, 0), power_w)

    def block(self, sample: int) -> int:
        """The first sample of the block of sixteen that ``sample`` advances in."""
        return sample - sample % self.plan.per_corner % LANES

    def waves(self, block: int) -> Iterator[tuple[int, pd.DataFrame]]:
        """Waveforms of the samples of the block that begins at a sample, computed again.

        The samples of a block advance together, so that these are what the run itself saw.
        """
        size = self.plan.per_corner
        stop = min(block + LANES, (block // size + 1) * size)
        samples = np.arange(block, stop, dtype=np.int64)
        result = self._advance(samples, len(samples))
        engine = self.engines[self._corner(samples)]
        for row, sample in enumerate(samples):
            yield int(sample), engine.waves_of(result, row)

    def _corner(self, samples: NDArray[np.int64]) -> str:
        return self.plan.corners[int(samples[0]) // self.plan.per_corner]

    def _advance(self, samples: NDArray[np.int64], waves: int) -> EngineResult:
        rows = self.plan.rows(samples)
        places, clip = np.unique(rows["at"].to_numpy(np.int64), return_inverse=True)
        inputs = self.inputs_units[[self.plan.clips[at] for at in places]]
        draws, chip = None, np.zeros(len(rows), dtype=np.int64)
        if self.plan.chips is not None:
            seeds, chip = np.unique(rows["chip_seed"].to_numpy(np.int64), return_inverse=True)
            draws = self.draws(seeds.tolist())
        engine = self.engines[self._corner(samples)]
        noise: dict[str, Any] = {}
        if self.plan.noise:
            noise = {"noise_seed": rows["noise_seed"].to_numpy(np.int64)}
        return engine.run(inputs, clip, draws, chip, threads=self.threads, waves=waves, **noise)


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


def engines_key(engines: Mapping[str, Engine]) -> str:
    """One key for the engines of all corners."""
    keys = [engine.key for engine in engines.values()]
    return keys[0] if len(keys) == 1 else hashlib.sha256(" ".join(keys).encode()).hexdigest()


def choose_engines(
    wanted: EngineName,
    samples: int,
    exported: Exported,
    points: Mapping[str, ProcessPoint],
    say: Callable[[str], None],
) -> Mapping[str, Engine] | None:
    """The batched engine prepared for the design at every corner, or None for ngspice.

    ``auto`` takes the batched engine for plans of more than ``NGSPICE_UP_TO`` samples; where it
    cannot be had it takes ngspice and says why. ``batched`` raises what stands in the way:
    codesign.engine.Unsupported, an InputError, or EnvironmentMissing.
    """
    if wanted == "ngspice" or (wanted == "auto" and samples <= NGSPICE_UP_TO):
        return None
    # Late: few runs need the engine, and it loads compiled code.
    module: Any = importlib.import_module("codesign.engine")
    try:
        return {
            corner: module.BatchedEngine.prepare(exported, point, progress=say)
            for corner, point in points.items()
        }
    except (module.Unsupported, EnvironmentMissing) as error:
        if wanted == "batched":
            raise
        say(f"engine: ngspice, because the batched engine cannot be used here: {error}")
        return None


def engine_devices(engine: Engine, mosfets: tuple[Mosfet, ...]) -> tuple[Mosfet, ...]:
    """The network's transistors in the engine's order."""
    named: Mapping[str, Mosfet] = {device.name: device for device in mosfets}
    return tuple(named[instance] for instance in engine.instances)


def group_path(folder: Path, group: int) -> Path:
    return folder / "groups" / f"group-{group:05d}.parquet"


def group_of(plan: Plan, sample: int) -> int:
    """The group of a sample; no group has samples of two corners."""
    corner, at = divmod(sample, plan.per_corner)
    return corner * -(-plan.per_corner // GROUP) + at // GROUP


def groups(plan: Plan) -> range:
    """The groups that hold the samples wanted now."""
    return range(group_of(plan, plan.start), group_of(plan, plan.stop - 1) + 1)


def group_samples(plan: Plan, group: int) -> NDArray[np.int64]:
    """All samples of a group, those that are not wanted now included."""
    corner, at = divmod(group, -(-plan.per_corner // GROUP))
    within = np.arange(at * GROUP, min((at + 1) * GROUP, plan.per_corner), dtype=np.int64)
    return corner * plan.per_corner + within


def read_group(folder: Path, plan: Plan, group: int, key: str) -> Traces | None:
    """A finished group, or None when it has to be computed."""
    traces = read_traces(group_path(folder, group), key)
    complete = traces is not None and np.array_equal(traces.sample, group_samples(plan, group))
    return traces if complete else None


def read_sample(folder: Path, plan: Plan, sample: int, key: str) -> Traces | None:
    """One sample of a finished group."""
    traces = read_group(folder, plan, group_of(plan, sample), key)
    return None if traces is None else traces.take(traces.sample == sample)


def run_groups(batch: Batch, folder: Path) -> Iterator[Traces]:
    """Compute the groups that are not there yet; yields each group's samples that are wanted."""
    plan = batch.plan
    for group in groups(plan):
        traces = read_group(folder, plan, group, batch.key)
        if traces is None:
            traces = batch.run(group_samples(plan, group))
            write_traces(group_path(folder, group), traces, batch.key)
        yield wanted(plan, traces)


def wanted(plan: Plan, traces: Traces) -> Traces:
    """The samples of a group that are wanted now."""
    return traces.take((traces.sample >= plan.start) & (traces.sample < plan.stop))


def run_nominal(batch: Batch, at: int) -> Traces:
    """The nominal chip with the plan's clip at place ``at``; its sample is called -1."""
    inputs = batch.inputs_units[[batch.plan.clips[at]]]
    zero = np.zeros(1, dtype=np.int64)
    result = batch.engine.run(inputs, zero, None, zero, threads=batch.threads)
    return traces_of(zero - 1, result, batch.strobe_power_w[batch.plan.corners[0]])
