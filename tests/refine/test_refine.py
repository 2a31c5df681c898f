"""Refinement: what it minimises, what it writes, and what it refuses."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from codesign.checkpoint import load_model
from codesign.errors import InputError
from codesign.files import read_json
from codesign.flows import Flow, load_flow
from codesign.network import FirstQuadrantNetwork, evaluate
from codesign.refine import refine
from codesign.refine.objective import objective, offsets_of, score
from codesign.runs import Run
from codesign.tasks.base import Split
from codesign.testset import load_test_split
from codesign.training import train
from codesign.twin.twins import TwinModel
from tests.designs import SMALL, random_parameters

SMALL_FLOW = (
    "network.state_dim=2", "training.starts=1", "training.steps=40", "task.classes=[0,1]",
    "refine.steps=2", "refine.refresh_every=1", "refine.batch_size=8", "refine.clips=16",
)  # fmt: skip
# The equations in the place of the circuit: no simulator, and nothing between the two.
IDEAL = TwinModel("ideal", None, None, None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(load_flow("digits", SMALL_FLOW), tmp_path_factory.mktemp("runs") / "small")


def test_offsets_move_candidates_clip_by_clip_and_frame_by_frame() -> None:
    parameters = {k: torch.from_numpy(v) for k, v in random_parameters(SMALL, 3).items()}
    generator = torch.Generator().manual_seed(1)
    inputs = torch.rand(4, 5, SMALL.inputs, generator=generator, dtype=torch.float64) + 0.5
    plain = evaluate(parameters, inputs)
    offsets = [
        torch.rand(4, 5, SMALL.state_dim, generator=generator, dtype=torch.float64)
        for _ in range(SMALL.layers)
    ]
    moved = evaluate(parameters, inputs, offsets=[offsets[0], 0 * offsets[1]])
    name = "layers.0.candidate"
    drive = plain.projection @ parameters[f"{name}.weight"].mT + parameters[f"{name}.bias"]
    torch.testing.assert_close(moved.candidates[0], torch.relu(drive + offsets[0]))


def test_without_a_circuit_there_is_nothing_between_the_twins() -> None:
    network = FirstQuadrantNetwork(3, 2, 2, 2)
    parameters = dict(network.named_parameters())
    split = Split(torch.rand(6, 4, 3), torch.tensor([0, 1, 0, 1, 0, 1]), tuple("abcdef"))
    found = score(IDEAL, parameters, split, 2, Flow())
    assert (found.states, found.clips) == (6 * 4 * 2 * 2, 6)
    assert found.states_differing == found.decisions_differing == found.changes_differing == 0
    assert found.candidate_error_units == found.candidate_spread_units == 0
    assert found.accuracy == found.accuracy_ideal


def test_the_objective_is_that_of_the_candidates_the_circuit_has() -> None:
    """With the circuit's offsets given, a weight on a candidate's bias does the same."""
    network = FirstQuadrantNetwork(3, 2, 1, 2)
    parameters = {k: v.detach().clone() for k, v in network.named_parameters()}
    inputs, labels = torch.rand(6, 4, 3) + 0.5, torch.tensor([0, 1, 0, 1, 0, 1])
    assert all(bool((o == 0).all()) for o in offsets_of(IDEAL, parameters, inputs))
    parameters["layers.0.candidate.bias"].requires_grad_()
    moved = [torch.full((6, 4, 2), 0.25)]
    loss = objective(parameters, inputs, moved, labels, Flow(), 0.1)
    shifted = parameters | {"layers.0.candidate.bias": parameters["layers.0.candidate.bias"] + 0.25}
    none = [torch.zeros(6, 4, 2)]
    same = objective(shifted, inputs, none, labels, Flow(), 0.1)
    price = Flow().training.current_weight  # it counts a bias as a current, and an offset not
    before, after = (p["layers.0.candidate.bias"].abs().sum() for p in (parameters, shifted))
    torch.testing.assert_close(loss - price * before, same - price * after)
    (gradient,) = torch.autograd.grad(loss, [parameters["layers.0.candidate.bias"]])
    assert torch.isfinite(gradient).all()


@pytest.mark.ngspice
def test_a_network_is_refined_into_a_run_of_its_own(source: Run, tmp_path: Path) -> None:
    before = source.weights_file.read_bytes()
    flow = load_flow(source.flow_file, ("refine.learning_rate=0.05",))
    target = tmp_path / "refined"
    run = refine(source, target, flow)
    assert source.weights_file.read_bytes() == before
    metrics, history = (
        read_json(run.metrics_file, "metrics"),
        pd.read_parquet(run.path / "refine.parquet"),
    )
    assert history["step"].tolist() == [0, 1, 2]
    assert metrics["refined"]["source"] == "small"
    kept = history.set_index("step").loc[metrics["refined"]["step"]]
    assert kept["states_differing"] <= history["states_differing"].iloc[0]
    # The lines of a circuit are never where the equations have them.
    assert 0 < history["candidate_error_units"].iloc[0] < 0.5
    model = load_model(run)
    for name, value in model.network.named_parameters():
        if ".cell." not in name:
            torch.testing.assert_close(value * 8, torch.round(value * 8))
    assert len(load_test_split(run)) == metrics["refined"]["test"]["after"]["clips"]
    again = refine(source, tmp_path / "again", flow)
    assert again.weights_file.read_bytes() == run.weights_file.read_bytes()
    with pytest.raises(InputError, match=r"refined is not empty; name a new folder"):
        refine(source, target, flow)


def test_other_data_are_refused(source: Run, tmp_path: Path) -> None:
    flow = load_flow(source.flow_file, ("task.classes=[0,2]",))
    with pytest.raises(InputError, match=r"classes 0, 1; the data have 8 and 0, 2"):
        refine(source, tmp_path / "other", flow)
    assert not (tmp_path / "other").exists()
