"""The kernel against the reference implementation, and against itself in other company."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codesign.engine.batched import BatchedEngine, EngineResult
from codesign.engine.grid import Resolution
from codesign.simulation.draws import Draws
from tests.engine.circuits import (
    engine_on_paper,
    random_draws,
    random_inputs,
    reference_of,
    small,
)

Floats = NDArray[np.float64]

ARRAYS = ("candidates_a", "states_a", "logits_a", "power_w")
# A current that is there at all, amperes.
SOME_A = 3e-11
CHIPS, FRAMES = 4, 2
# Fine enough for a cell that tips without halving a step.
FINE = Resolution(edge_steps=4, first_us=3.0, growth=1.3, longest=0.02)


@pytest.fixture(scope="module", params=["strobed", "async"])
def engine(request: pytest.FixtureRequest) -> BatchedEngine:
    return engine_on_paper(small(request.param))


@pytest.fixture(scope="module")
def expected(engine: BatchedEngine) -> dict[str, Floats]:
    """Four chips by the reference implementation, arrays as the engine has them."""
    result = reference_of(engine, random_inputs(FRAMES), random_draws(engine, CHIPS), FINE)
    assert result.flags.tolist() == [0] * CHIPS
    currents_a = result.currents.transpose(0, 2, 1) * 1e-9
    return {
        "candidates_a": currents_a[:, :4].reshape(CHIPS, 2, 2, FRAMES),
        "states_a": currents_a[:, 4:8].reshape(CHIPS, 2, 2, FRAMES),
        "logits_a": currents_a[:, 8:].transpose(0, 2, 1),
        "power_w": result.supply_na * 1e-9 * engine.hardware.supply_v,
    }


def _run(engine: BatchedEngine, draws: Draws, chip: NDArray[np.int64], **how: int) -> EngineResult:
    inputs, clip = random_inputs(FRAMES), np.zeros(len(chip), np.int64)
    return engine.run(inputs, clip, draws, chip, threads=how.get("threads", 1))


def _assert_same(one: EngineResult, other: EngineResult, rows: slice = slice(None)) -> None:
    assert one.status == other.status[rows]
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name)[rows], err_msg=name)


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _errors(one: NDArray[Any], other: NDArray[Any]) -> Floats:
    """Relative differences where a current flows; elsewhere none may flow in either."""
    flows = np.abs(other) > SOME_A
    assert (np.abs(one[~flows]) < 2 * SOME_A).all()
    return np.asarray(one[flows] / other[flows] - 1)


def test_on_the_same_steps_as_the_reference(
    engine: BatchedEngine, expected: dict[str, Floats]
) -> None:
    """Left between the two: float32, tolerances, what idles, and a Taylor series of delvto."""
    result = _run(replace(engine, resolution=FINE), random_draws(engine, CHIPS), np.arange(CHIPS))
    assert result.status == ("ok",) * CHIPS
    for name in ("candidates_a", "logits_a"):
        assert _rms(_errors(getattr(result, name), expected[name])) < 5e-4, name
        np.testing.assert_allclose(getattr(result, name), expected[name], rtol=2e-3, atol=1e-12)
    np.testing.assert_allclose(result.states_a, expected["states_a"], rtol=2e-3, atol=1e-12)
    np.testing.assert_allclose(result.power_w, expected["power_w"], rtol=1e-2)


def test_with_its_own_steps(engine: BatchedEngine, expected: dict[str, Floats]) -> None:
    result = _run(engine, random_draws(engine, CHIPS), np.arange(CHIPS))
    assert result.status == ("ok",) * CHIPS
    assert _rms(_errors(result.candidates_a, expected["candidates_a"])) < 1e-3
    assert _rms(_errors(result.logits_a, expected["logits_a"])) < 2e-3
    high = expected["states_a"] > SOME_A
    assert 4 <= high.sum() <= high.size - 4
    assert ((result.states_a > SOME_A) == high).all()
    assert _rms(_errors(result.states_a, expected["states_a"])) < 5e-3
    np.testing.assert_allclose(result.power_w, expected["power_w"], rtol=1e-2)


def test_mismatch_matters_and_no_mismatch_is_the_nominal_chip(engine: BatchedEngine) -> None:
    count = len(engine.instances)
    none = Draws(engine.instances, np.zeros((1, count)), np.ones((1, count)))
    inputs, clip = random_inputs(FRAMES), np.zeros(16, np.int64)
    nominal = engine.run(inputs, clip, threads=1)
    _assert_same(nominal, engine.run(inputs, clip, none, clip, threads=1))
    for name in ARRAYS:
        assert (getattr(nominal, name) == getattr(nominal, name)[:1]).all()
    drawn = _run(engine, random_draws(engine, 16), np.arange(16))
    spread = drawn.logits_a.std(axis=0) / np.abs(nominal.logits_a[0])
    assert (spread > 1e-3).all()


def test_threads_change_nothing(engine: BatchedEngine) -> None:
    draws, chip = random_draws(engine, 70), np.arange(70)
    one = _run(engine, draws, chip)
    for threads in (1, 2, 3, 16):
        _assert_same(_run(engine, draws, chip, threads=threads), one)


def test_whole_groups_are_the_same_in_any_call(engine: BatchedEngine) -> None:
    draws = random_draws(engine, 64)
    together = _run(engine, draws, np.arange(64))
    for start in range(0, 64, 16):
        rows = slice(start, start + 16)
        _assert_same(_run(engine, draws, np.arange(64)[rows]), together, rows)


def test_neighbours_hardly_matter(engine: BatchedEngine) -> None:
    """Lanes share the steps, not the voltages: a group that halves a step halves it for all.

    This network's cells move in every frame, so much of what is seen here is on its way: a few
    logits of states that set late make the whole rms.
    """
    draws, order = random_draws(engine, 48), np.random.default_rng(1).permutation(48)
    straight = _run(engine, draws, np.arange(48))
    shuffled = _run(engine, draws, order)
    assert not np.array_equal(shuffled.logits_a, straight.logits_a)
    back = np.argsort(order)
    flips = (shuffled.states_a[back] > SOME_A) != (straight.states_a > SOME_A)
    assert flips.sum() <= 2
    for name, limit in (("candidates_a", 5e-4), ("logits_a", 2e-3)):
        error = _errors(getattr(shuffled, name)[back], getattr(straight, name))
        assert _rms(error) < limit, name
    assert np.abs(shuffled.power_w[back] / straight.power_w - 1).max() < 1e-2
    alone = _run(engine, draws, np.array([7]))
    _assert_same(alone, _run(engine, draws, np.array([7] * 16)), slice(0, 1))


def test_every_sample_has_its_own_clip(engine: BatchedEngine) -> None:
    inputs = random_inputs(3, clips=4)
    clip = np.random.default_rng(0).integers(0, 4, 40)
    mixed = engine.run(inputs, clip, threads=1)
    for k in range(4):
        alone = engine.run(inputs[k : k + 1], np.zeros(1, np.int64), threads=1)
        assert alone.status == ("ok",)
        here = mixed.candidates_a[clip == k]
        assert len(here) > 2
        assert _rms(_errors(here, np.repeat(alone.candidates_a, len(here), axis=0))) < 5e-4
    first = [np.abs(mixed.candidates_a[clip == k][0]).sum() for k in range(4)]
    assert np.ptp(first) > 0.05 * max(first)


def test_waves_pass_through_what_is_read(engine: BatchedEngine) -> None:
    draws, inputs, clip = random_draws(engine, 20), random_inputs(FRAMES), np.zeros(20, np.int64)
    result = engine.run(inputs, clip, draws, np.arange(20), threads=1, waves=5)
    _assert_same(_run(engine, draws, np.arange(20)), result)
    wave, nodes = result.output.wave, len(engine.program.nodes)
    assert wave is not None
    columns = result.output.currents.shape[2]
    assert wave.shape[0] == 5
    assert wave.shape[2] == nodes + columns + len(engine.program.supplies)
    read = wave[:, :, nodes : nodes + columns]
    for frame in range(FRAMES):
        assert (read == result.output.currents[:5, frame][:, None]).all(axis=(0, 2)).sum() >= 1
    assert (wave[:, :, :nodes] > -0.3).all()
    assert (wave[:, :, :nodes] < engine.hardware.supply_v + 0.3).all()
