"""Calibrated and sub-stepped twin against the transistors of the batched engine: one small network,
the nominal chip and chips with mismatch, on the real process."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from codesign.circuit.export import export_design
from codesign.engine import BatchedEngine
from codesign.runs import Run
from codesign.simulation.draws import draw_mismatch
from codesign.simulation.setting import Options, Setting, set_up
from codesign.twin.twins import TwinName, design_twin
from tests.engine.circuits import need_compiler
from tests.trained import made_up_run

pytestmark = pytest.mark.ngspice

Floats = NDArray[np.float64]
SEEDS = list(range(11, 27))


@dataclass(frozen=True)
class Case:
    """Real values of 2 clips: (candidates, states, logits), of one chip and of 16, in units."""

    setting: Setting
    inputs: Floats
    nominal: tuple[Floats, ...]
    chips: tuple[Floats, ...]

    def twin(self, name: TwinName, drawn: bool) -> tuple[Floats, ...]:
        setting = self.setting
        parameters = setting.yardstick.parameters
        model = design_twin(name, setting.exported, setting.point, parameters)
        draws = None
        if drawn:
            draws = draw_mismatch(setting.bench.network.mosfets, setting.bench.law, SEEDS)
        found = model.run(parameters, self.inputs, draws)
        return found.candidates, found.states, found.logits


@pytest.fixture(scope="module", params=["async", "strobed"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    need_compiler()
    run: Run = made_up_run(tmp_path_factory.mktemp("run") / "small", cell=request.param, seed=30)
    export_design(run)
    setting = set_up(run, Options(clips=2))
    engine = BatchedEngine.prepare(setting.exported, setting.point)
    inputs = 2.5 * setting.inputs_units()[list(setting.plan.clips)]
    draws = draw_mismatch(engine.graph.devices, setting.bench.law, SEEDS)
    clip, chip = np.tile([0, 1], len(SEEDS)), np.repeat(np.arange(len(SEEDS)), 2)
    found = []
    for result in (
        engine.run(inputs, np.arange(2), threads=1),
        engine.run(inputs, clip, draws, chip, threads=1),
    ):
        assert set(result.status) == {"ok"}
        found.append(tuple(
            np.asarray(v, np.float64) / setting.yardstick.unit_current_a
            for v in (result.candidates_a, result.states_a, result.logits_a)
        ))  # fmt: skip
    chips = tuple(v.reshape(len(SEEDS), 2, *v.shape[1:]) for v in found[1])
    return Case(setting, inputs, found[0], chips)


def _rms(error: Floats) -> float:
    assert error.size
    return float(np.sqrt((error**2).mean()))


def _same(case: Case, one: Floats, other: Floats) -> NDArray[np.bool_]:
    """Clips in which all states agree."""
    half = case.setting.yardstick.cells("alpha")[:, :, None] / 2
    same: NDArray[np.bool_] = ((one > half) == (other > half)).all(axis=(-3, -2, -1))
    return same


def test_cells_switch(case: Case) -> None:
    """The rest would say little of a network that does nothing."""
    half = case.setting.yardstick.cells("alpha")[:, :, None] / 2
    assert 0.1 < (case.nominal[1] > half).mean() < 0.95


@pytest.mark.parametrize(("name", "tolerance"), [("calibrated", 0.015), ("substepped", 0.004)])
def test_nominal_chip(case: Case, name: TwinName, tolerance: float) -> None:
    """Same states; candidates within the tolerance, units rms; logits within three times it."""
    candidates, states, logits = case.twin(name, drawn=False)
    assert _same(case, states, case.nominal[1]).all()
    assert _rms(candidates - case.nominal[0]) < tolerance
    assert _rms(logits - case.nominal[2]) < 3 * tolerance


@pytest.mark.parametrize(("name", "tolerance"), [("calibrated", 0.02), ("substepped", 0.012)])
def test_chips_with_mismatch(case: Case, name: TwinName, tolerance: float) -> None:
    """Each chip with its own twin: states of nearly all, and candidates less than half as far
    off as the nominal chip is."""
    candidates, states, _ = case.twin(name, drawn=True)
    same = _same(case, states, case.chips[1])
    assert same.mean() > 0.85
    error = _rms((candidates - case.chips[0])[same])
    assert error < tolerance
    nominal = _same(case, np.broadcast_to(case.nominal[1], states.shape), case.chips[1])
    spread = _rms((case.nominal[0] - case.chips[0])[nominal])
    assert error < spread / 2
