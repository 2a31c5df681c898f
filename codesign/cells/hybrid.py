"""Two cells beside each other in one layer: latches that keep, and leaky units that integrate.

States are concatenated. ``Hybrid`` shares the layer's units between the two (the same number of
states as either alone), ``WideHybrid`` gives all units to both. Names of drives and parameters
carry the name of the part: ``bmru_candidate``, ``mingru_gate``.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from codesign.cells.base import HARD, Cell, CellStart, Softness, Tensors
from codesign.cells.bmru import Bmru
from codesign.cells.mingru import MinGru


@dataclass(frozen=True)
class Hybrid(Cell):
    """BMRU beside minGRU, half of the units each (the odd one is a minGRU, and a layer of one
    unit has one of each)."""

    name: ClassVar[str] = "hybrid"
    anneals: ClassVar[bool] = True

    latch: Cell = field(default_factory=Bmru)
    leaky: Cell = field(default_factory=MinGru)

    def drives(self, units: int) -> dict[str, int]:
        """The drives of both."""
        return {
            f"{cell.name}_{name}": width
            for cell, count in self._parts(units)
            for name, width in cell.drives(count).items()
        }

    def own(self, units: int) -> dict[str, tuple[int, ...]]:
        """The parameters of both."""
        return {
            f"{cell.name}_{name}": shape
            for cell, count in self._parts(units)
            for name, shape in cell.own(count).items()
        }

    def state_width(self, units: int) -> int:
        """Latches, then leaky units."""
        return sum(cell.state_width(count) for cell, count in self._parts(units))

    def start(self, units: int, frames: int, generator: torch.Generator) -> CellStart:
        """Each as it starts alone."""
        starts = {
            cell.name: cell.start(count, frames, generator) for cell, count in self._parts(units)
        }
        return CellStart(
            own={f"{n}_{k}": v for n, start in starts.items() for k, v in start.own.items()},
            drives={f"{n}_{k}": v for n, start in starts.items() for k, v in start.drives.items()},
        )

    def states(
        self,
        drives: Tensors,
        own: Tensors,
        initial: Tensor | None = None,
        resets: Tensor | None = None,
        soft: Softness = HARD,
    ) -> Tensor:
        """The states of both, along the units."""
        return torch.cat(
            [
                cell.states(_of(drives, cell), _of(own, cell), part, resets, soft)
                for cell, part in zip(
                    (self.latch, self.leaky), self._split(drives, initial), strict=True
                )
            ],
            dim=-3,
        )

    def step(self, drives: Tensors, own: Tensors, state: Tensor, soft: Softness = HARD) -> Tensor:
        """One frame of both."""
        parts = self._split({n: d[..., None, :] for n, d in drives.items()}, state)
        cells = (self.latch, self.leaky)
        return torch.cat(
            [
                cell.step(_of(drives, cell), _of(own, cell), part, soft)
                for cell, part in zip(cells, parts, strict=True)
                if part is not None
            ],
            dim=-2,
        )

    def _parts(self, units: int) -> tuple[tuple[Cell, int], tuple[Cell, int]]:
        return (self.latch, max(1, units // 2)), (self.leaky, units - units // 2)

    def _split(self, drives: Tensors, state: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        if state is None:
            return None, None
        latches = drives[f"{self.latch.name}_candidate"].shape[-3]
        first = self.latch.state_width(latches)
        return state[..., :first, :], state[..., first:, :]


@dataclass(frozen=True)
class WideHybrid(Hybrid):
    """BMRU beside minGRU, all units each: twice as many states."""

    name: ClassVar[str] = "wide_hybrid"

    def _parts(self, units: int) -> tuple[tuple[Cell, int], tuple[Cell, int]]:
        return (self.latch, units), (self.leaky, units)


def _of(tensors: Tensors, cell: Cell) -> dict[str, Tensor]:
    prefix = f"{cell.name}_"
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
