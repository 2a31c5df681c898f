"""What all devices of a chip share: its address, its law, and that mismatch stays what it was."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from codesign.circuit.elements import Mosfet, flatten
from codesign.circuit.network import build_network
from codesign.pdk.adapter import ChipLaw, load_adapter
from codesign.pdk.variation import sigma_k, sigma_vth_v
from codesign.simulation.draws import draw_mismatch, process_deviates
from tests.designs import small_design

ADAPTER = load_adapter("gf180mcu")
PROCESS = ADAPTER.process_variation
LAW = ChipLaw(**dict(ADAPTER.mismatch), process=PROCESS)
SEEDS = [0, 1234567890123456789]
# Standard normal numbers of the addresses below, computed apart with Python's integers and 40
# digits: (seed 0, seed 1234567890123456789).
GOLDEN_DEVICE = "xlayers_0.xcell.xunit_3.m1"
GOLDEN_VTH = [-0.5916017347286612, 1.2181249964776828]
GOLDEN_K = [-0.3673421364573199, 1.0651399008147069]
GOLDEN_SOURCES = {
    "vth": [0.6152835610891324, -0.8908869559055727],
    "oxide": [-1.1783854227499473, 0.26620930214741867],
    "vth_n": [0.22730289419929398, 2.0568027899088652],
}


GOLDEN_TEXT = "delvto=-0.000470531758 mulu0=0.999713556"


def _network() -> list[Mosfet]:
    return [d for d in flatten(build_network(small_design())) if isinstance(d, Mosfet)]


def test_golden_values_of_devices_and_sources() -> None:
    """The same numbers on every machine, but for the last two digits of a double, which are those
    of the library that inverts the normal distribution; decks carry nine digits."""
    deviates = process_deviates(PROCESS, SEEDS)
    for name, golden in GOLDEN_SOURCES.items():
        np.testing.assert_allclose(deviates[:, list(PROCESS).index(name)], golden, rtol=1e-14)
    device = Mosfet(GOLDEN_DEVICE, "d", "g", "s", "b", "n", 4e-6, 1e-5, 1)
    own = draw_mismatch([device], ADAPTER.mismatch, SEEDS)
    sigma_v = ADAPTER.mismatch.sigma_vth_v("nmos", 4e-6, 1e-5)
    sigma = ADAPTER.mismatch.sigma_k("nmos", 4e-6, 1e-5)
    np.testing.assert_allclose(own.delvto_v[:, 0], sigma_v * np.array(GOLDEN_VTH), rtol=1e-14)
    np.testing.assert_allclose(own.mulu0[:, 0], 1 + sigma * np.array(GOLDEN_K), rtol=1e-14)
    # As it stands in a deck, so that a change of the law is seen too.
    shift_v, factor = own.delvto_v[0, 0], own.mulu0[0, 0]
    assert f"delvto={shift_v:.9g} mulu0={factor:.9g}" == GOLDEN_TEXT


def test_an_edit_of_the_netlist_leaves_the_draws_of_all_other_devices() -> None:
    """A real network with a device more, one less, one resized, and in another order."""
    devices = _network()
    before = draw_mismatch(devices, LAW, SEEDS)
    known = {name: k for k, name in enumerate(before.instances)}
    extra = Mosfet("xnew.m1", "a", "b", "0", "0", "n", 2e-6, 5e-6, 3)
    resized = Mosfet(devices[7].name, "a", "b", "0", "0", devices[7].polarity, 9e-6, 5e-6)
    kept = [d for k, d in enumerate(devices) if k not in (3, 7)]
    edited = [extra, *reversed(kept), resized]
    after = draw_mismatch(edited, LAW, SEEDS)
    assert len(after.instances) == len(devices)
    for column, device in enumerate(edited):
        if device in (extra, resized):
            continue
        place = known[device.name]
        np.testing.assert_array_equal(after.delvto_v[:, column], before.delvto_v[:, place])
        np.testing.assert_array_equal(after.mulu0[:, column], before.mulu0[:, place])


def test_process_variation_lies_on_top_of_the_same_mismatch() -> None:
    devices = _network()
    mismatch = draw_mismatch(devices, ADAPTER.mismatch, range(50))
    chips = draw_mismatch(devices, LAW, range(50))
    shift_v = chips.delvto_v - mismatch.delvto_v
    factor = chips.mulu0 / mismatch.mulu0
    polarity = np.array([device.polarity for device in devices])
    for kind in ("n", "p"):
        # One threshold for all devices of a polarity; the current factor by size as well.
        assert np.ptp(shift_v[:, polarity == kind], axis=1).max() < 1e-15
        same = (polarity == kind) & np.array([d.w_m == 4e-6 and d.l_m == 1e-5 for d in devices])
        assert same.sum() > 3
        assert np.ptp(factor[:, same], axis=1).max() < 1e-14
    assert np.abs(shift_v[:, polarity == "n"][:, 0] + shift_v[:, polarity == "p"][:, 0]).min() > 0


def test_standard_deviations_and_correlations_are_the_adapters() -> None:
    devices = [
        Mosfet("a", "d", "g", "s", "b", "n", 4e-6, 1e-5),
        Mosfet("b", "d", "g", "s", "b", "p", 4e-6, 1e-5),
    ]
    count = 20_000
    seeds = range(count)
    mismatch = draw_mismatch(devices, ADAPTER.mismatch, seeds)
    chips = draw_mismatch(devices, LAW, seeds)
    shift_v = np.asarray(chips.delvto_v - mismatch.delvto_v)
    factor = np.asarray(chips.mulu0 / mismatch.mulu0)
    for column, kind in enumerate("np"):
        assert shift_v[:, column].std() == pytest.approx(sigma_vth_v(PROCESS, kind), rel=0.02)
        assert factor[:, column].std() == pytest.approx(
            sigma_k(PROCESS, kind, 4e-6, 1e-5), rel=0.02
        )
    shared = sum(s.nmos.vth_v * s.pmos.vth_v for s in PROCESS.values())
    expected = shared / (sigma_vth_v(PROCESS, "n") * sigma_vth_v(PROCESS, "p"))
    # A thick oxide weakens both: an N device by a positive delvto, a P device by a negative one.
    assert expected < -0.3
    assert stats.pearsonr(*shift_v.T).statistic == pytest.approx(expected, abs=4 / np.sqrt(count))
    assert stats.kstest(process_deviates(PROCESS, seeds).ravel(), "norm").pvalue > 0.01


def test_seeds_and_sources_tell_draws_apart() -> None:
    deviates = process_deviates(PROCESS, range(100))
    assert deviates.shape == (100, len(PROCESS))
    assert len(np.unique(deviates)) == deviates.size
    one = process_deviates({"oxide": PROCESS["oxide"]}, [41])
    assert one[0, 0] == deviates[41, list(PROCESS).index("oxide")]


def test_memory_of_draws_is_that_of_the_chips_drawn_together() -> None:
    """Ten thousand chips in groups of 256 need no more memory than 256."""
    devices = _network()

    def peak_bytes(groups: int) -> int:
        tracemalloc.start()
        for group in range(groups):
            draw_mismatch(devices, LAW, range(256 * group, 256 * (group + 1)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    few, many = peak_bytes(2), peak_bytes(40)
    assert many < 1.05 * few
