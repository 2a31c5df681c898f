"""Charge and leakage of every node of a circuit, from the capacitances of its devices."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.polynomial import polynomial as poly
from numpy.typing import NDArray

from codesign.circuit.elements import Mosfet
from codesign.circuit.testbench import GMIN_S
from codesign.device.capacitance import GATE_TERMS
from codesign.device.geometry import geometry_of
from codesign.engine.characterise import Models
from codesign.engine.graph import Graph, is_mirror

Floats = NDArray[np.float64]


def node_charges(
    graph: Graph, models: Models, nodes: Sequence[str], middle_v: Sequence[float]
) -> tuple[Floats, Mapping[str, Mapping[str, float]]]:
    """Coefficients of every node's charge, and what gates couple into nodes (femtofarad).

    A row (nodes, GATE_TERMS + 1) holds the charge without the constant, femtofarad per volt^k, as
    powers around a voltage near which the node works, which is the last column: around ground the
    terms of a line at the supply would cancel but for what single precision loses. The second
    result is by node, then by gate.
    """
    boundary, index = graph.boundary, {node: k for k, node in enumerate(nodes)}
    high = max(boundary.fixed.values())
    into: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    charge = np.zeros((len(nodes), GATE_TERMS + 1))
    charge[:, -1] = middle_v
    for device in graph.devices:
        c = models.capacitance(geometry_of(device), is_mirror(device, boundary))
        m, gate = float(device.m), index[device.gate]
        middle = charge[gate, -1]
        inner = [high - middle, -1.0] if device.polarity == "p" else [middle, 1.0]
        charge[gate, :-1] += m * poly.polyint(_composed(c.gate, inner))[1:]
        for terminal in {device.drain, device.source}:
            charge[index[terminal], 0] += m * c.drain
            if device.gate == device.drain:
                charge[index[terminal], 0] -= 2 * m * c.gate_drain
            elif not boundary.known(terminal):
                into[terminal][device.gate] += m * c.gate_drain
    for capacitor in graph.capacitors:
        for node in capacitor.nodes:
            charge[index[node], 0] += float(capacitor.capacitance_f) * 1e15
    return charge, into


def node_leaks(devices: Sequence[Mosfet], nodes: Sequence[str]) -> Floats:
    """Conductance of every node to ground and to the supply (nodes, 2), nanoamperes per volt.

    ngspice puts gmin across each junction; it decides where a line without current rests, and so
    how long it takes to charge when a current comes.
    """
    index = {node: k for k, node in enumerate(nodes)}
    leak = np.zeros((len(nodes), 2))
    for device in devices:
        for terminal in (device.drain, device.source):
            rail = int(device.polarity == "p")
            leak[index[terminal], rail] += GMIN_S * 1e9 * float(device.m)
    return leak


def _composed(coefficients: Sequence[float], inner: Sequence[float]) -> Floats:
    """The polynomial of ``inner``, itself one of v, as one of v."""
    result = np.zeros(1)
    for c in coefficients[::-1]:
        result = np.asarray(poly.polyadd(poly.polymul(result, inner), [c]), np.float64)
    return np.asarray(np.pad(result, (0, GATE_TERMS))[:GATE_TERMS])
