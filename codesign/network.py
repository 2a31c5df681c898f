"""The first-quadrant network: projection, recurrent layers with skip, readout.

    x = relu(We u + be)
    per layer:  c = relu(Wx x + bx);  h = cell(c);  v = relu(Wo h + bo);  x = x + v
    logits = Wy x + by

Every signal but the logits is non-negative, so each is a current of the chip; 1.0 is the unit
current. Evaluate in double precision with ``network.double()`` for the software twin.
"""

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from codesign.cells import FQBMRU, FirstQuadrantCell
from codesign.cells.fq_bmru import DEFAULT_SHARPNESS


@dataclass(frozen=True)
class Trace:
    """Every node of one evaluation, in units.

    projection [B, T, d]; candidates, states, outputs: one [B, T, d] per layer (outputs are the
    layer's x after the skip); logits [B, T, K].
    """

    projection: Tensor
    candidates: list[Tensor]
    states: list[Tensor]
    outputs: list[Tensor]
    logits: Tensor


class FirstQuadrantLayer(nn.Module):
    """Candidate (FC + ReLU), cell, output (FC + ReLU); the skip is the network's."""

    def __init__(self, state_dim: int, cell: type[FirstQuadrantCell]) -> None:
        super().__init__()
        self.candidate = nn.Linear(state_dim, state_dim)
        self.cell = cell(state_dim)
        self.output = nn.Linear(state_dim, state_dim)


class FirstQuadrantNetwork(nn.Module):
    """The network of the chip; parameter names are the names of the design's devices."""

    def __init__(
        self,
        inputs: int,
        state_dim: int,
        layers: int,
        classes: int,
        cell: type[FirstQuadrantCell] = FQBMRU,
    ) -> None:
        super().__init__()
        self.projection = nn.Linear(inputs, state_dim)
        self.layers = nn.ModuleList(FirstQuadrantLayer(state_dim, cell) for _ in range(layers))
        self.readout = nn.Linear(state_dim, classes)

    def forward(
        self,
        inputs: Tensor,
        leak: float = 0.0,
        sharpness: float = DEFAULT_SHARPNESS,
        stray: Tensor | None = None,
    ) -> Trace:
        """Every node for inputs u [B, T, n_in] in units; states start at 0.

        The defaults are the deployed equations. Training sets ``leak`` (eps of the cells),
        ``sharpness`` (surrogate gradient, 1/units) and ``stray`` [layers, d], a current in
        units added to the candidates.
        """
        projection = nn.functional.relu(self.projection(inputs))
        x = projection
        candidates, states, outputs = [], [], []
        for index, layer in enumerate(self.blocks):
            drive = layer.candidate(x)
            if stray is not None:
                drive = drive + stray[index]
            # The cell compares the drive before its ReLU: same states for beta_lo > 0, and the
            # gradient survives where the ReLU is off.
            state = layer.cell(drive, leak, sharpness)
            x = x + nn.functional.relu(layer.output(state))
            candidates.append(nn.functional.relu(drive))
            states.append(state)
            outputs.append(x)
        return Trace(projection, candidates, states, outputs, self.readout(x))

    @property
    def blocks(self) -> list[FirstQuadrantLayer]:
        """The recurrent layers, first to last."""
        return [cast(FirstQuadrantLayer, module) for module in self.layers]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(inputs, state_dim, layers, classes)."""
        return (
            self.projection.in_features,
            self.projection.out_features,
            len(self.layers),
            self.readout.out_features,
        )
