"""Fits of devices whose law is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from codesign.device.geometry import Geometry
from codesign.engine import characterise
from codesign.engine.decode import Circuit
from codesign.engine.fits import MirrorFit, fit_mirrors, fit_switch
from codesign.engine.formulas import Devices
from codesign.engine.graph import Unsupported
from codesign.engine.tables import SHIFT_V, MirrorTable
from codesign.flows import HardwareSection
from tests.engine import law
from tests.engine.circuits import small

Floats = NDArray[np.float64]

HARDWARE = HardwareSection()
THERMAL_V = characterise.thermal_voltage(HARDWARE.temperature_c)
SIZES = [(1.2e-6, 1e-5), (1.2e-6, 2.37e-5), (4e-6, 1e-5)]


def _fit(polarity: str, sizes: list[tuple[float, float]]) -> MirrorFit:
    geometries = [Geometry(polarity, *size) for size in sizes]
    return fit_mirrors(
        geometries, law.mirror_table(geometries), law.highest_a(HARDWARE, geometries), THERMAL_V
    )


@pytest.fixture(scope="module", params=["n", "p"])
def fit(request: pytest.FixtureRequest) -> MirrorFit:
    return _fit(request.param, SIZES)


def _devices(fit: MirrorFit, points: int, shift_v: float = 0.0) -> Devices:
    """One copy (gate node 0, drain node 1) and one diode (node 0) of each geometry, N in sense."""
    count = len(fit.geometries)
    copies = np.array([[k, 0, k, 0, 1, -1, 1] for k in range(count)])
    diodes = np.array([[k, 0, k, 0, -1] for k in range(count)])
    none = np.zeros((0, 6), np.int64)
    circuit = Circuit(copies, diodes, none, none, none, none, 0)
    models = characterise.Models((fit, fit), (), ((), ()), ())
    shape = (points, count)
    return Devices(circuit, models, 1.8, 27.0, np.full(shape, shift_v), np.ones(shape))


def _grid(fit: MirrorFit, g: int, decades: float = 4.0) -> tuple[Floats, Floats]:
    """Gate and drain voltages between the grid points of the tables, in saturation."""
    low = fit.high_v[g] - decades * 1.3 * THERMAL_V * np.log(10)
    gate, drain = np.meshgrid(np.linspace(low, fit.high_v[g], 37), np.linspace(0.15, 1.75, 41))
    return gate.ravel(), drain.ravel()


def _current_na(fit: MirrorFit, g: int, gate: Floats, drain: Floats) -> Floats:
    return np.asarray(_devices(fit, len(gate)).copies(np.stack([gate, drain]))[0][g])


def test_mirrors_and_diodes_follow_the_law(fit: MirrorFit) -> None:
    for g, geometry in enumerate(fit.geometries):
        gate, drain = _grid(fit, g)
        expected = law.current_a(geometry, gate, drain, 0.0) * 1e9
        error = _current_na(fit, g, gate, drain) / expected - 1
        assert np.sqrt(np.mean(error**2)) < 5e-4
        assert np.abs(error).max() < 2e-3
        expected = law.current_a(geometry, gate, gate, 0.0) * 1e9
        error = _devices(fit, len(gate)).diodes(np.stack([gate]))[0][g] / expected - 1
        assert np.abs(error).max() < 1e-3
    for stated in fit.errors:
        assert 0 < stated.rms < 1e-3
        assert stated.rms <= stated.largest < 2e-3


@settings(max_examples=8)
@given(
    st.lists(
        st.tuples(st.floats(1e-6, 1e-5), st.floats(5e-6, 4e-5)), min_size=1, max_size=4, unique=True
    ),
    st.sampled_from("np"),
)
def test_any_sizes_are_fitted(sizes: list[tuple[float, float]], polarity: str) -> None:
    fit = _fit(polarity, sizes)
    for g, geometry in enumerate(fit.geometries):
        gate, drain = _grid(fit, g)
        expected = law.current_a(geometry, gate, drain, 0.0) * 1e9
        error = _current_na(fit, g, gate, drain) / expected - 1
        assert np.sqrt(np.mean(error**2)) < 1e-3, geometry


def test_triode_is_close_and_nothing_flows_without_a_drain_voltage(fit: MirrorFit) -> None:
    for g, geometry in enumerate(fit.geometries):
        gate, _ = _grid(fit, g)
        saturated = _current_na(fit, g, gate, np.full_like(gate, 0.6))
        assert np.abs(_current_na(fit, g, gate, np.zeros_like(gate)) / saturated).max() < 1e-6
        for drain in (0.02, 0.05, 0.1):
            at = np.full_like(gate, drain)
            expected = law.current_a(geometry, gate, at, 0.0) * 1e9
            assert np.abs(_current_na(fit, g, gate, at) - expected).max() / saturated.max() < 5e-3


def test_slopes_are_those_of_the_currents_and_have_the_right_sign(fit: MirrorFit) -> None:
    step = 1e-6
    for g in range(len(fit.geometries)):
        gate, drain = _grid(fit, g)
        drain = np.where(np.arange(len(drain)) % 5 == 0, drain / 20, drain)
        devices = _devices(fit, len(gate))
        _, by_gate, by_drain = (values[g] for values in devices.copies(np.stack([gate, drain])))
        inside = gate < fit.high_v[g] - step
        for slope, along in ((by_gate, (step, 0.0)), (by_drain, (0.0, step))):
            more = _current_na(fit, g, gate + along[0], drain + along[1])
            less = _current_na(fit, g, gate - along[0], drain - along[1])
            expected = (more - less) / (2 * step)
            scale = np.abs(expected) + 1e-6 * more
            assert np.abs((slope - expected)[inside] / scale[inside]).max() < 1e-4
            assert (slope > 0).all()
        _, slope = devices.diodes(np.stack([gate]))
        assert (slope[g] > 0).all()


def test_sensitivities_are_recovered(fit: MirrorFit) -> None:
    assert fit.kd_per_v == pytest.approx(law.KD_PER_V[fit.polarity], abs=0.02)
    assert fit.mobility == pytest.approx(law.MOBILITY_POWER, rel=1e-6)
    gate, drain = _grid(fit, 0)
    shifted = _devices(fit, len(gate), -SHIFT_V).copies(np.stack([gate, drain]))[0][0]
    expected = law.current_a(fit.geometries[0], gate - SHIFT_V, drain, 0.0) * 1e9
    assert np.abs(shifted / expected - 1).max() < 2e-3


def test_the_range_ends_at_the_limit(fit: MirrorFit) -> None:
    limits = law.highest_a(HARDWARE, fit.geometries)
    for g, (geometry, limit) in enumerate(zip(fit.geometries, limits, strict=True)):
        at_end = law.current_a(geometry, fit.high_v[g], np.array(0.6), 0.0)
        assert float(at_end) == pytest.approx(limit, rel=0.02)
        # Beyond it, and far below the picoamperes, the exponential goes on with its slope.
        for edge, outside in ((fit.high_v[g], 0.1), (fit.low_v[g], -0.1)):
            volts = edge + np.array([0.0, outside / 2, outside])
            ln = np.log(_current_na(fit, g, volts, np.full(3, 0.6)))
            assert ln[2] - ln[1] == pytest.approx(ln[1] - ln[0], rel=1e-9)


def test_a_device_that_cannot_carry_the_current_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Point:
        hardware = HARDWARE

    def weak(_: object, geometries: list[Geometry]) -> MirrorTable:
        table = law.mirror_table(geometries)
        return MirrorTable(**{**vars(table), "current_a": table.current_a / 1e4})

    monkeypatch.setattr(characterise, "mirror_table", weak)
    sizes = [Geometry("n", *SIZES[0])]
    with pytest.raises(
        Unsupported, match=r"n 1\.2u/10u carries at most .* fits devices up to 8 nA"
    ):
        characterise._measure(Point(), sizes, [], [])  # type: ignore[arg-type]
    with pytest.raises(Unsupported, match="both polarities"):
        characterise._measure(Point(), [], [], [])  # type: ignore[arg-type]


@pytest.mark.parametrize("polarity", ["n", "p"])
def test_switches_follow_the_law(polarity: str) -> None:
    geometry = Geometry(polarity, 5e-7, 5e-7)
    table = law.switch_table(geometry)
    fit = fit_switch(geometry, table, 30e-9)
    assert fit.error.rms < 0.02
    assert fit.thermal_v == pytest.approx(THERMAL_V, rel=0.05)
    none = np.zeros((0, 3), np.int64)
    copies, diodes = np.array([[0, 0, 0, 0, 1, -1, 1]]), np.array([[0, 0, 0, 0, -1]])
    circuit = Circuit(copies, diodes, np.array([[0, 0, 0, 0, 1, 2]]), none, none, none, 0)
    mirror = _fit("n", SIZES[:1])
    models = characterise.Models((mirror, mirror), (fit,), ((), ()), ())
    draw = np.random.default_rng(0)
    volts = np.stack([draw.uniform(0.3, 1.2, 200), *draw.uniform(0, 1.2, (2, 200))])
    devices = Devices(circuit, models, 1.8, 27.0, np.zeros((200, 1)), np.ones((200, 1)))
    current, *slopes = (values[0] for values in devices.switches(volts))
    assert (np.sign(current) == np.sign(volts[1] - volts[2])).all()
    swapped = devices.switches(volts[[0, 2, 1]])[0][0]
    np.testing.assert_allclose(swapped, -current, rtol=1e-9)
    for terminal, slope in enumerate(slopes):
        step = np.zeros((3, 1))
        step[terminal] = 1e-6
        above, below = (devices.switches(volts + sign * step)[0][0] for sign in (1, -1))
        expected = (above - below) / 2e-6
        np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-6 * np.abs(slope).max())
    assert (slopes[1] >= 0).all()
    assert (slopes[2] <= 0).all()


def test_models_survive_the_cache_and_the_digest_knows_every_number() -> None:
    circuit = small("async")
    models = law.models_of(circuit.graph, circuit.hardware)
    content = characterise._content(models)
    again = characterise._models(content)
    assert again.digest() == models.digest()
    assert again.switches[0].pinch.tolist() == models.switches[0].pinch.tolist()
    content["mirrors"][0]["gate"][0][3] *= 1 + 1e-12
    assert characterise._models(content).digest() != models.digest()
