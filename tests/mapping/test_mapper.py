"""Every parameter gets its device; what cannot be carried is said by name."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.device.cell_loops import CellBias
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape, count_mapping, write_mapping
from codesign.mapping.mapper import map_network
from tests.designs import MIRRORS, SMALL, identity_program, random_parameters, small_design

shapes = st.builds(
    Shape,
    inputs=st.integers(1, 5),
    state_dim=st.integers(1, 4),
    layers=st.integers(1, 3),
    classes=st.integers(2, 4),
)


@given(shape=shapes, seed=st.integers(0, 2**16), grid=st.sampled_from([8, 16]))
def test_one_row_per_parameter_and_one_instance_per_row(shape: Shape, seed: int, grid: int) -> None:
    parameters = random_parameters(shape, seed, grid)
    hardware = HardwareSection.model_validate({"weight_grid": grid})
    design = map_network(parameters, shape, hardware, MIRRORS, identity_program)
    assert len(design.rows) == sum(value.size for value in parameters.values())
    assert len({row.instance for row in design.rows}) == len(design.rows)
    assert {(row.parameter, row.index) for row in design.rows} == {
        (name, index) for name, value in parameters.items() for index in np.ndindex(value.shape)
    }
    assert design.unrepresentable == ()
    for name, value in design.realised().items():
        np.testing.assert_array_equal(value, parameters[name])


@given(value=st.floats(-4, 4), grid=st.sampled_from([8, 16]))
def test_weights_round_to_the_nearest_unit_and_say_so(value: float, grid: int) -> None:
    parameters = random_parameters(SMALL, 0, grid)
    parameters["projection.weight"][1, 2] = value
    hardware = HardwareSection.model_validate({"weight_grid": grid})
    design = map_network(parameters, SMALL, hardware, MIRRORS, identity_program)
    row = design.by_parameter()["projection.weight"][(1, 2)]
    realised = design.realised()["projection.weight"][1, 2]
    assert abs(realised - value) <= 0.5 / grid + 1e-12
    assert row.m == round(abs(realised) * grid)
    assert row.device == ("none" if row.m == 0 else "pmos" if value > 0 else "nmos")
    named = [item.parameter for item in design.unrepresentable]
    on_grid = abs(abs(value) * grid - round(abs(value) * grid)) <= 1e-4
    assert named == ([] if on_grid else ["projection.weight[1,2]"])


@pytest.mark.parametrize(("name", "value"), [("beta_hi", 9.0), ("alpha", 0.001), ("width", 0.01)])
def test_values_outside_the_bias_range_are_named(name: str, value: float) -> None:
    parameters = random_parameters(SMALL, 0)
    parameters[f"layers.1.cell.{name}"][0] = value
    hardware = HardwareSection()
    design = map_network(parameters, SMALL, hardware, MIRRORS, identity_program)
    (item,) = design.unrepresentable
    assert item.parameter == f"layers.1.cell.{name}[0]"
    assert item.software_value == value
    assert hardware.bias_min_units <= item.realised_value <= hardware.bias_max_units
    assert "bias range" in item.reason


def test_bias_rows_carry_the_current_of_their_mirror() -> None:
    design = small_design()
    for row in design.rows:
        if row.role in ("threshold", "width", "gain"):
            assert row.bias_current_a == pytest.approx(row.software_value * 1e-9, rel=2e-3)
            assert row.relative_error == pytest.approx(0, abs=2e-3)
        else:
            assert row.bias_current_a is None


def test_only_strobed_cells_have_hold_biases() -> None:
    assert len(small_design("strobed").holds) == SMALL.layers * SMALL.state_dim
    assert small_design("async").holds == ()
    design = small_design("strobed")
    cell = design.by_parameter()
    hold = design.holds[0]
    high, width = (
        cell[f"layers.0.cell.{name}"][(0,)].software_value for name in ("beta_hi", "width")
    )
    expected = CellBias(high, width, 1.0).hold
    assert hold.bias_current_a == pytest.approx(expected * 1e-9, rel=2e-3)


def test_a_hold_current_lies_inside_the_window_and_no_higher_than_its_middle() -> None:
    narrow, wide = CellBias(2.0, 0.4, 1.0), CellBias(2.0, 1.8, 1.0)
    assert narrow.hold == pytest.approx(1.8)
    # 0.2 of the threshold above the lower end, which is at 0.2.
    assert wide.hold == pytest.approx(0.6)
    for bias in (narrow, wide):
        assert bias.threshold - bias.width < bias.hold <= bias.threshold - bias.width / 2


def test_mapping_csv_has_a_row_per_parameter(tmp_path: Path) -> None:
    design = small_design()
    path = tmp_path / "mapping.csv"
    write_mapping(path, design.rows)
    assert count_mapping(path) == len(design.rows)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["instance"] == "xprojection.mweight_0_0"
    assert [float(row["software_value"]) for row in rows] == pytest.approx(
        [row.software_value for row in design.rows], rel=1e-8
    )
