"""Recurrent cells: equations, the scan they share, and the surrogate gradient of their steps."""

from codesign.cells.base import DEFAULT_SHARPNESS, HARD, Aim, Cell, CellStart, Softness
from codesign.cells.fq_bmru import FqBmru, Memoryless, fq_bmru, memoryless
from codesign.cells.registry import CELLS, cell_named
from codesign.cells.scan import linear_scan
from codesign.cells.surrogate import heaviside

__all__ = [
    "CELLS",
    "DEFAULT_SHARPNESS",
    "HARD",
    "Aim",
    "Cell",
    "CellStart",
    "FqBmru",
    "Memoryless",
    "Softness",
    "cell_named",
    "fq_bmru",
    "heaviside",
    "linear_scan",
    "memoryless",
]
