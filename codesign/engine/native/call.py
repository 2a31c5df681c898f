"""The kernel's structures filled from a program and its models, and one call of it."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.polynomial import polynomial as poly
from numpy.typing import NDArray

from codesign.device.geometry import REFERENCE_DRAIN_V
from codesign.engine.characterise import Models, thermal_voltage
from codesign.engine.fits import PINCH_DEGREE, WARP_V
from codesign.engine.grid import FrameGrid
from codesign.engine.native.library import kernel, source_digest
from codesign.engine.native.structures import POINTER, Model, NoiseModel, Problem, Run
from codesign.engine.noise import POLES, NoiseTable
from codesign.engine.program import Program

# Samples side by side: in a vector, and in the rows that neighbouring threads of a GPU share.
LANES, SCALAR_COLUMNS = 16, 32

# Newton updates below this are the last; how far a cell's decision node may move in one step, and
# in a step longer than LONG_US from where its pace would take it.
TOLERANCE_V = 3e-4
WATCH_LIMIT_V = 0.5
LONG_US = 300.0
SURPRISE_V = 0.05
# What moves by less is left alone; a line counts for the part of SMALL_UNITS that it carries.
IDLE_V = 5e-6
SMALL_UNITS = 0.03
# Newton iterations, and how often a step may be halved.
ITERATIONS = 30
DEPTH = 8


def kernel_digest() -> str:
    """Hash of the kernel's source and of the constants it runs with."""
    constants = (
        TOLERANCE_V, WATCH_LIMIT_V, IDLE_V, SMALL_UNITS, LONG_US, SURPRISE_V, ITERATIONS, DEPTH,
    )  # fmt: skip
    return f"{source_digest()} {constants}"


class Launcher(Protocol):
    """Where a kernel runs. ``width``: samples that lie side by side in its arrays."""

    @property
    def width(self) -> int: ...

    def launch(self, problem: Problem, run: Run, arrays: Sequence[NDArray[Any]]) -> None:
        """Run all groups; ``arrays`` are those that the structures point to."""


@dataclass(frozen=True)
class Processor:
    """This machine's processor, or one sample at a time as a thread of a GPU has it (a test)."""

    scalar: bool = False

    @property
    def width(self) -> int:
        return SCALAR_COLUMNS if self.scalar else LANES

    def launch(self, problem: Problem, run: Run, arrays: Sequence[NDArray[Any]]) -> None:
        library = kernel(scalar=True) if self.scalar else kernel()
        library.codesign_run(ctypes.byref(problem), ctypes.byref(run))


@dataclass(frozen=True)
class Output:
    """What the kernel returns, per sample; currents in nanoamperes.

    ``currents`` (samples, frames, probes + readouts), ``supply_na`` (samples,
    supplies) mean supply currents, ``flags`` (samples,), ``wave`` (samples, steps, columns) or
    None, ``steps`` and ``halved``: steps taken and steps that had to be halved.
    """

    currents: NDArray[np.float32]
    supply_na: NDArray[np.float64]
    flags: NDArray[np.int32]
    wave: NDArray[np.float32] | None
    steps: int
    halved: int


class Kernel:
    """A program with its models, ready to run."""

    def __init__(
        self, program: Program, models: Models, vdd: float, temperature_c: float, unit_na: float
    ) -> None:
        self.program, self.models = program, models
        self._keep: list[NDArray[Any]] = []
        self.problem = self._structure(vdd, temperature_c, unit_na)

    def run(
        self,
        grids: tuple[FrameGrid, FrameGrid],
        inputs_na: NDArray[np.float64],
        clip: NDArray[np.int64],
        shift_v: NDArray[np.float64],
        gain: NDArray[np.float64],
        threads: int,
        waves: int = 0,
        noise: NoiseTable | None = None,
        noise_seed: NDArray[np.int64] | None = None,
        launcher: Launcher = Processor(),
    ) -> Output:
        """Run samples; lanes of the last group that are left over repeat the last sample.

        ``inputs_na`` (clips, frames, inputs), ``clip`` (samples,), ``shift_v`` and ``gain``
        (samples, devices); ``waves``: samples whose waveforms are kept.
        """
        program, samples, width = self.program, len(clip), launcher.width
        groups = -(-samples // width)
        frames = inputs_na.shape[1]
        columns = program.diodes + len(program.readouts)
        inputs = np.ascontiguousarray(inputs_na, np.float32)
        clips = _padded(clip.astype(np.int32), groups * width).reshape(groups, width)
        lanes = [_lanes(values, groups, width) for values in (shift_v, gain)]
        tables = [grid.table() for grid in grids]
        probes = _aligned((groups, frames, columns, width))
        energy = np.zeros((groups, len(program.supplies), width))
        flags = np.zeros((groups, width), np.int32)
        steps = len(tables[0]) + (frames - 1) * len(tables[1])
        wave_groups = -(-min(waves, samples) // width)
        wave_columns = len(program.nodes) + columns + len(program.supplies)
        wave = _aligned((wave_groups, steps, wave_columns, width)) if wave_groups else None
        count = np.zeros(2, np.int64)
        seeds = model = None
        if noise is not None and noise_seed is not None:
            model = self._noise(noise)
            seeds = _padded(
                (noise_seed & 0xFFFFFFFF).astype(np.uint32).view(np.int32), groups * width
            )
        run = Run(
            shift=_at(lanes[0]), gain=_at(lanes[1]), inputs=_at(inputs), clip=_at(clips),
            steps=(POINTER * 2)(*(_at(table) for table in tables)),
            step_count=(ctypes.c_int * 2)(*(len(table) for table in tables)),
            sample_step=(ctypes.c_int * 2)(*(grid.sample_step for grid in grids)),
            frames=frames, groups=groups, threads=threads, waves=wave_groups,
            probes=_at(probes), energy=_at(energy), flags=_at(flags),
            wave=None if wave is None else _at(wave), count=_at(count),
            probe_count=program.diodes, noise_seed=None if seeds is None else _at(seeds),
            noise=None if model is None else ctypes.addressof(model),
        )  # fmt: skip
        arrays = [*self._keep, inputs, clips, *lanes, *tables, probes, energy, flags, count]
        arrays += [array for array in (wave, seeds) if array is not None]
        launcher.launch(self.problem, run, arrays)
        duration = grids[0].step_us.sum() + (frames - 1) * grids[1].step_us.sum()
        return Output(
            currents=_samples(probes, samples),
            supply_na=energy.transpose(0, 2, 1).reshape(-1, energy.shape[1])[:samples] / duration,
            flags=flags.reshape(-1)[:samples],
            wave=None if wave is None else _samples(wave, min(waves, samples)),
            steps=int(count[0]),
            halved=int(count[1]),
        )

    def _noise(self, table: NoiseTable) -> NoiseModel:
        mirrors = self.models.mirrors
        at = REFERENCE_DRAIN_V / (REFERENCE_DRAIN_V + WARP_V)
        saturation = [float(poly.polyval(m.warp_scale * at - 1, m.drain[0])) for m in mirrors]
        return NoiseModel(
            self._array(table.white), self._array(table.flicker), self._array(table.inversion_na),
            (ctypes.c_float * (2 * POLES))(*table.pole.ravel()),
            (ctypes.c_float * (2 * POLES))(*table.weight.ravel()),
            table.tick_us, (ctypes.c_float * 2)(*saturation),
        )  # fmt: skip

    def _array(self, values: Any, kind: Any = np.float32) -> int:
        array = np.ascontiguousarray(values, kind)
        self._keep.append(array)
        return _at(array)

    def _structure(self, vdd: float, temperature_c: float, unit_na: float) -> Problem:
        program, models = self.program, self.models
        switches = np.zeros((max(1, len(models.switches)), 6 + PINCH_DEGREE + 1))
        for row, fit in zip(switches, models.switches, strict=False):
            row[:5] = (
                fit.scale_na, 1 / (2 * fit.thermal_v), fit.lam_per_v, fit.centre_v, 1 / fit.half_v,
            )  # fmt: skip
            row[6:] = fit.pinch
        model = (Model * 2)()
        for k, mirror in enumerate(models.mirrors):
            window = np.column_stack([mirror.centre_v, 1 / mirror.half_v])
            model[k] = Model(
                self._array(mirror.drain), self._array(mirror.gate), self._array(mirror.ratio),
                self._array(mirror.diode), self._array(window), mirror.warp_scale,
            )  # fmt: skip
        assert WARP_V == 0.1  # the kernel's own constant
        return Problem(
            model=model, switches=self._array(switches), charge=self._array(program.charge),
            leak=self._array(program.leak),
            coupling=self._array(program.coupling), reference=self._array(program.reference_na),
            program=self._array(program.words, np.int32),
            probes=self._array(program.probes, np.int32), start_v=self._array(program.start_v),
            held=self._array(program.held, np.int32),
            watched=self._array(program.watched, np.int32),
            watch=self._array(_places(len(program.nodes), program.watched), np.int32),
            driven=self._array(program.driven, np.int32),
            fixed_groups=program.fixed_groups,
            slot_supply=self._array(program.slots, np.int32),
            nodes=len(program.nodes), devices=len(program.instances), bases=program.bases,
            words=len(program.words), operations=program.operations, diodes=program.diodes,
            readouts=len(program.readouts), inputs=len(program.inputs),
            supplies=len(program.supplies), slots=len(program.slots),
            held_count=len(program.held), watched_count=len(program.watched),
            driven_count=len(program.driven), vdd=vdd,
            inverse_thermal=1 / thermal_voltage(temperature_c),
            readout_v=program.readout_v, tolerance_v=TOLERANCE_V,
            watch_limit_v=WATCH_LIMIT_V, idle_v=IDLE_V, small_na=SMALL_UNITS * unit_na,
            long_us=LONG_US, surprise_v=SURPRISE_V,
            iterations=ITERATIONS, depth=DEPTH,
        )  # fmt: skip


def _places(count: int, chosen: NDArray[np.int32]) -> NDArray[np.int32]:
    """For each of ``count`` items its place among the chosen ones, or -1."""
    places = np.full(count, -1, np.int32)
    places[chosen] = np.arange(len(chosen))
    return places


def _at(array: NDArray[Any]) -> int:
    return array.ctypes.data


def _aligned(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros whose first byte lies on a 64-byte boundary, as vector loads want it."""
    size = int(np.prod(shape))
    raw = np.zeros(size + 16, np.float32)
    start = (-raw.ctypes.data % 64) // 4
    return raw[start : start + size].reshape(shape)


def _padded(values: NDArray[Any], count: int) -> NDArray[Any]:
    return np.concatenate([values, np.repeat(values[-1:], count - len(values), axis=0)])


def _lanes(values: NDArray[np.float64], groups: int, width: int) -> NDArray[np.float32]:
    """(samples, n) as (groups, n, width)."""
    padded = _padded(np.asarray(values, np.float32), groups * width)
    result = _aligned((groups, values.shape[1], width))
    result[:] = padded.reshape(groups, width, -1).transpose(0, 2, 1)
    return result


def _samples(values: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """(groups, a, b, width) as (samples, a, b)."""
    return values.transpose(0, 3, 1, 2).reshape(-1, *values.shape[1:3])[:samples]
