"""Our draws and those of the process's own wrappers and sections, on a few chips in real ngspice.

benchmarks/mismatch.py is the whole measurement (reports/mismatch); here the bounds are wide, for
few chips, but each would catch a wrong law: a pair's constant for one device's is off by 1.4.
"""

import numpy as np
import pytest
from scipy import stats

from codesign.circuit.flat import flat_text
from codesign.device.bench import DC_OPTIONS, ProcessPoint, find_point
from codesign.device.cell_loops import CellBias
from codesign.flows import HardwareSection
from codesign.simulation.drawn_cells import diode_cell, measure_cells_as, measure_drawn
from codesign.simulation.draws import draw_mismatch
from codesign.simulation.native import has_statistics, native_header, wrapped_text
from codesign.simulation.plan import chip_seed
from codesign.spice.ngspice import run_text

pytestmark = pytest.mark.ngspice

BIAS = CellBias(1.0, 0.5, 1.0)
CHIPS = 40
SEEDS = [chip_seed(0, chip) for chip in range(CHIPS)]


@pytest.fixture(scope="module")
def point() -> ProcessPoint:
    return find_point(HardwareSection())


def test_spread_of_a_threshold_is_the_laws_and_the_wrappers(point: ProcessPoint) -> None:
    network = diode_cell(2e-6, 5e-6, point.hardware)
    models = {"n": point.pdk.nmos, "p": point.pdk.pmos}
    ours = measure_drawn(
        point, network, BIAS, draw_mismatch(network.mosfets, point.pdk.mismatch, SEEDS)
    )
    native = measure_cells_as(
        point, network, BIAS, range(CHIPS),
        lambda _, placed: wrapped_text(placed, models),
        lambda first: native_header(
            point.pdk, point.hardware.corner, 1 + first, mismatch=True, process=False
        ),
    )  # fmt: skip
    assert ours.bistable.all()
    assert native.bistable.all()
    for name, expected in (("beta_hi", 0.080), ("alpha", 0.077)):
        for found in (getattr(ours, name), getattr(native, name)):
            # Three standard errors of a standard deviation of 40 chips.
            sigma = float(found.std(ddof=1) / found.mean())
            assert sigma == pytest.approx(expected, rel=3 / np.sqrt(2 * CHIPS))
        p = stats.ks_2samp(getattr(ours, name), getattr(native, name)).pvalue
        assert p > 0.001
    assert len(np.unique(native.beta_hi)) == CHIPS


def test_cells_without_mismatch_are_equal_and_nominal(point: ProcessPoint) -> None:
    network = diode_cell(2e-6, 5e-6, point.hardware)
    alone = measure_drawn(point, network, BIAS, None, chips=2)
    # As the cell was measured when it was planned: 0.978 of the bias current.
    assert alone.beta_hi[0] == pytest.approx(0.978, abs=0.002)
    np.testing.assert_allclose(alone.beta_hi[1], alone.beta_hi[0], rtol=1e-4)
    models = {"n": point.pdk.nmos, "p": point.pdk.pmos}
    wrapped = measure_cells_as(
        point, network, BIAS, range(1), lambda _, placed: wrapped_text(placed, models),
        lambda _: point.pdk.header(point.hardware.corner),
    )  # fmt: skip
    assert wrapped.beta_hi[0] == pytest.approx(alone.beta_hi[0], rel=2e-4)


def test_native_seeds_are_reproducible_and_shared_by_all_devices(point: ProcessPoint) -> None:
    """One wafer of the process's own section per seed; and its effect on a cell fed by ideal
    currents is nothing beside mismatch."""
    assert has_statistics(point.pdk)
    network = diode_cell(4e-6, 1e-5, point.hardware)
    models = {"n": point.pdk.nmos, "p": point.pdk.pmos}
    count = len(network.mosfets)

    def cell(seed: int) -> float:
        found = measure_cells_as(
            point, network, BIAS, range(1),
            lambda _, placed: flat_text(placed, models, np.zeros(count), np.ones(count)),
            lambda _: native_header(
                point.pdk, point.hardware.corner, seed, mismatch=False, process=True
            ),
        )  # fmt: skip
        return float(found.beta_hi[0])

    wafers = [cell(seed) for seed in (1, 2, 3, 1)]
    assert wafers[0] == wafers[3]
    assert len(set(wafers)) == 3
    assert np.std(wafers[:3]) / np.mean(wafers[:3]) < 0.005


# The adapter's sources and the numbers of the section they stand for.
SOURCES = {
    "vth": "sig_vth", "vth_n": "sig_vthN", "vth_p": "sig_vthP", "oxide": "toxe",
    "oxide_n": "toxeN", "oxide_p": "toxeP", "length": "xl", "length_n": "xlN", "length_p": "xlP",
    "width": "xw", "width_n": "xwN", "width_p": "xwP",
}  # fmt: skip


def _ln_currents(point: ProcessPoint, header: str, changes: dict[str, str]) -> dict[str, float]:
    """ln of the currents of a saturated device of either polarity, 4u/10u, at about 1 nA."""
    deck = (
        f"* devices\n{header}{DC_OPTIONS}.temp 27\nvdd vdd 0 1.8\nvgn gn 0 0.4\nvdn dn 0 0.6\n"
        f"vgp gp 0 1.2\nvdp dp 0 1.2\nmn dn gn 0 0 {point.pdk.nmos} w=4u l=10u {changes['n']}\n"
        f"mp dp gp vdd vdd {point.pdk.pmos} w=4u l=10u {changes['p']}\n.save @mn[id]\n"
        ".save @mp[id]\n.control\nop\nwrite out.raw\n.endc\n.end\n"
    )
    outcome = run_text(point.ngspice, deck)
    assert outcome.status == "ok", outcome.log
    return {k: float(np.log(abs(outcome.plots[0][f"@m{k}[id]"][0]))) for k in ("n", "p")}


def test_each_source_of_the_adapter_is_a_number_of_the_process_s_section(
    point: ProcessPoint,
) -> None:
    """One standard deviation of each, in the section and as our shift of the same devices."""
    process = point.pdk.process_variation
    assert set(process) == set(SOURCES)
    corner = point.hardware.corner
    section = native_header(point.pdk, corner, 1, mismatch=False, process=True)
    plain = {"n": "", "p": ""}
    nominal = _ln_currents(point, point.pdk.header(corner), plain)
    others = ("xj", "xjN", "xjP", "rdswN", "rdswP")
    for name, number in SOURCES.items():
        values = dict.fromkeys((*SOURCES.values(), *others), 0.0) | {number: 1 / 3}
        words = " ".join(f"mc_{key}={value:.9g}" for key, value in values.items())
        theirs = _ln_currents(point, f"{section}.param {words}\n", plain)
        shifts = {kind: process[name].of(kind) for kind in ("n", "p")}
        ours = _ln_currents(
            point, point.pdk.header(corner),
            {
                kind: f"delvto={shift.vth_v:.9g} mulu0={1 + shift.factor(4e-6, 1e-5):.9g}"
                for kind, shift in shifts.items()
            },
        )  # fmt: skip
        for kind in ("n", "p"):
            expected = theirs[kind] - nominal[kind]
            # The oxide also bends the slope of weak inversion: a few per cent of its effect.
            assert ours[kind] - nominal[kind] == pytest.approx(expected, rel=0.05, abs=3e-4), name
