"""The sub-stepped twin: every node of the network in time, within each frame.

Each line is a first-order lag with its own charge (``lag``), input edges are interpolated, cells
integrate at their decision nodes (``latch``), asynchronous or strobed as in the netlist. A line
needs its drivers' whole waveform and nothing that follows, so the network is walked once, line by
line, each over all steps of all frames; charge and drain effects, which depend a little on the
line's own current, are found by repeating its scan.

Gradients: through lines exactly, but for the small dependence of charges and drains on the current.
A cell's decision gets the surrogate of training (``codesign.cells.heaviside``), spread over the
time the cell looks.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codesign.cells import heaviside, linear_scan
from codesign.circuit.network import strobe_ports
from codesign.circuit.timing import Timing
from codesign.engine.grid import Resolution, frame_grids, waveforms
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.twin.lag import Pull, lag
from codesign.twin.latch import Schedule, latch
from codesign.twin.memories import Memory
from codesign.twin.transfer import Floats, Line
from codesign.twin.walk import Circuit, Load, Walked, beside, leak, walk

_SWEEPS = 3
# E-folds a line may be pushed beyond its rail, where nothing holds it.
_BELOW = 2.0
# Below this a sum's own diode carries nothing, above it the copies that pull are saturated.
_NEAR_RAIL_V = 0.13
# Coarse, for training, which evaluates it again and again; fine, for comparing a design with its
# transistors: of the twin's wrong states it removes half, at twice the time.
TWIN_GRID = Resolution(edge_steps=4, first_us=4.0, growth=1.35, longest=0.03)
FINE_GRID = Resolution(edge_steps=4, first_us=3.0, growth=1.2, longest=0.012)


@dataclass(frozen=True)
class Steps:
    """The time grid of a clip: lengths (T,) us, progress of the input edge (T,), the frame of each
    step, the steps at whose end values are read, and per layer when cells look."""

    step_us: Tensor
    edge: Tensor
    frame: Tensor
    sampled: Tensor
    schedules: tuple[Schedule, ...]


def time_steps(
    hw: HardwareSection, shape: Shape, frames: int, resolution: Resolution = TWIN_GRID,
    like: Tensor | None = None,
) -> Steps:  # fmt: skip
    """The engine's grid (``engine.grid``) for a clip of ``frames`` frames."""
    like = torch.zeros(0, dtype=torch.float64) if like is None else like
    timing = Timing(hw.frame_s, hw.edge_s, frames, shape.layers)
    ports = strobe_ports(hw, shape)
    driven = ("rst", *(port for pair in ports for port in pair))
    grids = frame_grids(hw, timing, driven, waveforms(hw, shape, timing), resolution)
    chosen = [grids[min(frame, 1)] for frame in range(frames)]
    starts = np.cumsum([0] + [len(g.step_us) for g in chosen])

    def tensor(values: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(like)

    volts = np.concatenate([g.driven_v for g in chosen]) / hw.supply_v
    step = tensor(np.concatenate([g.step_us for g in chosen]))
    reset = tensor(volts[:, 0])
    ones = torch.ones_like(step)
    opens = [tensor(volts[:, 1 + 2 * k]) for k in range(len(ports))] or [ones] * shape.layers
    return Steps(
        step_us=step,
        edge=tensor(np.concatenate([g.edge for g in chosen])),
        frame=torch.from_numpy(np.repeat(np.arange(frames), np.diff(starts))).to(like.device),
        sampled=torch.from_numpy(starts[:-1] + [g.sample_step for g in chosen]).to(like.device),
        schedules=tuple(Schedule(step, open_, reset) for open_ in opens),
    )  # fmt: skip


def input_waves(inputs: Tensor, steps: Steps) -> Tensor:
    """Inputs [clips, frames, channels] at the ends of all steps, [clips, T + 1, channels]."""
    now = inputs[:, steps.frame]
    past = inputs[:, (steps.frame - 1).clamp(min=0)]
    waves = past + (now - past) * steps.edge[:, None]
    return torch.cat([inputs[:, :1], waves], dim=1)


class InTime:
    """The solver of ``walk`` that steps lines and cells through time."""

    def __init__(
        self, circuit: Circuit, steps: Steps, memories: tuple[Memory, ...], sharpness: float
    ) -> None:
        self.circuit, self.transfer, self.steps = circuit, circuit.transfer, steps
        self.memories, self.sharpness = memories, sharpness
        self.unit_na = self.transfer.hardware.unit_current_a * 1e9

    def line(
        self, polarity: str, up: Tensor, down: Tensor | None, load: Load, kinds: tuple[str, ...],
        pushed: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """As ``walk.Solver`` says; currents at the ends of the steps, [.., T + 1, n]."""
        return self._in_time(polarity, up, down, load, kinds, pushed)

    def memory(self, layer: int, candidate: Tensor, net: Tensor) -> Tensor:
        memory, schedule = self.memories[layer], self.steps.schedules[layer]
        on, _ = latch(memory.curves, candidate, schedule)
        if candidate.requires_grad or memory.beta_hi.requires_grad:
            soft = self._surrogate(memory, schedule, candidate, net, on)
            on = soft + (on - soft).detach()
        current = beside(memory.alpha) * on
        grid = self.circuit.grid
        p_readers, n_readers = self.circuit.readers(f"layers.{layer}.output")
        load = Load(p_readers + grid * (n_readers > 0), 0.0, 0.0)
        first = torch.zeros_like(current[..., :1, :])
        return self._in_time("p", torch.cat([first, current], -2), None, load, (), None, means=True)

    def _surrogate(
        self, memory: Memory, schedule: Schedule, candidate: Tensor, net: Tensor, on: Tensor
    ) -> Tensor:
        """A latch whose values are the ones found and whose gradient is the frame twin's cell."""
        signal = torch.where(net < 0, net, candidate)
        signal = (signal[..., 1:, :] + signal[..., :-1, :]) / 2
        looks = schedule.open * schedule.step_us * (schedule.reset < 0.5)
        frame_us = self.transfer.hardware.frame_s * 1e6
        within = self.steps.frame
        total = torch.zeros(int(within[-1]) + 1, dtype=looks.dtype, device=looks.device)
        total = total.index_add(0, within, looks).clamp(min=1e-3 * frame_us)
        share = (looks / total[within])[:, None]
        hi = beside(memory.beta_hi)
        above = heaviside(signal - hi, self.sharpness)
        keeps = heaviside(signal - (hi - beside(memory.width)), self.sharpness)
        before = torch.cat([torch.zeros_like(on[..., :1, :]), on[..., :-1, :]], -2)
        # What the gradient of one look is worth: its share of the time the cell looks.
        drive = (above + keeps * (1 - above.detach()) * before) * share
        carried = torch.exp(-share.expand_as(drive) * (1 - keeps.detach()) * 8)
        return _scan(carried, drive)

    def _in_time(
        self, polarity: str, up: Tensor, down: Tensor | None, load: Load,
        kinds: tuple[str, ...], pushed: Tensor | None, means: bool = False,
    ) -> Tensor:  # fmt: skip
        transfer = self.transfer
        line = transfer.n if polarity == "n" else transfer.p
        lowest = line.volts.centre - line.volts.half
        factors = [transfer.copies[kind].drain for kind in kinds]

        def parts(log: Tensor) -> tuple[Tensor, Tensor | None]:
            high = up * torch.exp(factors[0](log)) if kinds else up
            low = None
            if down is not None:
                low = down * torch.exp(factors[1](log)) if len(kinds) > 1 else down
            return high + leak(self.circuit, polarity, log, load), low

        def scan(log: Tensor) -> Tensor:
            high, low = parts(log)
            net = high if low is None else high - low
            floor = torch.full_like(net, lowest - _BELOW)
            drive = net if means else (net[..., 1:, :] + net[..., :-1, :]) / 2
            if means:
                drive = net[..., 1:, :]
            if pushed is not None:
                drive = drive + pushed.diff(dim=-2) / self.steps.step_us[:, None]
            charge = self._charge(line, load, log, polarity)
            rest = torch.log(net[..., 0, :].clamp(min=1e-9))
            start = torch.exp(-torch.maximum(rest, floor[..., 0, :] + _BELOW))
            highest = torch.exp(-floor[..., 1:, :]).detach()
            pull = None if low is None else self._pull(line, load, low)
            y = lag(drive, self.steps.step_us[:, None], charge, highest, start, pull)
            return -torch.log(torch.cat([start.unsqueeze(-2), y], -2))

        with torch.no_grad():
            net = up if down is None else up - down
            log = torch.log(net.clamp(min=1e-4))
            for _ in range(_SWEEPS - 1):
                log = scan(log)
        return scan(log.detach())

    def _pull(self, line: Line, load: Load, low: Tensor) -> Pull:
        """Near the rail V(L) is a straight line, and capacitance and slope are those there."""
        thermal, grid = self.transfer.knee_v, self.circuit.grid
        lowest = torch.full((), line.volts.centre - line.volts.half, dtype=low.dtype)
        slope = float(line.slope(lowest))
        fc = beside(load.gates) * float(line.gate_fc(lowest)) + grid * float(line.diode_fc(lowest))
        drains = beside(load.p_drains) * self.transfer.p.drain_ff
        drains = drains + beside(load.n_drains) * self.transfer.n.drain_ff
        charge = (fc / slope + drains) * thermal / self.unit_na
        current = (low[..., 1:, :] + low[..., :-1, :]) / 2
        zero = float(lowest)
        return Pull(current, charge, zero, slope / thermal, zero + _NEAR_RAIL_V / slope)

    def _charge(self, line: Line, load: Load, log: Tensor, polarity: str) -> Tensor:
        """K of every step, microseconds times units."""
        middle = (log[..., 1:, :] + log[..., :-1, :]) / 2
        transfer, grid = self.transfer, self.circuit.grid
        drains = beside(load.p_drains) * transfer.p.drain_ff
        drains = drains + beside(load.n_drains) * transfer.n.drain_ff
        fc = beside(load.gates) * line.gate_fc(middle) + grid * line.diode_fc(middle)
        return (fc + drains * line.slope(middle)) / self.unit_na


def _scan(a: Tensor, b: Tensor) -> Tensor:
    return linear_scan(a.expand_as(b), b)


def run_in_time(
    circuit: Circuit, inputs: Tensor, steps: Steps, memories: tuple[Memory, ...],
    sharpness: float = 1.0,
) -> Walked:  # fmt: skip
    """Values at the sampling instants of all frames; inputs [clips, frames, channels], units."""
    solver = InTime(circuit, steps, memories, sharpness)
    walked = walk(circuit, input_waves(inputs, steps), solver)
    at = steps.sampled + 1
    return Walked(
        [c[..., at, :] for c in walked.candidates],
        [h[..., at, :] for h in walked.states],
        walked.logits[..., at, :],
    )
