"""A continuous design, simulated: the candidates of the chip are those of the twin."""

import numpy as np
import pandas as pd
import pytest

from codesign.checkpoint import Model, load_model, save_model
from codesign.circuit.export import export_design
from codesign.engine.batched import BatchedEngine
from codesign.mapping.exported import load_exported
from codesign.runs import Run
from codesign.simulation.run import Options, simulate
from codesign.simulation.setting import set_up
from tests.engine.circuits import need_compiler
from tests.trained import made_up_run

pytestmark = pytest.mark.ngspice

# Long frames: what is compared is the mapping, not how fast a line settles.
FRAME_S = 0.2


@pytest.fixture(scope="module", params=["continuous", "single"])
def simulated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network whose weights are on no grid, exported and run in ngspice."""
    path = tmp_path_factory.mktemp(request.param) / "run"
    run = made_up_run(path, weights=request.param, frame_s=FRAME_S)
    model = load_model(run)
    for name, value in model.network.named_parameters():
        if name.endswith((".weight", ".bias")):
            value.data *= 0.91
    save_model(run, Model(model.network, model.class_names, model.decision, model.weight_grid))
    export_design(run)
    simulate(run, Options(clips=2, jobs=1, engine="ngspice"))
    return run


def test_nothing_was_rounded(simulated: Run) -> None:
    facts = load_exported(simulated).facts
    assert facts["unrepresentable"] == []
    assert facts["relative_error_rms"] < 1e-3


def test_every_candidate_is_the_twins(simulated: Run) -> None:
    states = pd.read_parquet(simulated.sim_dir("nominal") / "states.parquet")
    assert states["agree"].all()
    twin = states["twin_candidate_units"].to_numpy()
    chip = states["chip_candidate_units"].to_numpy()
    assert (twin > 0.1).sum() > 10
    np.testing.assert_allclose(chip, twin, atol=0.02, rtol=0.01)


def test_the_batched_engine_takes_the_same_design(simulated: Run) -> None:
    need_compiler()
    setting = set_up(simulated, Options(clips=2))
    engine = BatchedEngine.prepare(setting.exported, setting.point)
    inputs = setting.inputs_units()[list(setting.plan.clips)]
    result = engine.run(inputs, np.arange(len(inputs)), threads=1)
    assert set(result.status) == {"ok"}
    states = pd.read_parquet(simulated.sim_dir("nominal") / "states.parquet")
    judged = states.sort_values(["sample", "layer", "unit", "frame"])["chip_candidate_units"]
    mine = result.candidates_a / setting.exported.hardware.unit_current_a
    np.testing.assert_allclose(mine.ravel(), judged.to_numpy(), atol=5e-3)
