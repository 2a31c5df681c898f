"""Recurrent cells: equations, the scan they share, and the surrogate gradient of their steps."""

from codesign.cells.fq_bmru import DEFAULT_SHARPNESS, Cell, fq_bmru, memoryless
from codesign.cells.scan import linear_scan
from codesign.cells.surrogate import heaviside

__all__ = ["DEFAULT_SHARPNESS", "Cell", "fq_bmru", "heaviside", "linear_scan", "memoryless"]
