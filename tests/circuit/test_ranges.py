"""What nodes carry against what devices support: named, with the effect and a way out."""

import json

import numpy as np
import pytest

from codesign.circuit.network import build_network
from codesign.circuit.ranges import TAIL_UNITS, plan_ranges
from codesign.device.charging import rise_s, tail_a
from codesign.device.path_delays import PATHS, Delays
from codesign.device.paths import SignPaths
from codesign.device.range import CurrentRange
from codesign.flows import HardwareSection
from codesign.mapping.currents import node_currents
from codesign.mapping.mapper import map_network
from tests.designs import MIRRORS, SMALL, identity_program, random_parameters

CURRENTS_A = (1e-10, 1e-9, 1e-8)
FRAMES = 6
INPUTS = np.random.default_rng(1).uniform(0, 4, (5, FRAMES, SMALL.inputs))


def _paths(charge_c: float = 8e-16) -> SignPaths:
    gain: dict[str, tuple[float, ...]] = dict.fromkeys(PATHS, (1.0, 1.0, 1.0))
    gain["n_positive"] = (1.01, 1.0, 0.99)
    return SignPaths(
        CURRENTS_A, gain, gain, {path: Delays(0.0, 0.0) for path in PATHS},
        {"p": charge_c, "n": charge_c},
    )  # fmt: skip


def _plan(paths: SignPaths, alpha: float = 0.8, high_a: float = 1e-7, **hardware: object) -> dict:  # type: ignore[type-arg]
    parameters = random_parameters(SMALL, 14)
    for layer in range(SMALL.layers):
        parameters[f"layers.{layer}.cell.alpha"][:] = 0.8
    parameters["layers.0.cell.alpha"][0] = alpha
    section = HardwareSection.model_validate(hardware)
    design = map_network(parameters, SMALL, section, MIRRORS, identity_program)
    currents = node_currents(parameters, INPUTS)
    supported = CurrentRange(1e-12, 1e-12, high_a, high_a, high_a)
    return plan_ranges(design, build_network(design), currents, paths, supported, 0.056, FRAMES)


def test_a_network_within_the_range_has_nothing_outside() -> None:
    found = _plan(_paths())
    assert found["outside"] == []
    suggestion = found["suggestion"]
    assert suggestion["possible"]
    assert suggestion["lowest_unit_a"] < 1e-9 < suggestion["highest_unit_a"]
    assert suggestion["frame_s"] == 0.01


def test_a_state_too_small_to_rise_is_named_with_how_far_it_gets() -> None:
    paths = _paths(charge_c=1.2e-15)
    found = _plan(paths, alpha=0.05)
    slow = {item["node"]: item for item in found["outside"]}
    assert set(slow) == {"h0_0"}
    assert slow["h0_0"]["reached"] < 0.98
    assert "0.05 units" in slow["h0_0"]["problems"][0]
    assert 0.05 < slow["h0_0"]["needed_units"] < 0.2
    (raised,) = json.loads(json.dumps(found))["raised_states"]["continuous"]
    assert raised["node"] == "h0_0"
    assert raised["alpha_units"] <= slow["h0_0"]["needed_units"] * (1 + 1e-9)
    assert found["smallest_state"] == {"node": "h0_0", "units": pytest.approx(0.05)}
    suggestion = found["suggestion"]
    assert suggestion["lowest_because"] == "h0_0"
    # At the suggested unit current the state rises exactly in its time.
    item = slow["h0_0"]
    start = tail_a(item["charge_c"], FRAMES * 0.01)
    assert rise_s(item["charge_c"], 0.05 * suggestion["lowest_unit_a"], start) == pytest.approx(
        item["time_s"], rel=1e-3
    )
    cured = _plan(paths, alpha=0.05, unit_current_a=1.01 * suggestion["lowest_unit_a"])
    assert cured["outside"] == []


def test_a_line_that_does_not_turn_off_is_named() -> None:
    found = _plan(_paths(charge_c=8e-15))
    named = {item["node"]: item for item in found["outside"]}
    assert named
    for item in named.values():
        late = [text for text in item["problems"] if "turns off" in text]
        assert bool(late) == (item["tail_units"] > TAIL_UNITS)
    assert found["suggestion"]["frame_s"] > 0.01


def test_a_node_above_the_range_is_named_and_no_unit_current_may_help() -> None:
    high_a = 3e-9
    found = _plan(_paths(charge_c=1.2e-15), alpha=0.05, high_a=high_a)
    above = {
        item["node"]
        for item in found["outside"]
        if any("carries up to" in text for text in item["problems"])
    }
    assert above
    for item in found["outside"]:
        assert (item["node"] in above) == (item["largest_units"] * 1e-9 > high_a)
    suggestion = found["suggestion"]
    assert suggestion["highest_unit_a"] < 1e-9 < suggestion["lowest_unit_a"]
    assert suggestion["highest_because"] in above
    assert not suggestion["possible"]
    assert any("A line carries" in sentence for sentence in found["specification"])


def test_groups_cover_every_node() -> None:
    found = _plan(_paths())
    nodes = sum(group["nodes"] for group in found["groups"])
    expected = SMALL.inputs + SMALL.classes + SMALL.state_dim * (1 + 4 * SMALL.layers)
    assert nodes == expected
    times = {group["group"]: group["time_s"] for group in found["groups"]}
    # Layer 1 is looked at after layer 0, and the readout at the sample.
    assert times["u"] == times["x0"] == times["c0"]
    assert times["h0"] == times["v0"] == times["x1"] == times["c1"]
    assert times["h1"] == times["v1"] == times["x2"]
