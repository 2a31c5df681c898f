"""The batched engine against ngspice: the same chips, clips and instants."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codesign.circuit.elements import Capacitor, Mosfet
from codesign.circuit.flat import FlatNetwork
from codesign.circuit.testbench import EXACT_OPTIONS
from codesign.device.bench import ProcessPoint
from codesign.engine.batched import BatchedEngine, EngineResult
from codesign.pdk import find_pdk
from codesign.simulation.draws import draw_mismatch
from codesign.simulation.plan import PlannedSample
from codesign.simulation.sample import Bench, Job, run_sample, shard_path
from codesign.simulation.traces import Traces, read_traces
from codesign.spice.ngspice import find_ngspice, ngspice_version
from tests.engine.circuits import need_compiler, random_inputs, small

pytestmark = pytest.mark.ngspice

Floats = NDArray[np.float64]

SEEDS = [1, 2, 3]
FRAMES = 3
UNIT_A = 1e-9
CASES: dict[str, dict[str, object]] = {
    "strobed": {"cell": "strobed"},
    "async": {"cell": "async"},
    "strobed generic180": {"cell": "strobed", "pdk": "generic180"},
    "async ff": {"cell": "async", "corner": "ff", "temperature_c": 85.0, "supply_v": 1.98},
}


@dataclass(frozen=True)
class Case:
    """Both engines' results; ngspice's one chip each."""

    engine: BatchedEngine
    batched: EngineResult
    judged: tuple[Traces, ...]

    def pairs(self, name: str) -> tuple[Floats, Floats]:
        judged = np.concatenate([getattr(traces, name) for traces in self.judged])
        return np.asarray(getattr(self.batched, name), np.float64), judged.astype(np.float64)


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    need_compiler()
    facts = dict(CASES[request.param])
    circuit = small(str(facts.pop("cell")), **facts)
    hw, ngspice = circuit.hardware, find_ngspice()
    pdk = find_pdk(hw.pdk)
    point = ProcessPoint(pdk, hw, ngspice, ngspice_version(ngspice))
    said: list[str] = []
    engine = BatchedEngine.of_circuit(circuit.library, circuit.shape, hw, point, said.append)
    inputs = random_inputs(FRAMES)
    draws = draw_mismatch(engine.graph.devices, pdk.mismatch, SEEDS)
    chips = np.arange(len(SEEDS))
    batched = engine.run(inputs, np.zeros(len(SEEDS), np.int64), draws, chips, threads=1)
    network = FlatNetwork(
        circuit.library.subcircuits[circuit.library.top].ports,
        tuple(e for e in circuit.elements if isinstance(e, Mosfet)),
        tuple(e for e in circuit.elements if isinstance(e, Capacitor)),
    )
    bench = Bench(
        circuit.shape, hw, Path(), network, {"n": pdk.nmos, "p": pdk.pmos}, pdk.mismatch,
        pdk.header(hw.corner), ngspice, 60.0, EXACT_OPTIONS,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("ngspice")
    for name in ("shards", "logs", "work"):
        (folder / name).mkdir()
    judged = []
    for k, seed in enumerate(SEEDS):
        planned = PlannedSample(k, 0, "made up", 0, 0, k, seed)
        assert run_sample(Job(bench, planned, inputs[0], folder, False)) == "ok"
        traces = read_traces(shard_path(folder, k))
        assert traces is not None
        judged.append(traces)
    return Case(engine, batched, tuple(judged))


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def test_candidates(case: Case) -> None:
    assert case.batched.status == ("ok",) * len(SEEDS)
    batched, judged = case.pairs("candidates_a")
    flows = judged > 0.03 * UNIT_A
    assert flows.sum() >= 12
    assert _rms(batched[flows] / judged[flows] - 1) < 3e-3
    assert np.abs(batched[~flows] - judged[~flows]).max(initial=0) < 2e-3 * UNIT_A


def test_states(case: Case) -> None:
    batched, judged = case.pairs("states_a")
    high = judged > 0.05 * UNIT_A
    assert 4 <= high.sum() <= high.size - 4
    assert ((batched > 0.05 * UNIT_A) == high).all()
    assert _rms(batched[high] / judged[high] - 1) < 1e-2


def test_logits(case: Case) -> None:
    batched, judged = case.pairs("logits_a")
    assert _rms(batched - judged) < 4e-3 * np.abs(judged).max()


def test_power(case: Case) -> None:
    batched, judged = case.pairs("power_w")
    judged = judged[:, : batched.shape[1]]  # the strobe generator is no part of the engine's
    assert np.abs(batched.sum(axis=1) / judged.sum(axis=1) - 1).max() < 3e-3
    assert np.abs(batched / judged - 1).max() < 1e-2


def test_mismatch_is_the_same_in_both(case: Case) -> None:
    """What the draws do, not only where the chip stands: differences between chips agree."""
    batched, judged = case.pairs("power_w")
    spread = judged[:, 2] - judged[:, 2].mean()
    assert np.abs(spread).max() > 3e-3 * judged[:, 2].mean()
    assert _rms(batched[:, 2] - batched[:, 2].mean() - spread) < 0.05 * _rms(spread)


def test_the_fits_say_how_good_they_are(case: Case) -> None:
    errors = case.engine.models.errors
    assert {error.what for error in errors} >= {"saturated mirror n", "diode p"}
    mirrors = [error for error in errors if not error.what.startswith("switch")]
    assert max(error.rms for error in mirrors) < 2e-3
    assert replace(case.engine).key == case.engine.key
