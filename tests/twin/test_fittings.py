"""How a netlist's copies differ from the assumed ones."""

import numpy as np
import pytest

from codesign.circuit.elements import Mosfet
from codesign.twin.fittings import copies_of, fittings, kind_of
from tests.twin.paper import TRIMS_M, transfer_on_paper

PARAMETERS = {"layers.0.candidate.weight": np.array([[0.5, -1.0]])}


def _device(name: str, polarity: str, l_m: float, m: int) -> Mosfet:
    rail = "vdd" if polarity == "p" else "vss"
    return Mosfet(name, "d", "g", rail, rail, polarity, 1.2e-6, l_m, m)  # type: ignore[arg-type]


WEIGHT = "xlayers_0.xcandidate.mweight_0_0"


def test_copies_as_assumed_have_no_factor() -> None:
    transfer = transfer_on_paper("async")
    weight = _device(WEIGHT, "p", TRIMS_M["p_to_sum"], 4)
    turn = _device("xlayers_0.xskip.xturn_0.mcopy", "n", TRIMS_M["n_to_p"], 8)
    found = fittings(transfer, TRIMS_M, [weight, turn], PARAMETERS)
    assert found == pytest.approx({weight.name: 0.0, turn.name: 0.0}, abs=1e-12)


def test_factors_are_of_count_and_length() -> None:
    transfer = transfer_on_paper("async")
    more = _device(WEIGHT, "p", TRIMS_M["p_to_sum"], 5)
    assert fittings(transfer, TRIMS_M, [more], PARAMETERS)[WEIGHT] == pytest.approx(np.log(5 / 4))
    n = _device("xlayers_0.xcandidate.mweight_0_1", "n", TRIMS_M["n_to_sum"], 8)
    assert fittings(transfer, TRIMS_M, [n], PARAMETERS)[n.name] == pytest.approx(0, abs=1e-12)
    # The assumed turn has another length than a sum's copy, which makes it another current.
    other = {**TRIMS_M, "p_to_sum": TRIMS_M["p_to_readout"]}
    same = _device(WEIGHT, "p", TRIMS_M["p_to_sum"], 4)
    assert abs(fittings(transfer, other, [same], PARAMETERS)[WEIGHT]) > 1e-4


def test_what_is_a_copy_and_of_which_kind() -> None:
    names = {
        "xprojection.mweight_1_0": "p_to_sum",
        "xreadout.mbias_1": "p_to_readout",
        "xlayers_0.xoutput.xturnin_0.mcopy": "p_to_sum",
        "xlayers_0.xskip.mcarried_0": "p_to_sum",
    }
    devices = [_device(name, "p", 1e-5, 1) for name in names]
    others = [_device(name, "p", 1e-5, 1) for name in ("xinput_0.mline", "xlayers_0.xcell.m1")]
    assert copies_of([*devices, *others]) == devices
    assert {device.name: kind_of(device) for device in devices} == names
    assert kind_of(_device("xlayers_0.xskip.xturn_0.mcopy", "n", 1e-5, 1)) == "n_to_p"
    assert kind_of(_device("xreadout.mweight_0_0", "n", 1e-5, 1)) == "n_to_readout"
