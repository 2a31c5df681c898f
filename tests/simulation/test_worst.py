"""A chip made bad on purpose: the device is named, and the chip recovers without it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from codesign.analysis.worst import FIRST_ORDER, ONE_BY_ONE, choose_worst, worst_figures
from codesign.simulation.draws import Draws
from codesign.simulation.perturb_chips import suppression_over_chips
from codesign.simulation.probe import Chips, Probe
from codesign.simulation.sensitivity import any_differs, measure_clip
from codesign.simulation.worst import TOP, worst_chips
from tests.simulation.probes import small_probe

CHIPS = 24


@pytest.fixture(scope="module")
def probe() -> Probe:
    return small_probe(CHIPS)


@pytest.fixture(scope="module")
def table(probe: Probe) -> pd.DataFrame:
    return measure_clip(probe, 0)


def _chips(probe: Probe) -> Chips:
    index = np.arange(CHIPS)
    draws = probe.draws(index)
    found = probe.run(np.zeros(CHIPS, np.int64), draws.delvto_v, draws.mulu0, index)
    rows = pd.DataFrame(
        {"chip": index, "at": 0, "ok": found.ok, "margin_units": found.margin_units}
    )
    return Chips(rows, found)


class Bad(Probe):
    """Chip 7 has one device far off."""

    device = 0
    delvto_v = 0.0

    def draws(self, chips: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Draws:
        drawn = super().draws(chips)
        delvto_v = drawn.delvto_v.copy()
        delvto_v[np.asarray(chips) == 7, self.device] = self.delvto_v
        return replace(drawn, delvto_v=delvto_v)


def _bad(probe: Probe, device: int, delvto_v: float) -> Bad:
    made = Bad(**probe.__dict__)
    object.__setattr__(made, "device", device)
    object.__setattr__(made, "delvto_v", delvto_v)
    return made


def _enough_to_fail(probe: Probe, table: pd.DataFrame) -> tuple[int, float]:
    """The strongest device that flips no state alone, and a shift that undoes the decision."""
    vth = table[(table["parameter"] == "vth") & table["device"].str.startswith("xreadout")]
    nominal = probe.nominal(np.array([0]))
    for row in vth.head(6).to_dict("records"):
        device = probe.engine.instances.index(row["device"])
        for size in (5, 10, 20, 40, 80):
            shift = -np.sign(row["d_margin_units_per_v"]) * size * 1e-3
            delvto_v = np.zeros((1, len(probe.devices)))
            delvto_v[0, device] = shift
            found = probe.run(np.array([0]), delvto_v, np.ones_like(delvto_v), np.array([0]))
            if found.margin_units[0] < -0.1 and not any_differs(found, nominal)[0]:
                return device, shift
    raise AssertionError("no device of the readout undoes this decision")


def test_the_bad_device_is_first_and_the_chip_recovers_without_it(
    probe: Probe, table: pd.DataFrame
) -> None:
    device, shift = _enough_to_fail(probe, table)
    bad = _bad(probe, device, shift)
    rows = worst_chips(bad, _chips(bad), {0: table}, "typical")
    first = rows.iloc[0]
    assert (first["chip"], first["failures"], first["rank"]) == (7, 1, 1)
    assert first["device"] == probe.engine.instances[device]
    assert first["margin_units"] < 0 < first["margin_without_units"]
    assert bool(first["recovers"])
    # Alone it is enough for the failure.
    assert first["margin_only_units"] < 0
    figures = worst_figures(rows)
    assert (figures["worst_chips_failing"], figures["worst_chips_recovered"]) == (1, 1)
    assert figures["worst_chips"][0]["devices_to_recover"] == 1


def test_chips_that_only_come_last_are_explained_to_first_order(
    probe: Probe, table: pd.DataFrame
) -> None:
    rows = worst_chips(probe, _chips(probe), {0: table}, "typical")
    assert rows.groupby("chip").size().eq(TOP).all()
    calm = rows[rows["ranked_by"] == FIRST_ORDER]
    assert len(calm)
    same = calm[calm["states_differing"] == 0]
    assert np.abs(same["predicted_margin_units"] - same["margin_units"]).max() < 0.02
    # Resetting more harmful devices helps more, as their shares say.
    for _, part in same.groupby("chip"):
        gained = part["margin_without_units"] - part["margin_units"]
        assert gained.to_numpy() == pytest.approx(-part["share_units"].cumsum(), abs=0.02)
        assert part["recovers"].isna().all()


def test_a_flipped_state_is_traced_device_by_device() -> None:
    wide = small_probe(CHIPS, scale=8.0)
    chips = _chips(wide)
    flipped = any_differs(chips.seen, wide.nominal(np.array([0])))
    assert flipped.any()
    rows = worst_chips(wide, chips, {0: measure_clip(wide, 0)}, "typical")
    tried = rows[rows["ranked_by"] == ONE_BY_ONE]
    assert len(tried)
    first = tried[tried["rank"] == 1]
    # The share of the first is what resetting it alone gains, to the engine's resolution.
    gained = first["margin_without_units"] - first["margin_units"]
    assert gained.to_numpy() == pytest.approx(-first["share_units"].to_numpy(), abs=0.02)
    assert first["first_state"].str.fullmatch(r"layers\.\d\[\d\] frame \d").all()


def test_failures_come_before_margins() -> None:
    chip, failures = np.arange(4), np.array([0, 2, 1, 2])
    margin = np.array([-9.0, 1.0, -1.0, 0.5])
    assert choose_worst(chip, failures, margin, 3).tolist() == [3, 1, 2]


def test_suppression_is_one_row_per_chip_and_sigma(probe: Probe) -> None:
    table = suppression_over_chips(probe, (0.02, 0.5))
    assert table.groupby("sigma_units").size().eq(CHIPS).all()
    assert table["chip"].nunique() == CHIPS
    assert (table["pairs"] + table["pairs_not_reached"]).eq(2 * 4).all()
    small, large = (table[table["sigma_units"] == sigma] for sigma in (0.02, 0.5))
    assert (
        small["candidate_rms_units_median"].median() < large["candidate_rms_units_median"].median()
    )
    assert small["ratio_median"].std() > 0  # chips differ, the noise is the same
