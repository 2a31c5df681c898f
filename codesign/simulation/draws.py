"""Draws: how far each transistor of each chip lies from its drawing.

A draw belongs to an address, the pair (chip seed, instance name), and to nothing else: not to the
order of the devices, the other devices, the number of chips, or the platform. So any sample can be
made again alone, in any engine, and a device that is added leaves all others as they were.

The two halves of an address become 64-bit keys (the seed through SplitMix64's finaliser; the name
as the first eight bytes of its SHA-256); their sum seeds a SplitMix64 stream (Steele, Lea and
Flood, OOPSLA 2014) whose first two values, as uniform numbers, give the two normal deviates.

What all devices of a chip share is drawn the same way: a source of process variation has the
address (chip seed, ``process.<name of the source>``) and one deviate.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from codesign.circuit.elements import Mosfet
from codesign.pdk.adapter import ChipLaw, MismatchLaw
from codesign.pdk.variation import ProcessVariation

Floats = NDArray[np.float64]
_Words = NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MASK = 0xFFFFFFFFFFFFFFFF
_POLARITY = {"n": "nmos", "p": "pmos"}


@dataclass(frozen=True)
class Draws:
    """Deviations of every device on some chips.

    ``delvto_v`` (chips, devices), volts, is added to a device's threshold as ngspice's ``delvto``
    is: a positive one makes an N device weaker and a P device stronger. ``mulu0`` (chips, devices)
    multiplies its mobility and lies around 1.
    """

    instances: tuple[str, ...]
    delvto_v: Floats
    mulu0: Floats


def draw_mismatch(devices: Sequence[Mosfet], law: MismatchLaw, seeds: Sequence[int]) -> Draws:
    """Independent normal draws for ``devices`` (of ``flatten``) on the chips called ``seeds``.

    A seed is any integer of up to 64 bits. Sigmas are those of one device under ``law``; under a
    ``ChipLaw`` every chip has its variation of the process on top of them.
    """
    sizes = [
        (_POLARITY[device.polarity], float(device.w_m), float(device.l_m), int(device.m))
        for device in devices
    ]
    sigma_vth_v = np.array([law.sigma_vth_v(*size) for size in sizes])
    sigma_k = np.array([law.sigma_k(*size) for size in sizes])
    start = _states([device.name for device in devices], seeds)
    shared = _shared(devices, law.process, seeds) if isinstance(law, ChipLaw) else None
    delvto_v = sigma_vth_v * _normal(start + _GAMMA)
    mulu0 = 1.0 + sigma_k * _normal(start + _GAMMA + _GAMMA)
    return Draws(
        instances=tuple(device.name for device in devices),
        delvto_v=delvto_v if shared is None else delvto_v + shared.delvto_v,
        mulu0=mulu0 if shared is None else mulu0 * shared.mulu0,
    )


def process_deviates(process: ProcessVariation, seeds: Sequence[int]) -> Floats:
    """The standard normal numbers of every source on every chip, (chips, sources)."""
    return _normal(_states([f"process.{name}" for name in process], seeds) + _GAMMA)


def _shared(devices: Sequence[Mosfet], process: ProcessVariation, seeds: Sequence[int]) -> Draws:
    """What the sources do to each device of each chip."""
    shifts = [[source.of(device.polarity) for device in devices] for source in process.values()]
    per_sigma_v = np.array([[shift.vth_v for shift in row] for row in shifts])
    per_sigma_k = np.array(
        [
            [
                shift.factor(float(device.w_m), float(device.l_m))
                for shift, device in zip(row, devices, strict=True)
            ]
            for row in shifts
        ]
    )
    deviates = process_deviates(process, seeds)
    # Summed source by source: a product of matrices may round differently on another machine.
    delvto_v = np.zeros((len(seeds), len(devices)))
    mulu0 = np.ones_like(delvto_v)
    for column, volts, parts in zip(deviates.T, per_sigma_v, per_sigma_k, strict=True):
        delvto_v += column[:, None] * volts
        mulu0 *= 1.0 + column[:, None] * parts
    return Draws(tuple(device.name for device in devices), delvto_v, mulu0)


def _states(names: Sequence[str], seeds: Sequence[int]) -> _Words:
    """The state at which the stream of every address begins, (seeds, names)."""
    keys = np.array([_name_key(name) for name in names], dtype=np.uint64)
    chips = _mixed(np.array([seed & _MASK for seed in seeds], dtype=np.uint64) + _GAMMA)
    return _mixed(chips[:, None] + keys[None, :])


def _name_key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _mixed(words: _Words) -> _Words:
    """SplitMix64's finaliser."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _normal(states: _Words) -> Floats:
    """Normal deviates of stream states, through the middle of 2^53 equal parts of (0, 1)."""
    parts = (_mixed(states) >> np.uint64(11)).astype(np.float64)
    return np.asarray(ndtri((parts + 0.5) * 2.0**-53), dtype=np.float64)
