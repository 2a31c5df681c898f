"""Where a start begins: random weights, scaled so that the data meets the thresholds.

Each fully connected layer is drawn at random and then shifted and scaled per unit on real
inputs, so that its output has a chosen mean and spread there. A cell whose candidates lie in
its window holds from the first step on; one whose candidates never reach a threshold learns
nothing.
"""

import torch
from torch import Tensor

from codesign.cells import fq_bmru
from codesign.flows import TrainingSection
from codesign.network import FirstQuadrantNetwork
from codesign.training.packing import packing_of

_SMALLEST_SPREAD = 1e-3  # an input that hardly varies would ask for enormous weights


def initial_row(
    shape: tuple[int, int, int, int],
    inputs: Tensor,
    settings: TrainingSection,
    generator: torch.Generator,
) -> Tensor:
    """Parameters [P] of one start; inputs [N, T, n_in] are training clips on the CPU, units."""
    network = FirstQuadrantNetwork(*shape)
    parameters = {name: value.detach() for name, value in network.named_parameters()}
    lower, width = settings.initial_beta_lo_units, settings.initial_width_units
    center = lower + width / 2 if settings.initial_center == "window" else 0.0

    def standardise(name: str, x: Tensor, mean: float, spread: float) -> Tensor:
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
        upper, window = torch.full((shape[1],), lower + width), torch.full((shape[1],), width)
        alpha = torch.ones(shape[1])
        parameters |= {
            f"{name}.cell.beta_hi": upper,
            f"{name}.cell.width": window,
            f"{name}.cell.alpha": alpha,
        }
        drive = standardise(f"{name}.candidate", x, center, settings.initial_spread_units)
        state = fq_bmru(drive, upper, window, alpha)
        x = x + torch.relu(standardise(f"{name}.output", state, 0.3, 0.5))
    standardise("readout", x, 0.0, 1.0)
    return packing_of(network).pack(parameters)
