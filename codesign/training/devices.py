"""The transistors of a first-quadrant network whose mismatch changes what a parameter does.

A parameter is one device, but others stand in its path: the diode of the line it copies (one for
all that read the line), the turn that mirrors a line to the other polarity, the reference that
every bias current copies, and in a cell the mirrors between a bias current and the decision node.
``parts`` lists them all, by the instance names of the netlist; ``sigmas`` says how far each lies
from its drawing, as the natural logarithm of its current:

    sigma = hypot(sigma(Vth) / (n kT/q), sigma(k)),    sigma(Vth) = A_VT / sqrt(2 m W' L')

(Pelgrom, 1989; weak inversion). A weight is m = |w| grid unit devices in parallel, so its sigma
falls with the root of its magnitude; a line has one unit current, m = grid.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from codesign.flows import HardwareSection
from codesign.pdk.adapter import MismatchLaw, load_adapter

_K_OVER_Q, _KELVIN = 8.617333262e-5, 273.15
_POLARITY = {"n": "nmos", "p": "pmos"}

Size = Literal["line", "cell", "weight", "bias"]


@dataclass(frozen=True)
class Part:
    """An array of like devices. key: its name here; names: instances of the netlist, in the order
    of ``shape``; polarity "n" or "p", or "sign": p where the parameter is positive, else n.

    size: unit devices of a line, a cell mirror, unit devices in the number of ``parameter``
    (weight), or a mirror that makes the bias current ``parameter`` (bias).
    """

    key: str
    polarity: Literal["n", "p", "sign"]
    size: Size
    names: tuple[str, ...]
    shape: tuple[int, ...]
    parameter: str = ""


@cache
def parts(shape: tuple[int, int, int, int]) -> tuple[Part, ...]:
    """All parts of a network of (inputs, state_dim, layers, classes), the order fixed."""
    inputs, d, layers, classes = shape
    found = [
        Part("reference.line", "p", "line", ("xreference.xline.mline",), (1,)),
        Part("reference.copy", "p", "line", ("xreference.xturn.mcopy",), (1,)),
        Part("reference.turn", "n", "line", ("xreference.xturn.mline",), (1,)),
        _row("input.line", "p", "line", "xinput_{}.mline", inputs),
        *_turned_in("input", "xprojection", inputs),
        *_block("projection", "xprojection", inputs, d),
        *_native("projection", "xprojection", d),
    ]
    for layer in range(layers):
        name, path = f"layers.{layer}", f"xlayers_{layer}"
        found += [
            *_block(f"{name}.candidate", f"{path}.xcandidate", d, d),
            *_native(f"{name}.candidate", f"{path}.xcandidate", d),
            *_cells(name, path, d),
            *_turned_in(f"{name}.state", f"{path}.xoutput", d),
            *_block(f"{name}.output", f"{path}.xoutput", d, d),
            *_native(f"{name}.output", f"{path}.xoutput", d),
            _row(f"{name}.skip.branch", "p", "line", f"{path}.xskip.mbranch_{{}}", d),
            _row(f"{name}.skip.carried", "p", "line", f"{path}.xskip.mcarried_{{}}", d),
            *_native(f"{name}.skip", f"{path}.xskip", d),
        ]
    return (*found, *_block("readout", "xreadout", d, classes))


def _row(
    key: str, polarity: Literal["n", "p"], size: Size, name: str, count: int, parameter: str = ""
) -> Part:
    return Part(
        key, polarity, size, tuple(name.format(k) for k in range(count)), (count,), parameter
    )


def _block(name: str, path: str, inputs: int, outputs: int) -> tuple[Part, Part]:
    weights = tuple(f"{path}.mweight_{j}_{i}" for j in range(outputs) for i in range(inputs))
    biases = tuple(f"{path}.mbias_{j}" for j in range(outputs))
    return (
        Part(f"{name}.weight", "sign", "weight", weights, (outputs, inputs), f"{name}.weight"),
        Part(f"{name}.bias", "sign", "weight", biases, (outputs,), f"{name}.bias"),
    )


def _native(name: str, path: str, count: int) -> tuple[Part, ...]:
    """A sum's own N line, and its turn to a P line."""
    return (
        _row(f"{name}.relu", "n", "line", f"{path}.mrelu_{{}}", count),
        _row(f"{name}.copy", "n", "line", f"{path}.xturn_{{}}.mcopy", count),
        _row(f"{name}.turn", "p", "line", f"{path}.xturn_{{}}.mline", count),
    )


def _turned_in(name: str, path: str, count: int) -> tuple[Part, Part]:
    """The turn of a P line to an N line, in the block that reads it."""
    return (
        _row(f"{name}.copy", "p", "line", f"{path}.xturnin_{{}}.mcopy", count),
        _row(f"{name}.turn", "n", "line", f"{path}.xturnin_{{}}.mline", count),
    )


def _cells(name: str, path: str, d: int) -> list[Part]:
    unit = f"{path}.xcell.xunit_{{}}"
    found = [
        _row(f"{name}.m1", "p", "line", f"{unit}.m1", d),
        _row(f"{name}.m4", "p", "line", f"{unit}.m4", d),
        _row(f"{name}.m7", "p", "cell", f"{unit}.m7", d),
        _row(f"{name}.m9", "p", "cell", f"{unit}.m9", d),
    ]
    for value, mirror in (("beta_hi", "m2"), ("width", "m8"), ("alpha", "m5")):
        source, diode = f"{path}.xcell.m{value}_{{}}", f"{path}.xcell.mdiode_{value}_{{}}"
        parameter = f"{name}.cell.{value}"
        found += [
            _row(f"{name}.{value}.source", "p", "bias", source, d, parameter),
            _row(f"{name}.{value}.diode", "n", "cell", diode, d),
            _row(f"{name}.{value}.mirror", "n", "cell", f"{unit}.{mirror}", d),
        ]
    return found


@dataclass(frozen=True)
class Spread:
    """Standard deviations of ln I of the devices of a hardware specification.

    line, cell: by polarity. unit: of one unit device. grid: unit devices of a unit current.
    """

    unit: Mapping[str, float]
    cell: Mapping[str, float]
    grid: int

    @classmethod
    def of(cls, hardware: HardwareSection, law: MismatchLaw | None = None) -> "Spread":
        """By the law of the hardware's process (or ``law``). Raises InputError when there is no
        such process."""
        law = law or load_adapter(hardware.pdk).mismatch
        thermal_v = _K_OVER_Q * (hardware.temperature_c + _KELVIN)

        def sigma(polarity: str, w_m: float, l_m: float) -> float:
            name = _POLARITY[polarity]
            gain_per_v = 1 / (law.slope_factor(name) * thermal_v)
            return math.hypot(
                law.sigma_vth_v(name, w_m, l_m) * gain_per_v, law.sigma_k(name, w_m, l_m)
            )

        return cls(
            {p: sigma(p, hardware.unit_w_m, hardware.unit_l_m) for p in "np"},
            {p: sigma(p, hardware.cell_w_m, hardware.cell_l_m) for p in "np"},
            hardware.weight_grid,
        )

    def sigma(self, part: Part, parameters: Mapping[str, Tensor]) -> Tensor | float:
        """Of every device of a part, a number or [*S, *part.shape]; no gradient passes."""
        if part.size == "cell":
            return self.cell[part.polarity]
        if part.size == "line":
            return self.unit[part.polarity] / math.sqrt(self.grid)
        value = parameters[part.parameter].detach()
        units = value.abs() * self.grid
        if part.size == "bias":
            # m = ceil(units) devices, each as much longer than a unit as makes the current.
            count = torch.ceil(units).clamp_min(1)
            return self.unit[part.polarity] / (count / units.clamp_min(1e-6).sqrt())
        one = torch.where(value < 0, self.unit["n"], self.unit["p"])
        # A weight of zero has no device; the smallest there is stands for what is on its way there.
        return one / units.clamp_min(1).sqrt()
