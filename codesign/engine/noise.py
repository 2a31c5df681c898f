"""Device noise as the kernel injects it: densities per device, and flicker from white numbers.

White and flicker densities come from ``codesign.device.noise`` (ngspice's ``.noise``), per
geometry. Every tick each node gets one Gaussian for all white sources that end on it, and one per
polarity for all flicker sources; between ticks they are linear in time, as ngspice's TRNOISE is.
What is left out: the noise of switches, which steer currents that mirrors set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from codesign.circuit.elements import Mosfet
from codesign.device.bench import ProcessPoint
from codesign.device.noise import CHARGE_C, Geometry, measure_noise

POLES = 8
_POLARITY = {"n": "nmos", "p": "pmos"}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NoiseTable:
    """Per device: ``white`` variance per nanoampere (nA), ``flicker`` variance at 1 Hz per squared
    nanoampere, ``inversion_na`` where both bend; the ladders of n and p (2, POLES); the tick."""

    white: Floats
    flicker: Floats
    inversion_na: Floats
    pole: Floats
    weight: Floats
    tick_us: float


def noise_table(
    point: ProcessPoint, devices: Sequence[Mosfet], switches: frozenset[str], tick_s: float
) -> NoiseTable:
    """Noise of every device for samples ``tick_s`` apart; devices in ``switches`` have none.

    Raises EnvironmentMissing when ngspice cannot measure it.
    """
    geometry = {
        d.name: Geometry(_POLARITY[d.polarity], float(d.w_m), float(d.l_m)) for d in devices
    }
    wanted = sorted(
        {g for name, g in geometry.items() if name not in switches},
        key=lambda g: (g.polarity, g.w_m, g.l_m),
    )
    measured = dict(zip(wanted, measure_noise(point, wanted), strict=True))
    white, flicker, inversion = (np.zeros(len(devices)) for _ in range(3))
    for k, device in enumerate(devices):
        inversion[k] = 1.0
        if device.name in switches:
            continue
        density, m = measured[geometry[device.name]], float(device.m)
        white[k] = density.white_factor * 2 * CHARGE_C * 1e9 / (2 * tick_s)
        # The exponent is 2 within two per cent: exact at a tenth of a nanoampere per device.
        flicker[k] = density.flicker * 1e-10 ** (density.exponent - 2) / m
        inversion[k] = density.inversion_a * 1e9 * m
    slopes = [
        float(np.mean([d.slope for g, d in measured.items() if g.polarity == polarity] or [1.0]))
        for polarity in _POLARITY.values()
    ]
    ladders = [flicker_ladder(slope, tick_s) for slope in slopes]
    return NoiseTable(
        white, flicker, inversion, np.array([p for p, _ in ladders]),
        np.array([w for _, w in ladders]), tick_s * 1e6,
    )  # fmt: skip


def flicker_ladder(slope: float, tick_s: float) -> tuple[Floats, Floats]:
    """Poles and weights of a filter that makes 1/f^slope from white numbers of unit variance.

    y = sum_j weight_j s_j with s_j <- pole_j s_j + number has, sampled every ``tick_s``, the
    one-sided density f^-slope (1 at 1 Hz) over five decades below half the sampling rate.
    """
    nyquist = 1 / (2 * tick_s)
    corners = nyquist * np.logspace(-5.2, 0.1, POLES)
    pole = np.exp(-2 * np.pi * corners * tick_s)
    frequency = nyquist * np.logspace(-5, -0.05, 200)
    z = np.exp(2j * np.pi * frequency * tick_s)
    terms = 1 / (1 - pole[None, :] / z[:, None])
    wanted = -slope * np.log(frequency)

    def misfit(log_weight: Floats) -> Floats:
        density = np.abs(terms @ np.exp(log_weight)) ** 2 * 2 * tick_s
        return np.asarray(np.log(density) - wanted)

    start = np.log((1 - pole) * corners ** (-slope / 2) / np.sqrt(2 * tick_s) * 0.5)
    found = least_squares(misfit, start)
    return pole, np.exp(found.x)
