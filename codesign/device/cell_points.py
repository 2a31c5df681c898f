"""Cells of a design away from the point they were programmed at: what they then hold.

Bias mirrors and sizes are those of the design; the process point is another one. A cell that is no
longer bistable there is a result, not an error.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from codesign.device.bench import ProcessPoint
from codesign.device.cache import cached, digest
from codesign.device.cell_loops import CellBias, Loop, NotBistable, measure_loops
from codesign.device.mirrors import MirrorCalibration

# Cells measured side by side: the deck's run time grows faster than their number.
_CHUNK = 16


@dataclass(frozen=True)
class CellValues:
    """Thresholds and gain of one cell in ampere; NaN for a cell that is not bistable."""

    beta_hi_a: float
    beta_lo_a: float
    alpha_a: float

    @property
    def bistable(self) -> bool:
        return not math.isnan(self.beta_hi_a)


_NONE = CellValues(math.nan, math.nan, math.nan)


def cells_at(
    point: ProcessPoint, mirrors: MirrorCalibration, biases: Sequence[CellBias]
) -> list[CellValues]:
    """Cells with these bias mirrors at ``point``, whose ``unit_current_a`` feeds the mirrors.

    Measured in ngspice, or recalled. ``mirrors`` and ``biases`` are those of the design. Raises
    EnvironmentMissing when ngspice cannot measure any cell.
    """
    key = digest([point.key(), point.hardware.cell, asdict(mirrors), [asdict(b) for b in biases]])
    return cached(
        "cell_points",
        key,
        lambda: _measure(point, mirrors, biases),
        lambda values: {"cells": [asdict(v) if v.bistable else None for v in values]},
        lambda stored: [_NONE if v is None else CellValues(**v) for v in stored["cells"]],
    )


def _measure(
    point: ProcessPoint, mirrors: MirrorCalibration, biases: Sequence[CellBias]
) -> list[CellValues]:
    values: list[CellValues] = []
    for start in range(0, len(biases), _CHUNK):
        chunk = biases[start : start + _CHUNK]
        try:
            values += [_of(loop) for loop in measure_loops(point, mirrors, chunk, built=True)]
        except NotBistable:
            # One cell without a hysteresis stops the measurement of all beside it.
            values += [_alone(point, mirrors, bias) for bias in chunk]
    return values


def _alone(point: ProcessPoint, mirrors: MirrorCalibration, bias: CellBias) -> CellValues:
    try:
        return _of(measure_loops(point, mirrors, [bias], built=True)[0])
    except NotBistable:
        return _NONE


def _of(loop: Loop) -> CellValues:
    return CellValues(loop.beta_hi_a, loop.beta_lo_a, loop.alpha_a)
