"""Device noise of one sample in ngspice: densities, the currents they follow, the sources.

ngspice's ``.tran`` knows no device noise (``device.noise_source``). Every transistor that is not a
switch gets a current between its drain and its source, with the white and 1/f densities of its
geometry (``device.noise``) at the current it carries *at that moment*. That current comes from a
run of the same chip and clip without noise, so a cell's devices have noise according to the state
the cell is in; what noise itself changes about the currents, a state that flips say, is not fed
back (the batched engine does feed it back). Samples are ``tick_s`` apart and linear in between.
Sources that end on the same two nodes are written as one, their sum.

A device's noise depends on (noise seed, instance name) and its currents alone.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.circuit.elements import Mosfet
from codesign.circuit.network import SUPPLIES
from codesign.device.bench import ProcessPoint
from codesign.device.noise import CHARGE_C, Geometry, measure_noise
from codesign.device.noise_source import noise_samples, sampled_line
from codesign.files import atomic_path
from codesign.spice.rawfile import Plot

TICK_S = 2e-4
# Folder, inside a plan's, of the runs of the same chips and clips without noise.
STILL = "still"
_POLARITY = {"n": "nmos", "p": "pmos"}
_RAILS = {*SUPPLIES, "vss", "0"}

Floats = NDArray[np.float64]


class StillMissing(Exception):  # noqa: N818 - a result, not a fault of the program
    """The run without noise that a noisy sample's currents come from did not end well."""


@dataclass(frozen=True)
class NoiseLaw:
    """Noise of the devices of a network, in their order, for samples ``tick_s`` apart.

    Arrays (devices,) as in ``device.noise.NoiseDensity``, with a ``white_factor`` and ``flicker``
    of 0 for switches: their noise is that of the mirror they stand on, which sets the current.
    ``repeats``: samples per run without noise.
    """

    tick_s: float
    repeats: int
    white_factor: Floats
    inversion_a: Floats
    flicker: Floats
    exponent: Floats
    slope: Floats
    m: Floats

    def densities(self, currents_a: Floats) -> tuple[Floats, Floats]:
        """White density and flicker density at 1 Hz (A^2/Hz, one-sided) of every device at
        ``currents_a`` (devices, ...)."""
        wide = (slice(None), *(None,) * (currents_a.ndim - 1))
        total = np.abs(currents_a)
        each = total / self.m[wide]
        falls = 2 / (1 + np.sqrt(1 + 4 * each / self.inversion_a[wide]))
        white = self.white_factor[wide] * 2 * CHARGE_C * total * falls
        flicker = self.m[wide] * self.flicker[wide] * each ** self.exponent[wide] * falls
        return white, flicker


def is_switch(device: Mosfet) -> bool:
    """Whether a device of the flat network steers a current that another one sets."""
    return device.source not in _RAILS


def noise_law(
    point: ProcessPoint, devices: Sequence[Mosfet], repeats: int, tick_s: float = TICK_S
) -> NoiseLaw:
    """Measure the noise of every geometry of a network, or recall it.

    Raises EnvironmentMissing when ngspice cannot measure it.
    """
    geometry = [Geometry(_POLARITY[d.polarity], float(d.w_m), float(d.l_m)) for d in devices]
    loud = [not is_switch(device) for device in devices]
    wanted = sorted(
        {g for g, on in zip(geometry, loud, strict=True) if on},
        key=lambda g: (g.polarity, g.w_m, g.l_m),
    )
    measured = dict(zip(wanted, measure_noise(point, wanted), strict=True))
    rows = [
        (d.white_factor, d.inversion_a, d.flicker, d.exponent, d.slope)
        if on and (d := measured[g]) is not None
        else (0.0, 1.0, 0.0, 2.0, 1.0)
        for g, on in zip(geometry, loud, strict=True)
    ]
    white, inversion, flicker, exponent, slope = np.array(rows, dtype=np.float64).T.copy()
    m = np.array([float(d.m) for d in devices])
    return NoiseLaw(tick_s, repeats, white, inversion, flicker, exponent, slope, m)


def noise_lines(
    law: NoiseLaw, devices: Sequence[Mosfet], connected: Sequence[Mosfet], currents_a: Floats,
    seed: int,
) -> str:  # fmt: skip
    """The sources of one sample.

    ``devices`` name the draws, ``connected`` are the same devices with the nodes of the deck;
    ``currents_a`` (devices, ticks) are their currents every ``law.tick_s`` from t = 0.
    """
    white, flicker = law.densities(currents_a)
    count = currents_a.shape[1]
    sums: dict[tuple[str, str], Floats] = {}
    for k, (device, placed) in enumerate(zip(devices, connected, strict=True)):
        if law.white_factor[k] == 0 or placed.drain == placed.source:
            continue
        key = [seed, name_key(device.name)]
        noise = np.sqrt(white[k]) * noise_samples(1.0, 0.0, law.tick_s, count, [*key, 0])
        if law.flicker[k] > 0:
            slope = float(law.slope[k])
            noise += np.sqrt(flicker[k]) * noise_samples(
                0.0, 1.0, law.tick_s, count, [*key, 1], slope
            )
        ends = (placed.drain, placed.source)
        sums[ends] = sums[ends] + noise if ends in sums else noise
    return "".join(
        sampled_line(f"inoise{k}", *ends, samples, law.tick_s)
        for k, (ends, samples) in enumerate(sums.items())
    )


def name_key(name: str) -> int:
    """A device's name as a number, the same everywhere."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def current_vectors(connected: Sequence[Mosfet]) -> list[str]:
    """What a run without noise has to save."""
    return [f"@{device.name}[id]" for device in connected]


def currents_path(folder: Path, name: str) -> Path:
    return folder / "currents" / f"{name}.npy"


def write_currents(
    path: Path, plot: Plot, connected: Sequence[Mosfet], tick_s: float, stop_s: float
) -> None:
    """Keep the currents of a run: (devices, ticks) nanoampere, float16 (0.05 %)."""
    ticks = np.arange(round(stop_s / tick_s) + 1) * tick_s
    table = np.empty((len(connected), len(ticks)), np.float16)
    for k, vector in enumerate(current_vectors(connected)):
        table[k] = np.interp(ticks, plot.scale, np.abs(plot[vector])) * 1e9
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, table)


def read_currents(path: Path) -> Floats:
    """Currents (devices, ticks), amperes; raises StillMissing where that run failed."""
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64) * 1e-9
    except (OSError, ValueError) as error:
        raise StillMissing(
            "its run without noise, whose currents its noise follows, left none: see its log in "
            f"{STILL}/logs"
        ) from error
