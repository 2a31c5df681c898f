"""Every cell trains by the same command, and only the chip's own becomes a circuit."""

import json
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
import torch

from codesign.cells import CELLS
from codesign.cells.mingru import MinGru
from codesign.checkpoint import load_chip_model, load_model
from codesign.cli.main import main
from codesign.decision import decide
from codesign.errors import InputError
from codesign.flow_sections import CellName
from codesign.flows import Flow, dump_flow, load_flow, parse_flow
from codesign.report import build_report
from codesign.testset import load_test_split
from codesign.training import train
from codesign.training.choice import cell_of, settings_of


def flow(cell: str, **training: Any) -> Flow:
    sections = {"steps": 60, "evaluate_every": 20, "starts": 2, **training}
    return parse_flow(
        {"name": cell, "network": {"cell": cell, "state_dim": 4}, "training": sections}, "test"
    )


def test_a_flow_can_name_every_cell_there_is() -> None:
    assert set(get_args(CellName)) == set(CELLS)


@pytest.mark.parametrize("cell", [name for name in CELLS if name != "fq_bmru"])
def test_a_baseline_trains_and_comes_back_from_its_run(cell: str, tmp_path: Path) -> None:
    run = train(flow(cell), tmp_path / "run", jobs=1)
    metrics, model = json.loads(run.metrics_file.read_text()), load_model(run)
    assert metrics["cell"] == model.cell == cell
    total = sum(value.numel() for value in model.network.parameters())
    assert metrics["parameters"]["total"] == total
    test = load_test_split(run)
    with torch.no_grad():
        decisions = decide(model.network(test.inputs).logits, model.decision)
    assert metrics["splits"]["test"]["accuracy"] == float(
        (decisions == test.labels).double().mean()
    )
    assert "memoryless" not in metrics
    assert set(pd.read_parquet(run.history_file)["model"]) == {"network"}
    with pytest.raises(InputError, match=f"network of {cell} cells, and only fq_bmru networks"):
        load_chip_model(run)


def test_a_baseline_has_a_page_and_no_netlist(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(flow("mingru"), tmp_path / "run", jobs=1)
    page = build_report(run).read_text()
    assert "minGRU network, d = 4" in page
    assert "this one, of mingru cells, is a baseline" in page
    assert "Without memory" not in page
    assert main(["export-netlist", str(run.path)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.endswith("have a circuit; train with --set network.cell=fq_bmru.")
    assert not run.design_dir.exists()


def test_baselines_learn_alike_whatever_the_limits_of_the_chip(tmp_path: Path) -> None:
    """Grid, ranges, margins and currents have no part in them."""
    plain = train(flow("mingru"), tmp_path / "a", jobs=1)
    limited = flow(
        "mingru", weight_limit=4.0, margin_weight=90.0, current_weight=0.5, grid_fraction=0.9,
        leak_start=0.1, leak_current_units=0.3, beta_lo_min_units=0.9,
    )  # fmt: skip
    assert train(limited, tmp_path / "b", jobs=1).weights_file.read_bytes() == (
        plain.weights_file.read_bytes()
    )


def test_only_cells_with_a_leak_anneal_it() -> None:
    assert settings_of(flow("bmru")).leak_start == Flow().training.leak_start
    assert settings_of(flow("cmru")).leak_start == 0
    assert settings_of(flow("hybrid")).leak_fraction == Flow().training.leak_fraction


def test_a_flow_sets_the_start_of_a_baseline(tmp_path: Path) -> None:
    slow = load_flow("digits", ("network.cell=mingru", "network.start.slow_frames=50"))
    cell = cell_of(slow)
    assert isinstance(cell, MinGru)
    gate = cell.start(4, 8, torch.Generator()).aim("gate").mean
    assert isinstance(gate, torch.Tensor)
    torch.testing.assert_close(1 / torch.sigmoid(gate[[0, -1]]), torch.tensor([2.0, 50.0]))
    for key, cell_name, said in (
        ("slow", "lru", "no setting of lru; it has fast_frames, slow_frames, phase"),
        ("slow_frames", "hybrid", "no setting of hybrid; it has none"),
        ("beta_lo_units", "fq_bmru", "keys training.initial_"),
    ):
        wrong = load_flow("digits", (f"network.cell={cell_name}", f"network.start.{key}=3"))
        with pytest.raises(InputError, match=said):
            train(wrong, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_learning_rate_is_the_cells_where_the_flow_leaves_it_open(tmp_path: Path) -> None:
    assert flow("fq_bmru") == flow("fq_bmru", learning_rate=2e-2)
    found = flow("gru")
    assert found.training.learning_rate == 3e-2
    assert flow("gru", learning_rate=0.5).training.learning_rate == 0.5
    # What a run folder states is what was used, and stays it.
    kept = tmp_path / "flow.toml"
    kept.write_text(dump_flow(found))
    assert load_flow(kept) == found
    assert load_flow("digits", ("network.cell=gru",)).training.learning_rate == 3e-2
