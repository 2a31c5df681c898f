"""Every cell by the name that ``network.cell`` of a flow gives it."""

from codesign.cells.base import Cell
from codesign.cells.bmru import AlphaCmru, Bmru, Cmru
from codesign.cells.brc import Brc, Nbrc
from codesign.cells.fq_bmru import FqBmru, Memoryless
from codesign.cells.gru import Gru
from codesign.cells.hybrid import Hybrid, WideHybrid
from codesign.cells.lru import Lru
from codesign.cells.mingru import DeepMinGru, MinGru

CELLS: dict[str, Cell] = {
    cell.name: cell
    for cell in (
        FqBmru(), Memoryless(), Bmru(), Cmru(), AlphaCmru(), MinGru(), DeepMinGru(), Lru(), Gru(),
        Brc(), Nbrc(), Hybrid(), WideHybrid(),
    )
}  # fmt: skip


def cell_named(name: str) -> Cell:
    """The cell of that name, with the settings of its start at their defaults.

    Raises KeyError for an unknown name; a flow's names are checked when it is read.
    """
    return CELLS[name]
