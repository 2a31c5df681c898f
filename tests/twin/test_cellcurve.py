"""Curves of cells: their folds are where they are asked to be, and where ngspice measures them."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from codesign.circuit.export import export_design
from codesign.mapping.exported import load_exported
from codesign.simulation.setting import Options, set_up
from codesign.twin.cellcurve import cell_curves, cell_shapes, folds, with_bias
from codesign.twin.twins import design_twin
from tests.trained import made_up_run
from tests.twin.paper import ideal_transfer, transfer_on_paper


def _tensors(*values: list[float]) -> list[Tensor]:
    return [torch.tensor(value, dtype=torch.float64) for value in values]


@pytest.mark.parametrize("cell", ["async", "strobed"])
def test_folds_are_where_they_are_asked_to_be(cell: str) -> None:
    shapes = cell_shapes(ideal_transfer(cell))
    hi, width, alpha = _tensors([0.5, 1.0, 2.5, 1.8], [0.2, 0.4, 1.2, 1.6], [0.5, 1.0, 0.9, 0.4])
    high, low = folds(cell_curves(shapes, hi, width, alpha))
    torch.testing.assert_close(high, hi, rtol=1e-4, atol=0)
    torch.testing.assert_close(low, hi - width, rtol=1e-3, atol=1e-4)


def test_a_copy_into_the_cell_that_carries_less_lowers_the_folds_of_the_cell() -> None:
    """Thresholds are the network's: in the cell's own current they shrink by the turn before it."""
    transfer = transfer_on_paper("async")
    hi, width, alpha = _tensors([2.0], [0.5], [1.0])
    high, _ = folds(cell_curves(cell_shapes(transfer), hi, width, alpha))
    copy, log = transfer.copies["n_to_p"], torch.log(hi)
    torch.testing.assert_close(
        high / hi, torch.exp(copy.line(log) + copy.drain(log)), rtol=1e-4, atol=0
    )


@pytest.mark.ngspice
@pytest.mark.parametrize("cell", ["async", "strobed"])
def test_folds_against_measured_thresholds(tmp_path: Path, cell: str) -> None:
    """Cells of a design by the bias currents in its table, against the thresholds that ngspice
    measured with them (what the table expects): the curve alone is within 4 % in beta_hi."""
    run = made_up_run(tmp_path / "run", cell=cell)
    export_design(run)
    exported = load_exported(run)
    setting = set_up(run, Options(clips=1))
    model = design_twin("calibrated", exported, setting.point, setting.yardstick.parameters)
    unit_a = exported.hardware.unit_current_a
    bias: dict[str, list[float]] = {"beta_hi": [], "width": [], "alpha": []}
    measured: dict[str, list[float]] = {name: [] for name in bias}
    with exported.mapping_file.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = row["parameter"].rsplit(".", 1)[-1]
            if name in bias:
                bias[name].append(float(row["bias_current_a"]) / unit_a)
                measured[name].append(float(row["expected_value"]))
    assert len(bias["beta_hi"]) == 4
    threshold, width, gain = _tensors(*bias.values())
    high, low = folds(with_bias(model.shapes, threshold, width, gain))
    assert model.cells is not None
    wanted = np.array(measured["beta_hi"])
    np.testing.assert_allclose(high.numpy(), wanted, rtol=0.04)
    np.testing.assert_allclose((high - low).numpy(), measured["width"], rtol=0.10, atol=0.02)
