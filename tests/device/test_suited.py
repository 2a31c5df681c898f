"""A hardware specification moves to another process by the stated rule, and says what changed."""

from dataclasses import replace

import pytest

from codesign.device.suited import suited
from codesign.errors import InputError
from codesign.flows import HardwareSection
from codesign.pdk import Limits, find_pdk

PDK = find_pdk("generic180", None, {})


def test_what_fits_is_left_alone() -> None:
    hardware = HardwareSection()
    result, changed = suited(hardware, PDK)
    assert changed == ()
    assert result == hardware.model_copy(update={"pdk": "generic180"})


def test_a_lower_supply_takes_the_readout_with_it() -> None:
    low = replace(PDK, supply_max_v=1.2)
    result, changed = suited(HardwareSection(), low)
    assert (result.supply_v, result.readout_v) == (1.2, 0.4)
    assert changed == (
        "hardware.supply_v: 1.8 becomes 1.2",
        "hardware.readout_v: 0.6 becomes 0.4",
    )


def test_sizes_move_to_the_nearest_limit_with_room_for_the_bias_mirrors() -> None:
    limits = Limits(w_min_m=2e-6, w_max_m=1e-5, l_min_m=6e-7, l_max_m=2.1e-5)
    result, _ = suited(HardwareSection(), replace(PDK, limits=limits))
    assert result.unit_w_m == 2e-6
    # A bias mirror is up to three unit lengths long and must stay inside the largest bin.
    assert 3 * result.unit_l_m < 2.1e-5
    assert result.unit_l_m == pytest.approx(7e-6, rel=2e-3)
    assert (result.switch_w_m, result.switch_l_m) == (2e-6, 6e-7)
    assert (result.cell_w_m, result.cell_l_m) == (4e-6, 1e-5)


def test_an_unknown_corner_becomes_typical() -> None:
    only = replace(PDK, corners={"typical": "typical"})
    result, changed = suited(HardwareSection(corner="ss"), only)
    assert result.corner == "typical"
    assert changed == ("hardware.corner: ss becomes typical",)


def test_a_process_that_no_flow_can_use_is_refused() -> None:
    limits = Limits(w_min_m=1e-7, w_max_m=1e-5, l_min_m=5e-8, l_max_m=1e-6)
    with pytest.raises(InputError, match=r"does not fit 'generic180': hardware\.unit_l_m"):
        suited(HardwareSection(), replace(PDK, limits=limits))
