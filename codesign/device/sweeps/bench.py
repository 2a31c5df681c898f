"""Pieces of decks that several sweeps share: log-swept currents, and what ngspice is asked for."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.device.bench import ProcessPoint
from codesign.device.geometry import sign_and_model
from codesign.flows import HardwareSection
from codesign.spice.rawfile import Plot

Floats = NDArray[np.float64]

POLARITIES = ("n", "p")


def device_size(hardware: HardwareSection, device: str) -> str:
    """Width, length and multiplicity of a ``unit`` device (of one unit of weight) or ``cell``."""
    if device == "unit":
        return f"w={hardware.unit_w_m:.9g} l={hardware.unit_l_m:.9g} m={hardware.weight_grid}"
    return f"w={hardware.cell_w_m:.9g} l={hardware.cell_l_m:.9g} m=1"


def rail(polarity: str) -> str:
    """Where sources and bulks of a polarity are."""
    return "0" if polarity == "n" else "vdd"


def model(point: ProcessPoint, polarity: str) -> str:
    return sign_and_model(point, polarity)[1]


def driven_diode(point: ProcessPoint, name: str, polarity: str, size: str, current: str) -> str:
    """A diode ``m<name>`` on the node ``<name>``, driven with the current ``current`` (a formula).

    Sweeping the logarithm of the current keeps Newton's method on the way at any current.
    """
    ends = f"vdd {name}" if polarity == "n" else f"{name} 0"
    return (
        f"b{name} {ends} i={current}\n"
        f"m{name} {name} {name} {rail(polarity)} {rail(polarity)} {model(point, polarity)} {size}\n"
    )


def log_span(source: str, currents_a: Sequence[float]) -> str:
    """The sweep of ``source`` over the logarithms of evenly spaced currents."""
    low, high = math.log(currents_a[0]), math.log(currents_a[-1])
    step = (high - low) / (len(currents_a) - 1)
    # A quarter of a step further: rounding must not lose the last point.
    return f"{source} {low:.12g} {high + 0.25 * step:.12g} {step:.12g}"


def vector(plot: Plot, name: str) -> Floats:
    return np.asarray(plot[name].real, np.float64)
