"""Benches of one cell at rest: what flows into its decision node, and its noise, by ngspice.

All use the cell cut out of its design (``circuit.trialbench``), its candidate and its strobe held.
"""

from collections.abc import Sequence

from codesign.circuit.spice_text import comment
from codesign.circuit.trialbench import Cell, copied, copies_text
from codesign.flows import HardwareSection

# Low enough that lines follow, high enough that charging shows beside conductances.
AC_HZ = 30.0
BAND = "dec 5 0.05 2e4"


def forced_text(
    cell: Cell, hw: HardwareSection, models: dict[str, str], candidate_a: float, looks: bool,
    volts: Sequence[float],
) -> str:  # fmt: skip
    """Copies of a cell, v0 of each held at one of ``volts``: operating point and admittance."""
    lines = [comment(f"{cell.v0} held"), copies_text(cell, len(volts), hw, models)]
    lines += held(cell, hw, looks)
    for copy, value in enumerate(volts):
        lines.append(candidate(cell, copy, f"{candidate_a:.9g}"))
        lines.append(f"vforce{copy} k{copy}.{cell.v0} 0 dc {value:.9g} ac 1")
        lines.append(f".save i(vforce{copy})")
    return "\n".join(lines) + "\n"


def free_text(
    cell: Cell, hw: HardwareSection, models: dict[str, str], candidate_a: float, looks: bool,
    high: bool,
) -> str:  # fmt: skip
    """One copy of a cell, free, in its high or low state; ``iv0`` injects into v0."""
    guess = hw.supply_v if high else 0.0
    return "\n".join(
        [
            comment(f"{cell.v0}, {'high' if high else 'low'}"),
            copies_text(cell, 1, hw, models),
            *held(cell, hw, looks),
            candidate(cell, 0, f"dc {candidate_a:.9g} ac 1"),
            f"iv0 0 k0.{cell.v0} dc 0 ac 1",
            f".nodeset v(k0.{cell.v0})={guess:g}",
            "",
        ]
    )


def held(cell: Cell, hw: HardwareSection, looks: bool) -> list[str]:
    """Reset off, and the strobe held open or closed."""
    lines = ["vrst rst 0 0"]
    if cell.strobe is not None:
        for node, high in zip(cell.strobe, (looks, not looks), strict=True):
            lines.append(f"v{node} {node} 0 {hw.supply_v if high else 0.0:g}")
    return lines


def candidate(cell: Cell, copy: int, value: str) -> str:
    """The candidate of a copy, as the test bench gives it."""
    return f"i.k{copy}.candidate {cell.supplies[0]} k{copy}.{cell.candidate} {value}"


def device_names(cell: Cell) -> list[str]:
    """Names of the devices of copy 0, as ngspice has them."""
    return [device.name for device in copied(cell, 0)[0]]
