"""Slopes beside a flip, ranks, roles and sums."""

import numpy as np
import pytest

from codesign.analysis.roles import device_role
from codesign.analysis.sensitivity import (
    STEP,
    Around,
    agreement_of_sigma,
    by_role,
    predicted_sigma,
    sensitivity_rows,
    slopes_per_sigma,
)
from codesign.circuit.elements import Mosfet, flatten
from codesign.circuit.network import build_network
from codesign.mapping.names import instance_name, label
from tests.designs import small_design


def _around() -> Around:
    """Four devices of slopes 1, 2, 3, 4 units per sigma of threshold and none of k, about 10; a
    flip adds 5 above the second, below the third, and on both sides of the fourth."""
    slope = np.array([1.0, 2.0, 3.0, 4.0])
    margin = np.full((4, 2, 2), 10.0)
    margin[:, 0, 0] -= STEP * slope
    margin[:, 0, 1] += STEP * slope
    flipped = np.zeros((4, 2, 2), bool)
    for device, side in ((1, 1), (2, 0), (3, 0), (3, 1)):
        flipped[device, 0, side] = True
        margin[device, 0, side] += 5 if side else -5
    return Around(10.0, margin, flipped, np.full((4, 2), 0.5))


def test_a_flip_is_not_a_slope() -> None:
    slope, total = slopes_per_sigma(_around())
    assert slope[:3, 0] == pytest.approx([1, 2, 3])
    assert np.isnan(slope[3, 0])
    assert total[:, 0] == pytest.approx([1, 2 + 5, 3 + 5, 4 + 10])
    assert slope[:, 1] == pytest.approx(0)


def test_rows_carry_units_ranks_and_flips() -> None:
    names = tuple(f"xreadout.mweight_0_{k}" for k in range(4))
    table = sensitivity_rows("clip", _around(), names, ("n",) * 4)
    assert table["device"].head(4).tolist() == [names[k] for k in (3, 2, 1, 0)]
    first = table.iloc[1]
    assert (first["label"], first["role"]) == ("readout.weight[0,2]", "weight")
    assert first["d_margin_units_per_v"] == pytest.approx(3 / 0.5)
    assert first["contribution_units"] == pytest.approx(abs(first["d_margin_units_per_v"]) * 0.5)
    assert np.isnan(first["d_margin_units_per_unit"])
    assert table["states_flipped_at_step"].head(4).tolist() == [2, 1, 1, 0]
    assert predicted_sigma(table) == pytest.approx(np.sqrt(14**2 + 3**2 + 2**2 + 1))
    assert by_role(table) == [
        {"role": "weight", "devices": 4, "contribution_units": pytest.approx(210**0.5), "part": 1.0}
    ]


def test_chips_that_flipped_do_not_count_against_first_order() -> None:
    first_order = np.random.default_rng(0).normal(1.0, 0.2, 500)
    margin, flipped = first_order.copy(), np.zeros(500, bool)
    margin[:50], flipped[:50] = -3.0, True
    found = agreement_of_sigma(0.2, margin, first_order, flipped)
    assert (found["chips"], found["chips_without_flips"]) == (500, 450)
    assert found["observed_sigma_without_flips_units"] == pytest.approx(0.2, rel=0.1)
    assert found["observed_sigma_units"] > 1
    assert found["error_rms_without_flips_units"] == 0
    none = agreement_of_sigma(0.2, np.empty(0), np.empty(0), np.empty(0, bool))
    assert (none["chips"], none["observed_mean_units"], none["observed_sigma_units"]) == (
        0,
        None,
        None,
    )


@pytest.mark.parametrize("cell", ["strobed", "async"])
def test_every_device_of_a_network_has_a_role(cell: str) -> None:
    design = small_design(cell)
    names = [d.name for d in flatten(build_network(design)) if isinstance(d, Mosfet)]
    found = {name: device_role(name) for name in names}
    assert [name for name, device in found.items() if device.role == "other"] == []
    assert len({device.label for device in found.values()}) == len(names)
    for row in design.rows:
        if row.m:
            name = instance_name(row.parameter, row.index)
            assert found[name].label == label(row.parameter, row.index)


def test_a_device_added_by_hand_keeps_its_path() -> None:
    assert device_role("xmine.m7") == device_role("xmine.m7")
    assert (device_role("xmine.m7").role, device_role("xmine.m7").label) == ("other", "xmine.m7")
