"""Slopes of the margin against what is known of mirrors, and first order against drawn chips."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

from codesign.analysis.sensitivity import predicted_sigma
from codesign.device.geometry import Geometry, geometry_of
from codesign.simulation.probe import Probe
from codesign.simulation.sensitivity import FAR, any_differs, first_order, measure_clip
from tests.engine.law import KD_PER_V, MOBILITY_POWER, current_a
from tests.simulation.probes import small_probe

CHIPS = 400


@pytest.fixture(scope="module")
def probe() -> Probe:
    return small_probe(CHIPS)


@pytest.fixture(scope="module")
def table(probe: Probe) -> pd.DataFrame:
    return measure_clip(probe, 0)


def test_a_class_current_is_the_sum_of_its_slopes(probe: Probe, table: pd.DataFrame) -> None:
    """Copies are proportional to their current factor: Euler's theorem for each readout node."""
    seen = probe.nominal(np.array([0]))
    readout = table[(table["parameter"] == "k") & table["device"].str.startswith("xreadout.m")]
    for k, logit in enumerate(seen.compared_units[0]):
        sign = 1 if k == probe.decision[0] else -1
        mine = readout[readout["device"].str.contains(rf"m(?:weight|bias)_{k}")]
        total = sign * mine["d_margin_units_per_unit"].sum()
        assert total == pytest.approx(MOBILITY_POWER * logit, rel=2e-3, abs=2e-3)


def test_a_mirror_moves_by_gm_over_i(probe: Probe, table: pd.DataFrame) -> None:
    """d ln I = -(gm/I + kd) dVth of each copy in the readout, gm/I from the law on paper."""
    slopes: Any = table.set_index(["device", "parameter"])
    checked = 0
    for device in probe.devices:
        if not device.name.startswith("xreadout.m"):
            continue
        per_k = slopes.loc[(device.name, "k"), "d_margin_units_per_unit"] / MOBILITY_POWER
        if abs(per_k) < 0.05:  # a line without current
            continue
        per_v = slopes.loc[(device.name, "vth"), "d_margin_units_per_v"]
        geometry = geometry_of(device)
        current = abs(per_k) * 1e-9 / float(device.m)

        def log_ratio(
            gate: float, geometry: Geometry = geometry, current: float = current
        ) -> float:
            return float(np.log(current_a(geometry, np.array(gate), np.array(0.9), 0.0) / current))

        gate = brentq(log_ratio, 0.1, 1.2)
        high, low = (log_ratio(gate + step) for step in (1e-4, -1e-4))
        gm_over_i = (high - low) / 2e-4
        towards = -1.0 if device.polarity == "n" else 1.0
        expected = towards * per_k * (gm_over_i + KD_PER_V[device.polarity])
        assert per_v == pytest.approx(expected, rel=0.01)
        checked += 1
    assert checked >= 2


def test_first_order_is_what_chips_do(probe: Probe, table: pd.DataFrame) -> None:
    chips = np.arange(CHIPS)
    draws = probe.draws(chips)
    found = probe.run(np.zeros(CHIPS, np.int64), draws.delvto_v, draws.mulu0, chips)
    nominal = probe.nominal(np.array([0]))
    still = ~any_differs(found, nominal)
    assert still.sum() > CHIPS / 2
    predicted = first_order(probe, table, chips).sum(axis=1) + nominal.margin_units[0]
    assert np.corrcoef(predicted[still], found.margin_units[still])[0, 1] > 0.99
    # Four standard errors of a standard deviation.
    assert found.margin_units[still].std() == pytest.approx(
        predicted_sigma(table), rel=4 / np.sqrt(2 * still.sum())
    )


def test_every_device_and_parameter_has_its_rank(probe: Probe, table: pd.DataFrame) -> None:
    assert len(table) == 2 * len(probe.devices)
    assert (table["contribution_units"].diff().dropna() <= 0).all()
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    assert not (table["role"] == "other").any()


def test_a_flip_is_found_where_it_begins(probe: Probe) -> None:
    """With large mismatch thresholds flip states; just inside the move found, none does."""
    wide = small_probe(scale=30.0)
    table = measure_clip(wide, 0)
    flips = table[table["flip_sigma"].notna()]
    assert len(flips)
    assert (flips["flip_sigma"].abs() <= FAR).all()
    index = {name: k for k, name in enumerate(wide.engine.instances)}
    nominal, sigma = wide.nominal(np.array([0])), wide.sigma()
    for device, move in flips[["device", "flip_sigma"]].head(3).itertuples(index=False):
        inside, outside = (np.zeros((1, len(index))) for _ in range(2))
        at, far = index[str(device)], abs(float(move))
        inside[0, at] = (far - 0.1) * np.sign(float(move)) * sigma[at, 0]
        outside[0, at] = (far + 0.02) * np.sign(float(move)) * sigma[at, 0]
        one, zero = np.ones_like(inside), np.zeros(1, np.int64)
        assert any_differs(wide.run(zero, outside, one, zero), nominal).all()
        if far > 0.1:
            assert not any_differs(wide.run(zero, inside, one, zero), nominal).any()
