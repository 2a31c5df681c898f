"""The calibrated twin: the frame-based equations with the transfers of the real devices.

As the ideal twin it knows one value per frame: every line has settled, every cell compares one
candidate with its thresholds. What is real are the copies (output conductance, departure from the
square law of ratios at low and high current, leakage by gmin), the cells' measured thresholds and
gains, and, on drawn chips, the deviation of every device. It costs a few matrix products, so
thousands of chips can be evaluated at once.
"""

import torch
from torch import Tensor

from codesign.cells import fq_bmru
from codesign.twin.memories import Memory
from codesign.twin.walk import Circuit, Load, Walked, leak, walk

_ROUNDS = 3


class Settled:
    """The solver of ``walk`` for signals that have settled."""

    def __init__(self, circuit: Circuit, memories: tuple[Memory, ...], sharpness: float) -> None:
        self.circuit, self.memories, self.sharpness = circuit, memories, sharpness

    def line(
        self, polarity: str, up: Tensor, down: Tensor | None, load: Load, kinds: tuple[str, ...],
        pushed: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """As ``walk.Solver`` says: the current at which the line rests."""
        transfer = self.circuit.transfer
        line = transfer.n if polarity == "n" else transfer.p
        factors = [transfer.copies[kind].drain for kind in kinds]
        lowest = line.volts.centre - line.volts.half
        log = torch.log((up if down is None else up - down).detach().clamp(min=1e-6))
        for _ in range(_ROUNDS):
            at = log.detach()
            high = up * torch.exp(factors[0](at)) if factors else up
            low = down * torch.exp(factors[1](at)) if down is not None else 0.0
            net = high + leak(self.circuit, polarity, at, load) - low
            log = torch.log(net.clamp(min=1e-12)).clamp(min=lowest)
        return log

    def memory(self, layer: int, candidate: Tensor, net: Tensor) -> Tensor:
        """States of the frame equations, in the current of the cell's own mirror."""
        memory = self.memories[layer]
        signal = torch.where(net < 0, net, candidate)
        high, low, alpha = (_cells(v) for v in (memory.high, memory.low, memory.alpha))
        scale = _cells(memory.beta_hi) / _cells(memory.beta_hi).detach()
        state = fq_bmru(signal, high * scale, high * scale - low, alpha, 0.0, self.sharpness)
        floor = self.circuit.transfer.gmin_units_per_v * self.circuit.transfer.hardware.supply_v
        return torch.log(state.clamp(min=floor))


def run_settled(
    circuit: Circuit, inputs: Tensor, memories: tuple[Memory, ...], sharpness: float = 1.0
) -> Walked:
    """Every compared node for inputs [clips, frames, channels] in units."""
    return walk(circuit, inputs, Settled(circuit, memories, sharpness))


def _cells(values: Tensor) -> Tensor:
    return values[:, None, None] if values.ndim > 1 else values
