"""Weights of any ratio: sized, on the layout grid, and what is below the floor is named."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.device.copies import Kind, Size
from codesign.device.widths import Sized
from codesign.flows import HardwareSection
from codesign.mapping.mapper import map_network
from codesign.mapping.weights import kind_of
from tests.designs import MIRRORS, SMALL, identity_program, random_parameters

FLOOR = 0.06


class TextbookWeigher:
    """Devices whose ratio is their W/L over the reference's, as in a textbook."""

    def floor(self, kind: Kind) -> float:
        return FLOOR

    def size(self, targets: Sequence[tuple[Kind, float]]) -> list[Sized]:
        assert all(gain >= FLOOR for _, gain in targets)
        return [Sized(Size(9.6e-6 * gain, 1e-5, 1), gain) for _, gain in targets]


@given(value=st.floats(-4, 4), weights=st.sampled_from(["continuous", "single"]))
def test_any_value_above_the_floor_is_carried_as_it_is(value: float, weights: str) -> None:
    parameters = random_parameters(SMALL, 0)
    parameters["layers.0.output.weight"][1, 0] = value
    hardware = HardwareSection.model_validate({"weights": weights})
    design = map_network(parameters, SMALL, hardware, MIRRORS, identity_program, TextbookWeigher())
    row = design.by_parameter()["layers.0.output.weight"][(1, 0)]
    realised = design.realised()["layers.0.output.weight"][1, 0]
    named = {item.parameter for item in design.unrepresentable}
    wanted = abs(value)
    assert row.expected_value == pytest.approx(realised, rel=1e-9)
    assert row.device == ("none" if realised == 0 else "pmos" if value > 0 else "nmos")
    if wanted == 0 or wanted >= FLOOR:
        assert realised == value
        assert named == set()
    else:
        assert named == {"layers.0.output.weight[1,0]"}
        assert abs(realised) in (0, FLOOR)
        assert abs(realised - value) <= FLOOR / 2 + 1e-12


def test_a_device_below_the_floor_says_which_and_what_was_done() -> None:
    parameters = random_parameters(SMALL, 0)
    parameters["projection.weight"][0, 0] = -0.04
    parameters["readout.bias"][1] = 0.01
    hardware = HardwareSection.model_validate({"weights": "continuous"})
    design = map_network(parameters, SMALL, hardware, MIRRORS, identity_program, TextbookWeigher())
    small, smaller = design.unrepresentable
    assert (small.parameter, small.realised_value) == ("projection.weight[0,0]", -FLOOR)
    assert "smallest device used" in small.reason
    assert (smaller.parameter, smaller.realised_value) == ("readout.bias[1]", 0.0)
    assert "no device" in smaller.reason


def test_equal_copies_are_measured_once() -> None:
    seen: list[tuple[Kind, float]] = []

    class Counting(TextbookWeigher):
        def size(self, targets: Sequence[tuple[Kind, float]]) -> list[Sized]:
            seen.extend(targets)
            return super().size(targets)

    parameters = random_parameters(SMALL, 3)
    hardware = HardwareSection.model_validate({"weights": "continuous"})
    design = map_network(parameters, SMALL, hardware, MIRRORS, identity_program, Counting())
    assert len(seen) == len(set(seen))
    wanted = {
        (kind_of(row.parameter, row.software_value), abs(row.software_value))
        for row in design.rows
        if row.role in ("weight", "bias") and row.software_value
    }
    assert set(seen) == wanted


def test_other_strategies_than_units_need_a_measurement() -> None:
    hardware = HardwareSection.model_validate({"weights": "single"})
    with pytest.raises(ValueError, match="needs measured widths"):
        map_network(random_parameters(SMALL, 0), SMALL, hardware, MIRRORS, identity_program)


@pytest.mark.parametrize(
    ("parameter", "value", "kind"),
    [
        ("projection.weight", 1.0, "p_to_sum"),
        ("layers.0.candidate.bias", -1.0, "n_to_sum"),
        ("readout.weight", 1.0, "p_to_readout"),
        ("readout.bias", -1.0, "n_to_readout"),
    ],
)
def test_the_destination_and_the_sign_decide_the_kind(
    parameter: str, value: float, kind: str
) -> None:
    assert kind_of(parameter, value) == kind
