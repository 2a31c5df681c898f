"""Weights in the exported blocks are what mapping.csv says, turns and drain voltages included."""

from dataclasses import replace

import numpy as np
import pytest

from codesign.circuit.elements import Mosfet, flatten
from codesign.circuit.inplace import InPlace, weights_in_place
from codesign.circuit.network import build_network
from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import calibrate
from codesign.device.widths import MeasuredWeigher
from codesign.flows import HardwareSection
from codesign.mapping.design import Design
from codesign.mapping.mapper import map_network
from codesign.pdk import find_pdk
from codesign.spice.ngspice import find_ngspice, ngspice_version
from tests.designs import SMALL, identity_program, random_parameters

pytestmark = pytest.mark.ngspice


def _mapped(**hardware: object) -> tuple[Design, ProcessPoint]:
    """A small network with weights off the grid where its strategy carries them."""
    section = HardwareSection.model_validate(hardware)
    ngspice = find_ngspice()
    point = ProcessPoint(find_pdk(section.pdk), section, ngspice, ngspice_version(ngspice))
    parameters = random_parameters(SMALL, 1, section.weight_grid)
    if section.weights != "unit":
        for name in [name for name in parameters if name.endswith(("weight", "bias"))]:
            parameters[name] = parameters[name] * 0.93
    mirrors, weigher = calibrate(point).mirrors, MeasuredWeigher.at(point)
    design = map_network(parameters, SMALL, section, mirrors, identity_program, weigher)
    return design, point


def _errors(measured: list[InPlace]) -> np.ndarray:
    return np.array([item.gain / item.wanted - 1 for item in measured])


@pytest.mark.parametrize(
    "hardware",
    [{}, {"weight_grid": 16}, {"weights": "continuous"}, {"weights": "single"}],
    ids=["k/8", "k/16", "continuous", "single"],
)
def test_every_weight_in_place_is_what_the_design_says(hardware: dict[str, object]) -> None:
    design, point = _mapped(**hardware)
    measured = weights_in_place(design, point)
    rows = {row.instance: row for row in design.rows if row.role in ("weight", "bias") and row.m}
    skips = {item.instance for item in measured} - set(rows)
    assert set(rows) <= {item.instance for item in measured}
    assert len(skips) == 2 * SMALL.layers * SMALL.state_dim
    devices = {d.name for d in flatten(build_network(design)) if isinstance(d, Mosfet)}
    assert {item.instance for item in measured} <= devices
    assert np.sqrt(np.mean(_errors(measured) ** 2)) < 5e-4
    assert np.abs(_errors(measured)).max() < 2e-3
    for item in measured:
        if item.instance in rows:
            assert item.gain == pytest.approx(abs(rows[item.instance].expected_value), rel=2e-3)


def test_unit_devices_hold_over_temperature() -> None:
    """The promise: 1 % from -20 to 85 C."""
    design, point = _mapped()
    for temperature_c in (-20.0, 85.0):
        hot = point.hardware.model_copy(update={"temperature_c": temperature_c})
        moved = ProcessPoint(point.pdk, hot, point.ngspice, point.ngspice_version)
        assert np.abs(_errors(weights_in_place(design, moved))).max() < 0.01


def test_trimmed_turns_are_exact_at_the_current_they_carry() -> None:
    """A turn for 0.05 units and one for 8: with one length for all they are 1 % off."""
    design, point = _mapped()
    units = {f"{name}_{k}": 1.0 for name in ("u", "x0", "v0", "v1", "c0", "c1", "h0", "h1", "x2")
             for k in range(3)}  # fmt: skip
    units |= {"x1_0": 0.05, "x1_1": 8.0}

    def worst(turned: Design) -> float:
        measured = weights_in_place(turned, point, units)
        return max(
            abs(item.gain / item.wanted - 1)
            for item in measured
            if item.native == "n" and item.positive and item.signal_units in (0.05, 8.0)
        )

    table = calibrate(point).turns
    turns = {"x1_0": table.length(0.05), "x1_1": table.length(8.0)}
    assert worst(design) > 0.005
    assert worst(replace(design, turns=turns)) < 0.003


def test_a_wrong_length_is_seen_in_its_place() -> None:
    """The measurement reads the blocks, not the plan: one device altered, one weight off."""
    design, point = _mapped()
    chosen = next(row for row in design.rows if row.role == "weight" and row.m)
    rows = tuple(
        row if row is not chosen else replace(row, l_m=1.1 * row.l_m) for row in design.rows
    )
    altered = replace(design, rows=rows)
    off = {item.instance: item.gain / item.wanted - 1 for item in weights_in_place(altered, point)}
    assert off.pop(chosen.instance) == pytest.approx(1 / 1.1 - 1, abs=0.01)
    assert max(map(abs, off.values())) < 2e-3
