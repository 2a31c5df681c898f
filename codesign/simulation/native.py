"""GF180MCU's own statistics, as a second opinion on our draws.

The model file wraps its transistors in subcircuits that draw their own mismatch, and has a section
``statistical`` whose cards depend on numbers drawn once per process of ngspice. Both are switched
by parameters that codesign always writes as zero; here they are on, and ``.option seed`` makes them
reproducible. Nothing else of the product uses them: their draws belong to a position in a deck, so
that an edit of the netlist changes them all.
"""

from dataclasses import replace

from codesign.circuit.flat import FlatNetwork
from codesign.pdk import Pdk

STATISTICAL = "statistical"
MISMATCH, GLOBAL = "sw_stat_mismatch", "sw_stat_global"


def has_statistics(pdk: Pdk) -> bool:
    """Whether the process is one whose own statistics are known here."""
    return MISMATCH in pdk.parameters and GLOBAL in pdk.parameters


def native_header(pdk: Pdk, corner: str, seed: int, *, mismatch: bool, process: bool) -> str:
    """The lines that load the models with their own statistics on, drawn by ``seed``.

    With ``process`` the section of the statistical cards stands in the place of the corner's.
    """
    on = {**pdk.parameters, MISMATCH: float(mismatch), GLOBAL: float(process)}
    corners = {**pdk.corners, corner: STATISTICAL} if process else pdk.corners
    return replace(pdk, parameters=on, corners=corners).header(corner) + f".option seed={seed}\n"


def wrapped_text(network: FlatNetwork, models: dict[str, str]) -> str:
    """The devices of a flat network in the wrappers of the models' own names.

    ``par`` is the wrapper's word for devices in parallel that average: its ``m`` alone would draw
    one deviation for all of them.
    """
    lines = [
        f"x{device.name} {' '.join(device.nodes)} {models[device.polarity]} w={device.w_m:.9g} "
        f"l={device.l_m:.9g} m={device.m} par={device.m}"
        for device in network.mosfets
    ]
    lines += [
        f"{device.name} {device.plus} {device.minus} {device.capacitance_f:.9g}"
        for device in network.capacitors
    ]
    return "\n".join(lines) + "\n"
