"""Where a start begins: random weights, scaled so that the data meets the thresholds.

Each fully connected layer is drawn at random and then shifted and scaled per unit on real
inputs, so that its output has a mean and spread there that the cell names. A cell whose candidates
lie in its window holds from the first step on; one whose candidates never reach a threshold learns
nothing.
"""

import torch
from torch import Tensor

from codesign.cells import Cell, FqBmru
from codesign.cells.mingru import rms_normalised
from codesign.flows import TrainingSection
from codesign.network import FQ_BMRU, Network
from codesign.training.packing import packing_of

_SMALLEST_SPREAD = 1e-3  # an input that hardly varies would ask for enormous weights


def initial_row(
    shape: tuple[int, int, int, int],
    inputs: Tensor,
    settings: TrainingSection,
    generator: torch.Generator,
    cell: Cell = FQ_BMRU,
) -> Tensor:
    """Parameters [P] of one start; inputs [N, T, n_in] are training clips on the CPU, units.

    The cell says where its own parameters begin and what its drives should look like.
    """
    cell = starting_cell(cell, settings)
    network = Network(*shape, cell)
    parameters = {name: value.detach() for name, value in network.named_parameters()}

    def standardise(name: str, x: Tensor, mean: Tensor | float, spread: float) -> Tensor:
        drawn = torch.randn(parameters[f"{name}.weight"].shape, generator=generator)
        response = (x @ drawn.mT).flatten(0, -2)
        scale = spread / response.std(0).clamp_min(_SMALLEST_SPREAD)
        weight = (drawn * scale[:, None]).clamp(-settings.weight_limit, settings.weight_limit)
        bias = mean - (x @ weight.mT).flatten(0, -2).mean(0)
        parameters[f"{name}.weight"], parameters[f"{name}.bias"] = weight, bias
        return x @ weight.mT + bias

    x = torch.relu(standardise("projection", inputs, 0.5, 0.5))
    for layer in range(shape[2]):
        name = f"layers.{layer}"
        start = cell.start(shape[1], inputs.shape[1], generator)
        parameters |= {f"{name}.cell.{key}": value for key, value in start.own.items()}
        seen = _normalised(x) if cell.normalised else x
        drives = {}
        for drive in cell.drives(shape[1]):
            aim = start.aim(drive)
            response = standardise(f"{name}.{drive}", seen, aim.mean, aim.spread)
            drives[drive] = response.transpose(-3, -1)
        state = cell.states(drives, start.own).transpose(-3, -1).contiguous()
        x = x + torch.relu(standardise(f"{name}.output", state, 0.3, 0.5))
    standardise("readout", x, 0.0, 1.0)
    return packing_of(network).pack(parameters)


def starting_cell(cell: Cell, settings: TrainingSection) -> Cell:
    """The cell whose start is as the flow says; the control starts as the network it controls."""
    if not cell.first_quadrant:
        return cell
    return FqBmru(
        beta_lo_units=settings.initial_beta_lo_units,
        width_units=settings.initial_width_units,
        center=settings.initial_center,
        spread_units=settings.initial_spread_units,
    )


def _normalised(x: Tensor) -> Tensor:
    gain = x.new_ones(x.shape[-1])
    return rms_normalised(x.flatten(0, -2).mT, gain).mT.view(x.shape)
