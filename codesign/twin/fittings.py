"""How the copies of one netlist differ from the copies a twin assumes.

A twin makes every copy of unit devices of the length trimmed for its kind, in the number its
parameter says. A netlist may make it otherwise: a turn trimmed for the current it carries, a weight
by its width and length, a value moved onto the grid. The difference is a factor, the same at every
current to a good part: the ratio of the two devices' currents at one unit.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.circuit.elements import Mosfet
from codesign.device.geometry import Geometry, geometry_of
from codesign.twin.transfer import KINDS, Transfer, copy_na, place

_COPY = re.compile(r"\.m(weight|bias|branch|carried|copy)(_[0-9_]+)?$")


def copies_of(devices: Sequence[Mosfet]) -> list[Mosfet]:
    """The copies of a flat network whose size is the design's: weights, biases, turns, skips."""
    return [device for device in devices if _COPY.search(device.name)]


def fittings(
    transfer: Transfer,
    trims_m: Mapping[str, float],
    devices: Sequence[Mosfet],
    parameters: Mapping[str, NDArray[np.float64]],
) -> dict[str, float]:
    """ln of each copy's current over the one the twin assumes, by instance; ``devices`` must be
    among the geometries of ``transfer.models``, ``parameters`` are the learned values."""
    hw = transfer.hardware
    gate = {
        polarity: np.array(getattr(transfer, polarity).volts.at(0.0)) for polarity in ("n", "p")
    }
    result = {}
    for device in devices:
        kind = kind_of(device)
        assumed = Geometry(device.polarity, hw.unit_w_m, trims_m[kind])
        reads, supply = gate[device.polarity], hw.supply_v
        drain = {"sum": gate["n"], "p": supply - gate["p"], "readout": np.array(hw.readout_v)}
        at = drain[kind.split("_")[-1]]
        across = supply - at if device.polarity == "p" else at
        units = _units(device, parameters)
        if units > 0:
            own, ideal = (
                copy_na(*place(transfer.models, geometry), reads, across)
                for geometry in (geometry_of(device), assumed)
            )
            ratio = float(device.m) * own / (units * hw.weight_grid * ideal)
            result[device.name] = float(np.log(ratio))
    return result


def kind_of(device: Mosfet) -> str:
    """The kind of copy, by what its drain ends on."""
    if ".mcopy" in device.name and device.polarity == "n":
        return "n_to_p"
    kind = f"{device.polarity}_to_{'readout' if device.name.startswith('xreadout.') else 'sum'}"
    assert kind in KINDS
    return kind


def _units(device: Mosfet, parameters: Mapping[str, NDArray[np.float64]]) -> float:
    """Magnitude of the parameter a copy carries; 1 for turns and skips."""
    path, name = device.name.rsplit(".", 1)
    found = re.fullmatch(r"m(weight|bias)((?:_[0-9]+)+)", name)
    if found is None:
        return 1.0
    block = ".".join(
        part.removeprefix("x").replace("layers_", "layers.") for part in path.split(".")
    )
    index = tuple(int(k) for k in found[2].strip("_").split("_"))
    return float(abs(parameters[f"{block}.{found[1]}"][index]))
