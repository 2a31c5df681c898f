"""The network: projection, recurrent layers with skip, readout; one skeleton for every cell.

    x = relu(We u + be)
    per layer:  c = Wx x + bx;  h = cell(c);  v = relu(Wo h + bo);  x = x + v
    logits = Wy x + by

With the first-quadrant cell c passes a ReLU and every signal but the logits is non-negative, so
each is a current of the chip; 1.0 is the unit current. Other cells have signed candidates and
states, and may have further linear maps of x (gates). ``evaluate`` is the network as a pure
function of named parameters, which may carry a leading dimension: many networks (starts of
training, draws of a chip) in one evaluation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from codesign.cells import DEFAULT_SHARPNESS, Cell, FqBmru, Softness
from codesign.cells.mingru import rms_normalised

FQ_BMRU = FqBmru()


@dataclass(frozen=True)
class Trace:
    """Every node of one evaluation, in units.

    projection [B, T, d]; candidates, states, outputs: one [B, T, d] per layer (outputs are the
    layer's x after the skip; states are as wide as the cell's state); logits [B, T, K]. With
    parameters of many networks each has their leading dimension.
    """

    projection: Tensor
    candidates: list[Tensor]
    states: list[Tensor]
    outputs: list[Tensor]
    logits: Tensor


def evaluate(
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    cell: Cell = FQ_BMRU,
    leak: float = 0.0,
    sharpness: float = DEFAULT_SHARPNESS,
    stray: Tensor | None = None,
    offsets: Sequence[Tensor] | None = None,
    initial: Sequence[Tensor] | None = None,
    resets: Tensor | None = None,
) -> Trace:
    """Every node for inputs u [B, T, n_in] in units.

    parameters: the names of ``Network(cell=...)``'s state_dict, all with the same leading
    dimensions [*S] (none for one network). The defaults are the deployed equations. Training
    sets ``leak`` (eps of the cells), ``sharpness`` (surrogate gradient, 1/units) and ``stray``
    [*S, layers, d], a current in units added to the candidates; ``offsets``, one [B, T, d] per
    layer, are such currents that differ by clip and frame. ``initial``, one [*S, B, state width]
    per layer, are the states before the first frame (0 when None): the last frame of a trace's
    states continues its sequence. Where ``resets`` [B, T] is true, states are 0 before the frame.
    """
    frames, clips = inputs.shape[-2], inputs.shape[-3]
    soft = Softness(leak, sharpness)
    forget = None if resets is None else resets.transpose(-2, -1)

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
    units = parameters["projection.bias"].shape[-1]
    while f"layers.{layer}.output.weight" in parameters:
        name = f"layers.{layer}"
        seen = rms_normalised(x, parameters[f"{name}.norm.gain"]) if cell.normalised else x
        drives = {drive: linear(seen, f"{name}.{drive}") for drive in cell.drives(units)}
        first = next(iter(drives))
        if stray is not None:
            drives[first] = drives[first] + column(stray[..., layer, :])
        if offsets is not None:
            drives[first] = drives[first] + offsets[layer].transpose(-3, -1).flatten(-2)
        own = {key: parameters[f"{name}.cell.{key}"] for key in cell.own(units)}
        before = None if initial is None else initial[layer].transpose(-2, -1)
        # A first-quadrant cell compares the drive before its ReLU: same states for beta_lo > 0,
        # and the gradient survives where the ReLU is off.
        unfolded = {drive: unfold(value) for drive, value in drives.items()}
        state = cell.states(unfolded, own, before, forget, soft).flatten(-2)
        x = x + torch.relu(linear(state, f"{name}.output"))
        candidate = drives[first]
        candidates.append(named(torch.relu(candidate) if cell.first_quadrant else candidate))
        states.append(named(state))
        outputs.append(named(x))
        layer += 1
    return Trace(projection, candidates, states, outputs, named(linear(x, "readout")))


class Values(nn.Module):
    """Parameters without a linear map, by name and shape; 1 until they are set."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.ones(shape)))


class Layer(nn.Module):
    """The parameters of one layer: the linear maps of its input, the cell, the output (FC)."""

    def __init__(self, state_dim: int, cell: Cell) -> None:
        super().__init__()
        if cell.normalised:
            self.norm = Values({"gain": (state_dim,)})
        for name, width in cell.drives(state_dim).items():
            self.add_module(name, nn.Linear(state_dim, width))
        self.cell = Values(cell.own(state_dim))
        self.output = nn.Linear(cell.state_width(state_dim), state_dim)


class Network(nn.Module):
    """The parameters of a network of any cell, in the order training packs them.

    ``network.double()`` evaluates in double precision, for the software twin.
    """

    def __init__(
        self, inputs: int, state_dim: int, layers: int, classes: int, cell: Cell = FQ_BMRU
    ) -> None:
        super().__init__()
        self.recurrence = cell
        self.projection = nn.Linear(inputs, state_dim)
        self.layers = nn.ModuleList(Layer(state_dim, cell) for _ in range(layers))
        self.readout = nn.Linear(state_dim, classes)

    def forward(self, inputs: Tensor) -> Trace:
        """Every node for inputs u [B, T, n_in] in units, by the deployed equations."""
        return evaluate(dict(self.named_parameters()), inputs, self.recurrence)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(inputs, state_dim, layers, classes)."""
        return (
            self.projection.in_features,
            self.projection.out_features,
            len(self.layers),
            self.readout.out_features,
        )


class FirstQuadrantNetwork(Network):
    """The network of the chip; parameter names are the names of the design's devices."""

    def __init__(self, inputs: int, state_dim: int, layers: int, classes: int) -> None:
        super().__init__(inputs, state_dim, layers, classes, FQ_BMRU)
