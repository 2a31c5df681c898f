"""Recurrent cells: equations, the scan they share, and the surrogate gradient of their steps."""

from codesign.cells.fq_bmru import FQBMRU, FirstQuadrantCell, MemorylessThreshold
from codesign.cells.scan import linear_scan
from codesign.cells.surrogate import heaviside

__all__ = ["FQBMRU", "FirstQuadrantCell", "MemorylessThreshold", "heaviside", "linear_scan"]
