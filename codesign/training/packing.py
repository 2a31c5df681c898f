"""All parameters of a network as one vector, and of many networks as one matrix.

Training advances several starts at once as rows of one matrix [S, P]: one rounding, one
mismatch draw and one optimiser update per step for all of them, and a state of a handful of
tensors to save.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from codesign.network import Network


@dataclass(frozen=True)
class Packing:
    """Where each named parameter lies in a row.

    limited: a network of the chip, whose values have the ranges of devices. gridded [P] marks its
    weights and biases (unit devices in parallel, so multiples of 1/grid); the others are bias
    currents of cells, continuous, as is every value of a network that is not limited.
    """

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    gridded: Tensor
    limited: bool = True

    @property
    def sizes(self) -> list[int]:
        """Number of values of each named parameter."""
        return [shape.numel() for shape in self.shapes]

    def pack(self, tensors: dict[str, Tensor]) -> Tensor:
        """One row [P] from named tensors."""
        return torch.cat([tensors[name].detach().reshape(-1) for name in self.names])

    def unpack(self, rows: Tensor) -> dict[str, Tensor]:
        """Named views of rows [..., P]; each has the leading dimensions; gradients flow."""
        parts = torch.split(rows, self.sizes, dim=-1)
        return {
            name: part.view(part.shape[:-1] + shape)
            for name, part, shape in zip(self.names, parts, self.shapes, strict=True)
        }

    def positions(self, suffix: str) -> Tensor:
        """Indices [*] in a row of the parameters whose name ends with ``suffix``."""
        spans, start = [], 0
        for name, size in zip(self.names, self.sizes, strict=True):
            if name.endswith(suffix):
                spans.append(torch.arange(start, start + size))
            start += size
        return torch.cat(spans)


def packing_of(network: Network) -> Packing:
    """The packing of a network's parameters, in the order of its state_dict."""
    named = dict(network.named_parameters())
    limited = network.recurrence.first_quadrant
    return Packing(
        names=tuple(named),
        shapes=tuple(value.shape for value in named.values()),
        gridded=torch.cat(
            [
                torch.full((value.numel(),), limited and ".cell." not in name)
                for name, value in named.items()
            ]
        ),
        limited=limited,
    )
