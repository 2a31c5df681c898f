"""The network as PySpice circuits, for notebooks and for people who extend it.

    from codesign.circuit.pyspice import network_circuit
    from codesign.runs import open_run

    circuit = network_circuit(open_run(None))
    circuit.V("probe", ...)        # an ordinary PySpice circuit

The subcircuit ``network`` is instantiated as ``xnetwork`` with nodes named as its ports; supplies
and stimuli are up to the caller. Batches do not go this way: they drive the ngspice program.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PySpice.Spice.Netlist import Circuit, SubCircuit

from codesign.circuit.elements import Call, Capacitor, Library, Mosfet, Subcircuit
from codesign.circuit.library import read_network
from codesign.mapping.exported import load_exported
from codesign.pdk import find_pdk
from codesign.runs import Run


def network_circuit(run: Run, pdk_root: Path | None = None) -> Any:
    """A PySpice ``Circuit`` that holds the design of a run, with the process models loaded.

    Raises InputError without a design, EnvironmentMissing without the PDK.
    """
    exported = load_exported(run)
    pdk = find_pdk(exported.hardware.pdk, pdk_root)
    library = read_network(exported.folder, pdk.nmos, pdk.pmos)
    circuit = Circuit(f"{run.path.name} on {pdk.name}")
    circuit.raw_spice = pdk.header(exported.hardware.corner)
    for subcircuit in subcircuits(library, {"n": pdk.nmos, "p": pdk.pmos}):
        circuit.subcircuit(subcircuit)
    circuit.X("network", library.top, *library.subcircuits[library.top].ports)
    return circuit


def subcircuits(library: Library, models: dict[str, str]) -> Iterable[Any]:
    """The PySpice ``SubCircuit`` of every block, in the library's order."""
    return [_subcircuit(block, models) for block in library.subcircuits.values()]


def _subcircuit(block: Subcircuit, models: dict[str, str]) -> Any:
    made = SubCircuit(block.name, *block.ports, **dict(block.parameters))
    for element in block.elements:
        # PySpice puts the element's letter before the name.
        name = element.name[1:]
        if isinstance(element, Mosfet):
            sizes = {"w": element.w_m, "l": element.l_m, "m": element.m}
            made.M(
                name, *element.nodes, model=models[element.polarity],
                **{key: _parameter(value) for key, value in sizes.items()},
            )  # fmt: skip
        elif isinstance(element, Capacitor):
            made.C(name, element.plus, element.minus, _parameter(element.capacitance_f))
        elif isinstance(element, Call):
            given = {key: _parameter(value) for key, value in element.parameters.items()}
            made.X(name, element.subckt, *element.nodes, **given)
    return made


def _parameter(value: float | str) -> float | str:
    return f"{{{value}}}" if isinstance(value, str) else value
