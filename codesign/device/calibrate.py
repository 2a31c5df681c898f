"""All device constants of a process point, measured once and remembered.

Mirrors and the cell's map are cached by everything they depend on; programming the cells of one
design is a measurement of that design and is cached by its targets.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from codesign.device.bench import ProcessPoint
from codesign.device.cache import cached
from codesign.device.cell import CellMap, fit_cell_map, program_cells
from codesign.device.cell_loops import CellBias, Loop
from codesign.device.mirrors import MirrorCalibration, RatioTable, Trim, measure_mirrors
from codesign.device.turns import TurnTable, measure_turns, turns_of

Values = tuple[float, float, float]
Programmed = tuple[list[CellBias], list[Values]]
# Cells measured side by side: the deck's run time grows faster than their number.
_CHUNK = 16
# Of programmed cells; 3: measured with their bias mirrors, corrected until they settle.
_SCHEMA = 3


@dataclass(frozen=True)
class Calibration:
    """Constants of one process point."""

    point: ProcessPoint
    mirrors: MirrorCalibration
    cell_map: CellMap
    turns: TurnTable

    def program(
        self, targets: Sequence[Values], progress: Callable[[int], None] = lambda _: None
    ) -> tuple[list[CellBias], list[Values]]:
        """Bias currents for (beta_hi, width, alpha) targets, and the values measured with them.

        Both are those of the bias mirrors as drawn: sizing a current again gives the same mirror.

        ``progress`` is told the number of cells done after each group.
        """
        biases: list[CellBias] = []
        measured: list[Values] = []
        for start in range(0, len(targets), _CHUNK):
            chunk = list(targets[start : start + _CHUNK])
            key = hashlib.sha256(
                json.dumps([_SCHEMA, self.point.key(), self.point.hardware.cell, chunk]).encode()
            ).hexdigest()
            found, values = cached("cells", key, partial(self._program, chunk), _pack, _unpack)
            biases += found
            measured += values
            progress(len(biases))
        return biases, measured

    def _program(self, targets: list[Values]) -> Programmed:
        biases, loops = program_cells(self.point, self.mirrors, self.cell_map, targets)
        unit = self.point.hardware.unit_current_a
        return biases, [_values(loop, unit) for loop in loops]


def calibrate(point: ProcessPoint) -> Calibration:
    """Measure (or recall) the constants of a process point.

    Raises EnvironmentMissing when ngspice or the models cannot do it.
    """
    key = point.key()
    mirrors = cached("mirrors", key, lambda: measure_mirrors(point), asdict, read_mirrors)
    cell_map = cached(
        f"cell_map_{point.hardware.cell}",
        key,
        lambda: fit_cell_map(point, mirrors),
        asdict,
        lambda stored: CellMap(**stored),
    )
    turns = cached("turns", key, lambda: measure_turns(point), asdict, turns_of)
    return Calibration(point, mirrors, cell_map, turns)


def _values(loop: Loop, unit: float) -> Values:
    return (
        loop.beta_hi_a / unit,
        (loop.beta_hi_a - loop.beta_lo_a) / unit,
        loop.alpha_a / unit,
    )


def _pack(programmed: Programmed) -> dict[str, Any]:
    biases, measured = programmed
    return {"biases": [asdict(bias) for bias in biases], "measured": measured}


def _unpack(stored: dict[str, Any]) -> Programmed:
    return (
        [CellBias(**bias) for bias in stored["biases"]],
        [(v[0], v[1], v[2]) for v in stored["measured"]],
    )


def read_mirrors(stored: dict[str, Any]) -> MirrorCalibration:
    """Mirror constants from their JSON form, as in ``design.json``; KeyError, TypeError if not."""
    parts: dict[str, Any] = {}
    for name, value in stored.items():
        if name.startswith("bias"):
            parts[name] = RatioTable(tuple(value["l_m"]), tuple(value["ratio"]))
        else:
            parts[name] = Trim(**value)
    return MirrorCalibration(**parts)
