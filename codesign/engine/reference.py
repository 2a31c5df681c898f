"""The engine's equations in plain numpy: what the kernel computes, without what makes it fast.

The same program and the same device formulas as ``native/``, in double precision. Where the kernel
walks from block to block, skips what rests and halves steps, this module writes Kirchhoff's law
for all nodes at once and takes the steps it is given, each by a full Newton iteration on the whole
circuit. It is slow, and it is what the kernel is held against.

Units are volts, nanoamperes, microseconds and femtofarads; arrays over samples have the samples
last.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.engine.characterise import Models
from codesign.engine.decode import decode
from codesign.engine.formulas import Devices, polynomial
from codesign.engine.grid import FrameGrid
from codesign.engine.program import Program

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FLAG_RANGE, FLAG_CONVERGENCE = 1, 2
_TOLERANCE_V = 1e-6
_STEP_LIMIT_V = 0.12
_ITERATIONS = 200
_UNDAMPED, _DAMPING = 15, 30.0
# Conductance on the diagonal of the Jacobian only: it moves no solution.
_PIVOT = 1e-7


@dataclass(frozen=True)
class ReferenceResult:
    """``currents`` (samples, frames, probes + readouts) in nanoamperes at the sampling instants,
    ``supply_na`` (samples, supplies) mean supply currents, ``flags`` (samples,) as the kernel's:
    1 when a line left the range of its devices, 2 when a step did not converge."""

    currents: Floats
    supply_na: Floats
    flags: NDArray[np.int32]


class _System:
    """Kirchhoff's law of one circuit for some samples."""

    def __init__(self, program: Program, devices: Devices) -> None:
        self.program, self.devices, self.circuit = program, devices, devices.circuit
        self.samples = devices.shift.shape[1]
        n, count = self.circuit.unknown, len(program.nodes)
        self.leak = program.leak[:n].astype(np.float64)
        self.charges, self.middle = np.split(program.charge[:n].astype(np.float64), [-1], axis=1)
        self.coupled = np.zeros((n, count))
        for node, gate, index in self.circuit.couplings:
            self.coupled[node, gate] += program.coupling[index]
        self.sign = {
            name: np.where(getattr(self.circuit, name)[:, 1] == 1, 1.0, -1.0)[:, None]
            for name in ("copies", "diodes", "switches")
        }

    def charge(self, v: Floats) -> tuple[Floats, Floats]:
        """Charge of every unknown node and its own capacitance."""
        n = self.circuit.unknown
        c = np.concatenate([np.zeros((n, 1)), self.charges], axis=1)
        value, slope = polynomial(c, v[:n] - self.middle)
        return value - self.coupled @ v, slope

    def injected(self, inputs: Floats) -> Floats:
        """Currents drawn from each unknown node; inputs (inputs, samples)."""
        result = np.zeros((self.circuit.unknown, self.samples))
        for node, source, reference in self.circuit.injections:
            if source >= 0:
                result[node] += inputs[source]
            if reference >= 0:
                result[node] += self.program.reference_na[reference]
        return result

    def currents(self, v: Floats) -> tuple[Floats, Floats]:
        """Sum of currents into every node (nodes, samples) and its Jacobian (samples, n, n)."""
        circuit, n, count = self.circuit, self.circuit.unknown, len(v)
        into = np.zeros((count, self.samples))
        jacobian = np.zeros((count, count, self.samples))
        current, by_gate, by_drain = self.devices.copies(v)
        gate, drain = circuit.copies[:, 3], circuit.copies[:, 4]
        np.add.at(into, drain, self.sign["copies"] * current)
        np.add.at(jacobian, (drain, gate), -by_gate)
        np.add.at(jacobian, (drain, drain), -by_drain)
        current, slope = self.devices.diodes(v)
        node = circuit.diodes[:, 3]
        np.add.at(into, node, self.sign["diodes"] * current)
        np.add.at(jacobian, (node, node), -slope)
        if len(circuit.switches):
            current, *slopes = self.devices.switches(v)
            gate, drain, source = circuit.switches[:, 3:].T
            np.add.at(into, drain, self.sign["switches"] * current)
            np.add.at(into, source, -self.sign["switches"] * current)
            for terminal, by in zip((gate, drain, source), slopes, strict=True):
                np.add.at(jacobian, (drain, terminal), -by)
                np.add.at(jacobian, (source, terminal), by)
        into[:n] += self.leak[:, 1:] * (self.devices.vdd - v[:n]) - self.leak[:, :1] * v[:n]
        diagonal = np.arange(n)
        jacobian[diagonal, diagonal] -= self.leak.sum(axis=1)[:, None]
        return into, jacobian[:n, :n].transpose(2, 0, 1)

    def solve(
        self, v: Floats, drawn: Floats, now: float, past: Floats, held: Ints
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Newton from ``v``: currents in = now * charge + past. ``held`` nodes stand still.

        Returns voltages (nodes, samples) and which samples did not converge.
        """
        n = self.circuit.unknown
        v = v.copy()
        diagonal = np.arange(n)
        moved = np.zeros(self.samples)
        for iteration in range(_ITERATIONS):
            into, jacobian = self.currents(v)
            charge, capacitance = self.charge(v)
            f = into[:n] - drawn - now * charge - past
            jacobian = jacobian + now * self.coupled[:, :n]
            # A cell past its tipping point has no solution nearby, and Newton's steps go round in
            # circles: larger capacitors let them follow the path the circuit takes.
            damping = _DAMPING * moved / _STEP_LIMIT_V if iteration >= _UNDAMPED else 0.0
            jacobian[:, diagonal, diagonal] -= (now * capacitance * (1 + damping) + _PIVOT).T
            f[held] = 0
            jacobian[:, held] = 0
            jacobian[:, held, held] = -1
            dv = -np.linalg.solve(jacobian, f.T[..., None])[..., 0].T
            dv = np.clip(dv, -_STEP_LIMIT_V, _STEP_LIMIT_V)
            v[:n] = np.clip(v[:n] + dv, -0.3, self.devices.vdd + 0.3)
            moved = np.abs(dv).max(axis=0)
            if (moved < _TOLERANCE_V).all():
                break
        return v, ~(moved < _TOLERANCE_V)

    def beyond(self, v: Floats) -> NDArray[np.bool_]:
        """Samples with a line above the range its copies were fitted in."""
        fit, on_line = self.devices.copied, self.circuit.copies[:, 6] == 1
        across = self.devices.sense(fit.polarity, v[self.circuit.copies[:, 3]])
        return np.asarray((across > fit.centre + fit.half)[on_line].any(axis=0))

    def supplied(self, v: Floats) -> Floats:
        """Current of every metered supply (supplies, samples)."""
        total = np.zeros((len(self.program.supplies), self.samples))
        for table, column, current in (
            (self.circuit.copies, 5, self.devices.copies(v)[0]),
            (self.circuit.diodes, 4, self.devices.diodes(v)[0]),
        ):
            metered = table[:, column] >= 0
            np.add.at(total, table[metered, column], current[metered])
        return total

    def read(self, v: Floats) -> Floats:
        """Currents of the probed diodes, then into every readout (samples, columns)."""
        row = {int(device): k for k, device in enumerate(self.circuit.diodes[:, 0])}
        probed = [row[int(device)] for device in self.program.probes[:, 2]]
        into = self.currents(v)[0][self.circuit.readouts]
        return np.concatenate([self.devices.diodes(v)[0][probed], into]).T


def run_reference(
    program: Program,
    models: Models,
    vdd: float,
    temperature_c: float,
    grids: tuple[FrameGrid, FrameGrid],
    inputs_na: Floats,
    clip: Ints,
    shift_v: Floats,
    gain: Floats,
) -> ReferenceResult:
    """Run samples on the steps of ``grids``: arguments as of ``native.call.Kernel.run``.

    The bias point is reached as by a circuit that is switched on with ever longer steps, its held
    nodes kept at ground. Steps are backward Euler after a corner of a source, then second-order
    backward differences; no step is halved, so the grid has to be fine enough for a cell that tips.
    """
    circuit = decode(program)
    devices = Devices(circuit, models, vdd, temperature_c, shift_v, gain)
    system = _System(program, devices)
    samples, frames = len(clip), inputs_na.shape[1]
    n, none = circuit.unknown, np.zeros(0, np.int64)
    held = program.held.astype(np.int64)
    v = np.repeat(program.start_v.astype(np.float64)[:, None], samples, axis=1)
    drawn_to = system.injected(inputs_na[clip, 0].T)
    lost = np.zeros(samples, bool)
    for rate in [*np.geomspace(10.0, 1e-5, 13), 0.0]:
        v, lost = system.solve(v, drawn_to, rate, -rate * system.charge(v)[0], held)
    flags = np.where(lost, FLAG_CONVERGENCE, 0)
    currents = np.zeros((samples, frames, program.diodes + len(program.readouts)))
    charge_supplied = np.zeros((len(program.supplies), samples))
    q, q_before, last_us, duration_us = system.charge(v)[0], np.zeros((n, samples)), 1.0, 0.0
    for frame in range(frames):
        grid = grids[min(frame, 1)]
        drawn_from, drawn_to = drawn_to, system.injected(inputs_na[clip, frame].T)
        for k, step_us in enumerate(grid.step_us):
            drawn = drawn_from + (drawn_to - drawn_from) * grid.edge[k]
            v[program.driven] = grid.driven_v[k][:, None]
            r = 0.0 if grid.restart[k] else step_us / last_us
            past = (-(1 + r) * q + r * r / (1 + r) * q_before) / step_us
            v, lost = system.solve(v, drawn, (1 + 2 * r) / (1 + r) / step_us, past, none)
            q_before, q, last_us = q, system.charge(v)[0], step_us
            flags |= np.where(lost, FLAG_CONVERGENCE, 0) | np.where(system.beyond(v), FLAG_RANGE, 0)
            charge_supplied += step_us * system.supplied(v)
            duration_us += step_us
            if k == grid.sample_step:
                currents[:, frame] = system.read(v)
    return ReferenceResult(currents, charge_supplied.T / duration_us, flags.astype(np.int32))
