"""What a training step does to the parameters: noise, or the process's own mismatch.

A disturbance turns rows of programmed parameters into those of a chip that was drawn, once per
start and step. ``training.mismatch`` of a flow chooses: ``percent`` multiplies every parameter by
1 + p/300 N(0, 1); ``pdk`` draws every transistor by the mismatch law of ``hardware.pdk`` at the
sizes of the hardware section, in sub-threshold, and follows what they do to the parameters
(``devices``, ``effective``). Draws are made on the CPU, so that they do not depend on the device.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codesign.flows import Flow
from codesign.training.devices import Spread, parts
from codesign.training.effective import effective
from codesign.training.packing import Packing

_SELECTION = 1 << 21  # mixed into the seed of the draws that checkpoints are judged on


class Disturbance(ABC):
    """Parameters as chips have them, differentiable in what was programmed."""

    @abstractmethod
    def parameters(
        self, rows: Tensor, packing: Packing, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Named parameters [*S, ...] of one draw for each of the rows [*S, P]."""


@dataclass(frozen=True)
class PercentNoise(Disturbance):
    """Every parameter times 1 + p/300 N(0, 1): p is a three-sigma figure in percent."""

    percent: float

    def parameters(
        self, rows: Tensor, packing: Packing, generator: torch.Generator
    ) -> dict[str, Tensor]:
        draw = torch.randn(rows.shape, generator=generator).to(rows.device)
        return packing.unpack(rows * (1 + self.percent / 300 * draw))


@dataclass(frozen=True)
class ProcessMismatch(Disturbance):
    """Every transistor by its process's law: gain errors, shared where the chip shares a device."""

    spread: Spread

    def parameters(
        self, rows: Tensor, packing: Packing, generator: torch.Generator
    ) -> dict[str, Tensor]:
        programmed = packing.unpack(rows)
        readout, inputs = programmed["readout.weight"], programmed["projection.weight"]
        layers = sum(name.endswith("cell.beta_hi") for name in packing.names)
        devices = parts((inputs.shape[-1], inputs.shape[-2], layers, readout.shape[-2]))
        sizes = [len(part.names) for part in devices]
        draw = torch.randn((*rows.shape[:-1], sum(sizes)), generator=generator).to(rows.device)
        errors = {
            part.key: drawn.view(*rows.shape[:-1], *part.shape)
            * self.spread.sigma(part, programmed)
            for part, drawn in zip(devices, torch.split(draw, sizes, -1), strict=True)
        }
        return effective(programmed, errors)


def disturbance_of(flow: Flow) -> Disturbance:
    """What the flow's training section asks for.

    Raises InputError when ``training.mismatch`` is pdk and there is no process of that name.
    """
    if flow.training.mismatch == "pdk":
        return ProcessMismatch(Spread.of(flow.hardware))
    return PercentNoise(flow.training.mismatch_percent)


def selection_parameters(
    rows: Tensor, packing: Packing, flow: Flow, disturbance: Disturbance
) -> dict[str, Tensor]:
    """Rows [S, P] on ``training.selection_draws`` drawn chips, [draws, S, ...]; the same at every
    validation of a flow, so that checkpoints are compared on equal terms."""
    state = np.random.SeedSequence([flow.seed, _SELECTION]).generate_state(1)[0]
    generator = torch.Generator().manual_seed(int(state))
    many = rows.expand(flow.training.selection_draws, *rows.shape)
    return disturbance.parameters(many, packing, generator)
