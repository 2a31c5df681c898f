"""The network without hierarchy, each transistor with its own deviations from the drawing.

ngspice names what is inside an instance by the path to it. A flat deck that spells the same names
out (device ``m.xnetwork.xlayers_0...``, node ``xnetwork.xlayers_0...v0``) therefore has the same
vectors as the hierarchical one, and everything that reads results reads both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.circuit.elements import Capacitor, Mosfet, flatten
from codesign.circuit.library import read_network

_GROUND = "0"


@dataclass(frozen=True)
class FlatNetwork:
    """The devices of a network by path, and the ports in order; nodes are those of ``flatten``."""

    ports: tuple[str, ...]
    mosfets: tuple[Mosfet, ...]
    capacitors: tuple[Capacitor, ...]

    def at(self, instance: str, nodes: Sequence[str]) -> "FlatNetwork":
        """The network as the instance ``instance`` whose ports are connected to ``nodes``."""
        connected = {_GROUND: _GROUND, **dict(zip(self.ports, nodes, strict=True))}

        def node(name: str) -> str:
            return connected.get(name, f"{instance}.{name}")

        return FlatNetwork(
            tuple(nodes),
            tuple(
                replace(
                    device,
                    name=f"m.{instance}.{device.name}",
                    drain=node(device.drain),
                    gate=node(device.gate),
                    source=node(device.source),
                    bulk=node(device.bulk),
                )
                for device in self.mosfets
            ),
            tuple(
                replace(
                    device,
                    name=f"c.{instance}.{device.name}",
                    plus=node(device.plus),
                    minus=node(device.minus),
                )
                for device in self.capacitors
            ),
        )


def read_flat_network(folder: Path, nmos: str, pmos: str) -> FlatNetwork:
    """The network of a design folder as it stands on disk, without hierarchy.

    Raises InputError for a missing file or a line outside the library's dialect.
    """
    library = read_network(folder, nmos, pmos)
    devices = list(flatten(library))
    return FlatNetwork(
        library.subcircuits[library.top].ports,
        tuple(device for device in devices if isinstance(device, Mosfet)),
        tuple(device for device in devices if isinstance(device, Capacitor)),
    )


def flat_text(
    network: FlatNetwork,
    models: Mapping[str, str],
    delvto_v: NDArray[np.float64],
    mulu0: NDArray[np.float64],
) -> str:
    """One line per device; deviations (devices,) are in the order of ``network.mosfets``.

    ``models`` maps ``"n"`` and ``"p"`` to the model names of the PDK.
    """
    lines = [
        f"{device.name} {' '.join(device.nodes)} {models[device.polarity]} w={device.w_m:.9g} "
        f"l={device.l_m:.9g} m={device.m} delvto={shift_v:.9g} mulu0={factor:.9g}"
        for device, shift_v, factor in zip(
            network.mosfets, delvto_v.tolist(), mulu0.tolist(), strict=True
        )
    ]
    lines += [
        f"{device.name} {device.plus} {device.minus} {device.capacitance_f:.9g}"
        for device in network.capacitors
    ]
    return "\n".join(lines) + "\n"
