"""Turns trimmed for their current, on the real process."""

from pathlib import Path

import numpy as np
import pytest

from codesign.device.bench import ProcessPoint
from codesign.device.copies import Copy, Size, measure_copies
from codesign.device.turns import TurnTable, measure_turns
from codesign.flows import HardwareSection
from codesign.pdk import find_pdk
from codesign.spice.ngspice import find_ngspice, ngspice_version


@pytest.mark.ngspice
def test_a_turn_trimmed_for_its_current_has_gain_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    hw, ngspice = HardwareSection(), find_ngspice()
    point = ProcessPoint(find_pdk(hw.pdk), hw, ngspice, ngspice_version(ngspice))
    table = measure_turns(point)
    units = (0.05, 0.3, 1.0, 4.0, 12.0)
    trimmed = [
        Copy("n_to_p", Size(hw.unit_w_m, table.length(u), hw.weight_grid), u, u) for u in units
    ]
    same = [
        Copy("n_to_p", Size(hw.unit_w_m, table.length(1.0), hw.weight_grid), u, u) for u in units
    ]
    assert np.abs(measure_copies(point, trimmed) - 1).max() < 2e-3
    spread = measure_copies(point, same)
    assert np.all(np.diff(spread) < 0)
    assert np.abs(spread - 1).max() > 5e-3
    assert list(table.l_m) == sorted(table.l_m, reverse=True)


def test_currents_outside_the_table_get_its_ends() -> None:
    table = TurnTable((0.1, 1.0, 10.0), (1.04e-5, 1.03e-5, 1.02e-5))
    assert table.length(1e-6) == table.length(0.1)
    assert table.length(500.0) == pytest.approx(1.02e-5, rel=1e-3)
    assert table.length(1.0) == pytest.approx(1.03e-5)
    # Close currents share a length, so that a design has few geometries.
    assert table.length(1.0) == table.length(1.1)
