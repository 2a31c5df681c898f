"""Mismatch draws: how far each transistor of each chip lies from its drawing.

A draw belongs to an address, the pair (chip seed, instance name), and to nothing else: not to the
order of the devices, the other devices, the number of chips, or the platform. So any sample can be
made again alone, in any engine, and a device that is added leaves all others as they were.

The two halves of an address become 64-bit keys (the seed through SplitMix64's finaliser; the name
as the first eight bytes of its SHA-256); their sum seeds a SplitMix64 stream (Steele, Lea and
Flood, OOPSLA 2014) whose first two values, as uniform numbers, give the two normal deviates.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from codesign.circuit.elements import Mosfet
from codesign.pdk.adapter import MismatchLaw

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

    A seed is any integer of up to 64 bits. Sigmas are those of one device under ``law``.
    """
    sizes = [
        (_POLARITY[device.polarity], float(device.w_m), float(device.l_m), int(device.m))
        for device in devices
    ]
    sigma_vth_v = np.array([law.sigma_vth_v(*size) for size in sizes])
    sigma_k = np.array([law.sigma_k(*size) for size in sizes])
    instances = tuple(device.name for device in devices)
    names = np.array([_name_key(name) for name in instances], dtype=np.uint64)
    chips = _mixed(np.array([seed & _MASK for seed in seeds], dtype=np.uint64) + _GAMMA)
    start = _mixed(chips[:, None] + names[None, :])
    return Draws(
        instances=instances,
        delvto_v=sigma_vth_v * _normal(start + _GAMMA),
        mulu0=1.0 + sigma_k * _normal(start + _GAMMA + _GAMMA),
    )


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
