"""Noise of the engine: each device gets the densities of its own kind."""

import numpy as np
import pytest

from codesign.device.bench import ProcessPoint
from codesign.device.noise import CHARGE_C, Geometry, measure_noise
from codesign.engine.noise import POLES, flicker_ladder, noise_table
from codesign.pdk import find_pdk
from codesign.spice.ngspice import find_ngspice, ngspice_version
from tests.engine.circuits import small

TICK_S = 2e-4


@pytest.mark.ngspice
def test_every_mirror_has_the_densities_of_its_polarity_and_size() -> None:
    circuit = small("strobed", pdk="generic180")
    ngspice = find_ngspice()
    point = ProcessPoint(
        find_pdk("generic180"), circuit.hardware, ngspice, ngspice_version(ngspice)
    )
    graph = circuit.graph
    switches = frozenset(d.name for block in graph.blocks for d in block.switches)
    table = noise_table(point, graph.devices, switches, TICK_S)
    hw = circuit.hardware
    for polarity, name in (("n", "nmos"), ("p", "pmos")):
        (density,) = measure_noise(point, [Geometry(name, hw.unit_w_m, hw.unit_l_m)])
        found = [
            k
            for k, d in enumerate(graph.devices)
            if (d.polarity, d.w_m, d.l_m) == (polarity, hw.unit_w_m, hw.unit_l_m)
        ]
        assert found
        white = density.white_factor * CHARGE_C * 1e9 / TICK_S
        np.testing.assert_allclose(table.white[found], white, rtol=1e-9)
    silent = [k for k, d in enumerate(graph.devices) if d.name in switches]
    assert not table.white[silent].any()
    assert not table.flicker[silent].any()


def test_a_polarity_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="neither 'nmos' nor 'pmos'"):
        Geometry("n", 1e-6, 1e-6)


@pytest.mark.parametrize("slope", [0.95, 1.0, 1.12])
def test_the_ladder_falls_as_it_should(slope: float) -> None:
    pole, weight = flicker_ladder(slope, TICK_S)
    assert pole.shape == weight.shape == (POLES,)
    frequency = np.logspace(-1, 3, 60)
    z = np.exp(2j * np.pi * frequency * TICK_S)
    density = np.abs((1 / (1 - pole / z[:, None])) @ weight) ** 2 * 2 * TICK_S
    np.testing.assert_allclose(density * frequency**slope, 1, atol=0.15)
