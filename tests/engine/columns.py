"""Calls of the kernel itself, to compare where and how it runs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.engine.batched import BatchedEngine
from codesign.engine.grid import FrameGrid, Resolution
from codesign.engine.native.call import Output
from tests.engine.circuits import grids_of, random_inputs

Floats = NDArray[np.float64]
# Diodes of the small design that are read: four candidates, then four states; then what flows out.
CANDIDATES, STATES, READOUTS = slice(0, 4), slice(4, 8), slice(8, None)
# Half a unit, nanoamperes: a state is low or high.
HALF_NA = 0.5


@dataclass(frozen=True)
class Call:
    """What ``Kernel.run`` and ``run_cuda`` take first."""

    grids: tuple[FrameGrid, FrameGrid]
    inputs_na: Floats
    clip: NDArray[np.int64]
    shift_v: Floats
    gain: Floats


def call_of(engine: BatchedEngine, samples: int, frames: int, clips: int = 2) -> Call:
    """Chips with mismatch, each with one of the clips."""
    draw = np.random.default_rng(3)
    shape = (samples, len(engine.instances))
    return Call(
        grids_of(engine, frames, Resolution()),
        random_inputs(frames, clips) * engine.hardware.unit_current_a * 1e9,
        np.arange(samples) % clips,
        draw.normal(0, 2e-3, shape),
        engine.program.multiplicity * (1 + draw.normal(0, 5e-3, shape)),
    )


def assert_alike(one: Output, other: Output) -> None:
    """The same outcome, though other company asked for other halvings of steps."""
    np.testing.assert_array_equal(one.flags, other.flags)
    a, b = one.currents.astype(float), other.currents.astype(float)
    assert (a[..., STATES] > HALF_NA).any()
    assert (a[..., STATES] < HALF_NA).any()
    np.testing.assert_array_equal(a[..., STATES] > HALF_NA, b[..., STATES] > HALF_NA)
    assert rms_error(a[..., CANDIDATES], b[..., CANDIDATES]) < 1e-3
    np.testing.assert_allclose(one.supply_na, other.supply_na, rtol=4e-2)
    np.testing.assert_allclose(one.supply_na.mean(0), other.supply_na.mean(0), rtol=5e-3)


def rms_error(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    """Of all values together, relative to their root mean square."""
    wanted, found = wanted.astype(float), found.astype(float)
    return float(np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)))
