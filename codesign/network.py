"""The first-quadrant network: projection, recurrent layers with skip, readout.

    x = relu(We u + be)
    per layer:  c = relu(Wx x + bx);  h = cell(c);  v = relu(Wo h + bo);  x = x + v
    logits = Wy x + by

Every signal but the logits is non-negative, so each is a current of the chip; 1.0 is the unit
current. ``evaluate`` is the network as a pure function of named parameters, which may carry a
leading dimension: many networks (starts of training, draws of a chip) in one evaluation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from codesign.cells import DEFAULT_SHARPNESS, Cell, fq_bmru


@dataclass(frozen=True)
class Trace:
    """Every node of one evaluation, in units.

    projection [B, T, d]; candidates, states, outputs: one [B, T, d] per layer (outputs are the
    layer's x after the skip); logits [B, T, K]. With parameters of many networks each has their
    leading dimension.
    """

    projection: Tensor
    candidates: list[Tensor]
    states: list[Tensor]
    outputs: list[Tensor]
    logits: Tensor


def evaluate(
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    cell: Cell = fq_bmru,
    leak: float = 0.0,
    sharpness: float = DEFAULT_SHARPNESS,
    stray: Tensor | None = None,
    offsets: Sequence[Tensor] | None = None,
) -> Trace:
    """Every node for inputs u [B, T, n_in] in units; states start at 0.

    parameters: the names of FirstQuadrantNetwork's state_dict, all with the same leading
    dimensions [*S] (none for one network). The defaults are the deployed equations. Training
    sets ``leak`` (eps of the cells), ``sharpness`` (surrogate gradient, 1/units) and ``stray``
    [*S, layers, d], a current in units added to the candidates; ``offsets``, one [B, T, d] per
    layer, are such currents that differ by clip and frame.
    """
    frames, clips = inputs.shape[-2], inputs.shape[-3]

    def column(vector: Tensor) -> Tensor:
        return vector[..., None]

    def linear(x: Tensor, name: str) -> Tensor:
        return parameters[f"{name}.weight"] @ x + column(parameters[f"{name}.bias"])

    def unfold(x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], frames, clips)

    def named(x: Tensor) -> Tensor:
        return unfold(x).transpose(-3, -1)

    # Inside, units come first and the frames of all clips last, [*S, d, T B]: products of a small
    # matrix with a wide one are several times faster than of a tall one with a small one.
    x = torch.relu(linear(inputs.transpose(-3, -1).flatten(-2), "projection"))
    projection = named(x)
    candidates, states, outputs = [], [], []
    layer = 0
    while f"layers.{layer}.cell.beta_hi" in parameters:
        name = f"layers.{layer}"
        drive = linear(x, f"{name}.candidate")
        if stray is not None:
            drive = drive + column(stray[..., layer, :])
        if offsets is not None:
            drive = drive + offsets[layer].transpose(-3, -1).flatten(-2)
        beta_hi, width, alpha = (
            column(column(parameters[f"{name}.cell.{key}"]))
            for key in ("beta_hi", "width", "alpha")
        )
        # The cell compares the drive before its ReLU: same states for beta_lo > 0, and the
        # gradient survives where the ReLU is off.
        state = cell(unfold(drive), beta_hi, width, alpha, leak, sharpness).flatten(-2)
        x = x + torch.relu(linear(state, f"{name}.output"))
        candidates.append(named(torch.relu(drive)))
        states.append(named(state))
        outputs.append(named(x))
        layer += 1
    return Trace(projection, candidates, states, outputs, named(linear(x, "readout")))


class CellParameters(nn.Module):
    """beta_hi, width (beta_hi - beta_lo) and alpha, each [d], in units."""

    def __init__(self, state_dim: int) -> None:
        super().__init__()
        self.beta_hi = nn.Parameter(torch.full((state_dim,), 0.7))
        self.width = nn.Parameter(torch.full((state_dim,), 0.4))
        self.alpha = nn.Parameter(torch.ones(state_dim))


class FirstQuadrantLayer(nn.Module):
    """The parameters of one layer: candidate (FC + ReLU), cell, output (FC + ReLU)."""

    def __init__(self, state_dim: int) -> None:
        super().__init__()
        self.candidate = nn.Linear(state_dim, state_dim)
        self.cell = CellParameters(state_dim)
        self.output = nn.Linear(state_dim, state_dim)


class FirstQuadrantNetwork(nn.Module):
    """The network of the chip; parameter names are the names of the design's devices.

    ``network.double()`` evaluates in double precision, for the software twin.
    """

    def __init__(self, inputs: int, state_dim: int, layers: int, classes: int) -> None:
        super().__init__()
        self.projection = nn.Linear(inputs, state_dim)
        self.layers = nn.ModuleList(FirstQuadrantLayer(state_dim) for _ in range(layers))
        self.readout = nn.Linear(state_dim, classes)

    def forward(self, inputs: Tensor) -> Trace:
        """Every node for inputs u [B, T, n_in] in units, by the deployed equations."""
        return evaluate(dict(self.named_parameters()), inputs)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(inputs, state_dim, layers, classes)."""
        return (
            self.projection.in_features,
            self.projection.out_features,
            len(self.layers),
            self.readout.out_features,
        )
