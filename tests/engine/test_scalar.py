"""The code of a GPU's thread, built for the processor: one sample at a time, arrays in columns."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from codesign.engine.batched import BatchedEngine
from codesign.engine.native.call import LANES, SCALAR_COLUMNS, Output, Processor
from codesign.engine.native.library import kernel
from tests.engine.circuits import engine_on_paper, need_compiler, small
from tests.engine.columns import (
    CANDIDATES,
    READOUTS,
    STATES,
    Call,
    assert_alike,
    call_of,
    rms_error,
)

# One sample more than the columns of a group.
SAMPLES, FRAMES = SCALAR_COLUMNS + 1, 3
SCALAR = Processor(scalar=True)


@pytest.fixture(scope="module", params=["strobed", "async"])
def engine(request: pytest.FixtureRequest) -> BatchedEngine:
    return engine_on_paper(small(request.param))


def _run(engine: BatchedEngine, call: Call, **how: Any) -> Output:
    return engine.kernel.run(
        call.grids, call.inputs_na, call.clip, call.shift_v, call.gain, 1, **how
    )  # fmt: skip


def test_widths_are_those_of_the_builds() -> None:
    need_compiler()
    assert kernel().codesign_width() == LANES
    assert kernel(scalar=True).codesign_width() == SCALAR_COLUMNS


def test_one_at_a_time_is_the_same(engine: BatchedEngine) -> None:
    call = call_of(engine, SAMPLES, FRAMES)
    together = _run(engine, call, waves=2)
    alone = _run(engine, call, waves=2, launcher=SCALAR)
    assert_alike(together, alone)
    assert together.wave is not None
    assert alone.wave is not None
    assert together.wave.shape == alone.wave.shape


def test_the_arithmetic_is_the_same_on_the_same_steps(
    engine: BatchedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without halving and idling, which depend on the company, rounding is all that is left."""
    call = call_of(engine, SAMPLES, FRAMES)
    monkeypatch.setattr(engine.kernel.problem, "depth", 0)
    monkeypatch.setattr(engine.kernel.problem, "idle_v", 0.0)
    monkeypatch.setattr(engine.kernel.problem, "tolerance_v", 5e-5)
    together = _run(engine, call)
    alone = _run(engine, call, launcher=SCALAR)
    assert together.halved == alone.halved == 0
    assert alone.steps == (len(call.grids[0].step_us) + 2 * len(call.grids[1].step_us)) * 64
    np.testing.assert_array_equal(together.flags, alone.flags)
    for part in (CANDIDATES, STATES, READOUTS):
        assert rms_error(together.currents[..., part], alone.currents[..., part]) < 1e-4
    np.testing.assert_allclose(together.supply_na, alone.supply_na, rtol=1e-4)


def test_a_column_knows_nothing_of_its_neighbours(engine: BatchedEngine) -> None:
    call = call_of(engine, SAMPLES, FRAMES)
    every = _run(engine, call, launcher=SCALAR)
    for k in (0, 7, SAMPLES - 1):
        rows = slice(k, k + 1)
        only = replace(
            call, clip=call.clip[rows], shift_v=call.shift_v[rows], gain=call.gain[rows]
        )  # fmt: skip
        one = _run(engine, only, launcher=SCALAR)
        np.testing.assert_array_equal(one.currents[0], every.currents[k])
        np.testing.assert_array_equal(one.supply_na[0], every.supply_na[k])
