"""A draw belongs to its address, (chip seed, instance name), and follows the law's sigma."""

import numpy as np
import pytest
from scipy import stats

from codesign.circuit.elements import Mosfet
from codesign.pdk.adapter import load_adapter
from codesign.simulation.draws import draw_mismatch

LAW = load_adapter("gf180mcu").mismatch
GOLDEN_V = [-0.5916017347286612, 1.2181249964776828]
GOLDEN_K = [-0.3673421364573199, 1.0651399008147069]


def _device(name: str, polarity: str = "n", w_m: float = 4e-6, m: int = 1) -> Mosfet:
    return Mosfet(name, "d", "g", "s", "b", "p" if polarity == "p" else "n", w_m, 1e-5, m)


DEVICES = [_device(f"xblock.m{k}", "np"[k % 2], 1e-6 * (1 + k % 5)) for k in range(40)]


def test_a_draw_does_not_depend_on_other_devices_or_chips_or_order() -> None:
    whole = draw_mismatch(DEVICES, LAW, range(7))
    order = np.random.default_rng(0).permutation(len(DEVICES))
    shuffled = draw_mismatch([DEVICES[k] for k in order], LAW, [5, 2])
    assert shuffled.instances == tuple(DEVICES[k].name for k in order)
    np.testing.assert_array_equal(shuffled.delvto_v, whole.delvto_v[[5, 2]][:, order])
    np.testing.assert_array_equal(shuffled.mulu0, whole.mulu0[[5, 2]][:, order])
    alone = draw_mismatch(DEVICES[11:12], LAW, [3])
    assert alone.delvto_v[0, 0] == whole.delvto_v[3, 11]


def test_names_and_seeds_tell_draws_apart() -> None:
    draws = draw_mismatch(DEVICES, LAW, [0, 1, -1, 2**63, 2**64 - 2])
    assert len(np.unique(draws.delvto_v)) == draws.delvto_v.size
    assert not np.intersect1d(draws.delvto_v, draws.mulu0).size


def test_golden_values() -> None:
    """The same everywhere: computed once apart, with Python's integers and 30 digits."""
    draws = draw_mismatch([_device("xlayers_0.xcell.xunit_3.m1")], LAW, [0, 1234567890123456789])
    z_v = draws.delvto_v[:, 0] / LAW.sigma_vth_v("nmos", 4e-6, 1e-5)
    z_k = (draws.mulu0[:, 0] - 1) / LAW.sigma_k("nmos", 4e-6, 1e-5)
    np.testing.assert_allclose(z_v, GOLDEN_V, rtol=1e-10)
    np.testing.assert_allclose(z_k, GOLDEN_K, rtol=1e-10)


def test_standard_deviations_are_those_of_one_device() -> None:
    devices = [_device("a"), _device("b", "p"), _device("c", w_m=1e-6), _device("d", m=4)]
    draws = draw_mismatch(devices, LAW, range(20_000))
    for column, device in enumerate(devices):
        kind = {"n": "nmos", "p": "pmos"}[device.polarity]
        sizes = (float(device.w_m), float(device.l_m), int(device.m))
        assert draws.delvto_v[:, column].std() == pytest.approx(
            LAW.sigma_vth_v(kind, *sizes), rel=0.02
        )
        assert draws.mulu0[:, column].std() == pytest.approx(LAW.sigma_k(kind, *sizes), rel=0.02)
        assert draws.mulu0[:, column].mean() == pytest.approx(1.0, abs=1e-4)


def test_draws_are_normal_and_independent() -> None:
    devices = [_device(f"m{k}") for k in range(20)]
    draws = draw_mismatch(devices, LAW, range(5000))
    z = draws.delvto_v / draws.delvto_v.std()
    assert stats.kstest(z.ravel(), "norm").pvalue > 0.01
    both = np.concatenate([z, draws.mulu0], axis=1)
    correlation = np.corrcoef(both, rowvar=False) - np.eye(40)
    assert np.abs(correlation).max() < 5 / np.sqrt(5000)
    along = np.corrcoef(z[:-1].ravel(), z[1:].ravel())[0, 1]
    assert abs(along) < 5 / np.sqrt(z.size)
