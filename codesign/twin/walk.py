"""The circuit of a network as stages of lines and copies, in the order the signal walks.

Both transistor-level twins walk this way; they differ in what a line and a cell do with the
currents they are given, which is the ``Solver``: settle at once (calibrated) or in time
(sub-stepped). Weights enter as the parameters' tensors, so a gradient reaches them.

Shapes: parameters [*S, ...] with S the chips, or nothing; signals [*S, clips, times, units].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from codesign.mapping.names import block_path, cell_instance, relu_instance
from codesign.twin.chips import Chips, Deviation
from codesign.twin.transfer import Line, Transfer

Names = list[str]


@dataclass(frozen=True)
class Load:
    """Unit devices on a line of n units: gates that read it beside its own diode, and drains of P
    and of N copies that end on it; each [*S, n] or a number."""

    gates: Tensor | float
    p_drains: Tensor | float
    n_drains: Tensor | float


@dataclass(frozen=True)
class Wave:
    """A line: L = ln(I / unit) [*S, clips, times, n], and the deviation of its diode."""

    log: Tensor
    diode: Deviation | None


class Solver(Protocol):
    """What a line and a cell do with the currents they are given."""

    def line(
        self, polarity: str, up: Tensor, down: Tensor | None, load: Load, kinds: tuple[str, ...],
        pushed: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """L of a line fed by ``up`` less ``down`` (units, before the drain's part, which the
        ``kinds`` of copy name). ``pushed``: charge the gates of these copies have put on it through
        their gate-drain capacitances, units times microseconds."""

    def memory(self, layer: int, candidate: Tensor, net: Tensor) -> Tensor:
        """L of the state lines of a layer for the cells' candidate currents (of m1). ``net`` is
        what the candidates' sums collect, negative ones included: gradients may use it."""


@dataclass(frozen=True)
class Walked:
    """Every compared node in units: candidates and states one [*S, clips, times, d] per layer,
    logits [*S, clips, times, classes]."""

    candidates: list[Tensor]
    states: list[Tensor]
    logits: Tensor


class Circuit:
    """A network's parameters as copies, with the deviations of some chips."""

    def __init__(self, transfer: Transfer, parameters: Mapping[str, Tensor], chips: Chips) -> None:
        self.transfer, self.parameters, self.chips = transfer, parameters, chips
        self.grid = float(transfer.hardware.weight_grid)
        self.layers = sum(key.endswith("cell.beta_hi") for key in parameters)
        reference = chips.of("p", ["xreference.xline.mline"])
        self.reference_p = Wave(self._zero(), reference)
        turned = self.copy("p_to_sum", self.reference_p, chips.of("p", ["xreference.xturn.mcopy"]))
        self.reference_n = Wave(torch.log(turned), chips.of("n", ["xreference.xturn.mline"]))

    def _zero(self) -> Tensor:
        return torch.zeros(1, 1, 1, device=self.chips.like.device, dtype=self.chips.like.dtype)

    # --- copies -----------------------------------------------------------------------------

    def emission(self, kind: str, wave: Wave) -> tuple[Tensor, Tensor | None]:
        """Current of one perfect copy without its drain's part, and gm/I beyond that of 1 unit."""
        line = self._line(kind[0])
        log = wave.log + self.transfer.copies[kind].line(wave.log)
        if wave.diode is None:
            return torch.exp(log), None
        gm_over_i = 1 / line.slope(wave.log)
        log = log - wave.diode.log[:, None, None] - wave.diode.shift_v[:, None, None] * gm_over_i
        return torch.exp(log), gm_over_i - 1 / line.slope.at(0.0)

    def copy(self, kind: str, wave: Wave, own: Deviation | None) -> Tensor:
        """One copy of each unit of a line, of ratio 1."""
        current, more = self.emission(kind, wave)
        if own is None or more is None:
            return current
        reference = 1 / self._line(kind[0]).slope.at(0.0)
        total = own.log + own.shift_v * reference
        return current * torch.exp(total[:, None, None] + own.shift_v[:, None, None] * more)

    def weighted(self, kind: str, wave: Wave, weight: Tensor, own: Deviation | None) -> Tensor:
        """Sums of copies: weight [*S, out, in], not negative; deviations [chips, out, in]."""
        current, more = self.emission(kind, wave)
        if own is None or more is None:
            return current @ _columns(weight)
        real = weight * torch.exp(own.at(1 / self._line(kind[0]).slope.at(0.0)))
        return current @ _columns(real) + (current * more) @ _columns(real * own.shift_v)

    def _line(self, polarity: str) -> Line:
        return self.transfer.n if polarity == "n" else self.transfer.p

    # --- blocks -----------------------------------------------------------------------------

    def sums(self, name: str, p: Wave, n: Wave, to: str = "sum") -> tuple[Tensor, Tensor]:
        """(positive, negative) currents into the sums of a feed-forward block."""
        weight, bias = self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]
        own_p, own_n = (
            self._weight_devices("p", name, weight),
            self._weight_devices("n", name, weight),
        )
        bias_p, bias_n = self._bias_devices("p", name, bias), self._bias_devices("n", name, bias)
        up = self.weighted(f"p_to_{to}", p, weight.clamp(min=0), own_p)
        down = self.weighted(f"n_to_{to}", n, (-weight).clamp(min=0), own_n)
        column = bias.unsqueeze(-1)
        up = up + self.weighted(f"p_to_{to}", self.reference_p, column.clamp(min=0), bias_p)
        down = down + self.weighted(f"n_to_{to}", self.reference_n, (-column).clamp(min=0), bias_n)
        return up, down

    def pushed(self, name: str, p: Wave, n: Wave) -> Tensor:
        """Charge the copies' gates put on the sums of a block: a copy that turns on pushes against
        its own current."""
        weight = self.parameters[f"{name}.weight"].detach()
        by_p = self._gate_charge("p", p) @ _columns(weight.clamp(min=0))
        return self._gate_charge("n", n) @ _columns((-weight).clamp(min=0)) - by_p

    def pushed_one(self, polarity: str, wave: Wave) -> Tensor:
        """The same for one copy of each unit of a line."""
        return -self._gate_charge(polarity, wave)

    def _gate_charge(self, polarity: str, wave: Wave) -> Tensor:
        line = self._line(polarity)
        unit_na = self.transfer.hardware.unit_current_a * 1e9
        return line.volts(wave.log.detach()) * (line.gate_drain_ff * self.grid / unit_na)

    def _weight_devices(self, polarity: str, name: str, weight: Tensor) -> Deviation | None:
        outputs, inputs = weight.shape[-2:]
        path = ".".join(block_path(f"{name}.weight"))
        names = [f"{path}.mweight_{j}_{i}" for j in range(outputs) for i in range(inputs)]
        found = self.chips.of(polarity, names)
        if found is None:
            return None
        shape = (-1, outputs, inputs)
        return Deviation(found.log.reshape(shape), found.shift_v.reshape(shape))

    def _bias_devices(self, polarity: str, name: str, bias: Tensor) -> Deviation | None:
        path = ".".join(block_path(f"{name}.bias"))
        found = self.chips.of(polarity, [f"{path}.mbias_{j}" for j in range(bias.shape[-1])])
        return found and Deviation(found.log.unsqueeze(-1), found.shift_v.unsqueeze(-1))

    def readers(self, name: str) -> tuple[Tensor, Tensor]:
        """Unit devices that read each input of a block: on its P line, on its N line, [*S, in]."""
        weight = self.parameters[f"{name}.weight"].detach() * self.grid
        return weight.clamp(min=0).sum(-2), (-weight).clamp(min=0).sum(-2)

    def enders(self, name: str) -> tuple[Tensor, Tensor]:
        """Unit devices that end on each sum of a block: P and N, [*S, out]."""
        weight = self.parameters[f"{name}.weight"].detach() * self.grid
        bias = self.parameters[f"{name}.bias"].detach() * self.grid
        return (
            weight.clamp(min=0).sum(-1) + bias.clamp(min=0),
            (-weight).clamp(min=0).sum(-1) + (-bias).clamp(min=0),
        )


def walk(circuit: Circuit, inputs: Tensor, solver: Solver) -> Walked:
    """Every compared node for input currents [clips, times, channels] in units."""
    grid, chips = circuit.grid, circuit.chips
    channels = inputs.shape[-1]
    p_readers, n_readers = circuit.readers("projection")
    turned = grid * (n_readers > 0)
    p = Wave(
        solver.line("p", inputs, None, Load(p_readers + turned, 0.0, 0.0), ()),
        chips.of("p", [f"xinput_{k}.mline" for k in range(channels)]),
    )
    n = _turned_to_n(circuit, solver, p, "xprojection", n_readers)
    x_n, x_p, _, _ = _block(circuit, solver, "projection", p, n, _carried(circuit, 0))
    candidates, states = [], []
    for layer in range(circuit.layers):
        name = f"layers.{layer}"
        c_n, c_p, up, down = _block(circuit, solver, f"{name}.candidate", x_p, x_n, (grid, 0.0))
        d = c_n.log.shape[-1]
        cells = [f"{cell_instance(layer, k)}" for k in range(d)]
        copied = circuit.copy("p_to_cell", c_p, chips.of("p", [f"{c}.m1" for c in cells]))
        p_readers, n_readers = circuit.readers(f"{name}.output")
        h_p = Wave(
            solver.memory(layer, copied, up - down), chips.of("p", [f"{c}.m4" for c in cells])
        )
        h_n = _turned_to_n(circuit, solver, h_p, f"xlayers_{layer}.xoutput", n_readers)
        _, v_p, _, _ = _block(circuit, solver, f"{name}.output", h_p, h_n, (grid, 0.0))
        x_n, x_p = _skip(circuit, solver, layer, v_p, x_p)
        candidates.append(torch.exp(c_n.log))
        states.append(torch.exp(h_p.log))
    up, down = circuit.sums("readout", x_p, x_n, "readout")
    return Walked(candidates, states, up - down)


def _carried(circuit: Circuit, layer: int) -> tuple[Tensor | float, Tensor | float]:
    """Readers of the P and N lines of x after ``layer`` layers, turns aside."""
    if layer == circuit.layers:
        return circuit.readers("readout")
    p, n = circuit.readers(f"layers.{layer}.candidate")
    return p + circuit.grid, n


def _turned_to_n(circuit: Circuit, solver: Solver, p: Wave, path: str, readers: Tensor) -> Wave:
    """N lines of a signal that is native on P lines."""
    chips, count = circuit.chips, p.log.shape[-1]
    own = chips.of("p", [f"{path}.xturnin_{k}.mcopy" for k in range(count)])
    current = circuit.copy("p_to_sum", p, own)
    load, pushed = Load(readers, circuit.grid, 0.0), circuit.pushed_one("p", p)
    log = solver.line("n", current, None, load, ("p_to_sum",), pushed)
    return Wave(log, chips.of("n", [f"{path}.xturnin_{k}.mline" for k in range(count)]))


def _turned_to_p(
    circuit: Circuit, solver: Solver, n: Wave, path: str, readers: Tensor | float
) -> Wave:
    """P lines of a signal that is native on N lines."""
    chips, count = circuit.chips, n.log.shape[-1]
    own = chips.of("n", [f"{path}.xturn_{k}.mcopy" for k in range(count)])
    current = circuit.copy("n_to_p", n, own)
    load, pushed = Load(readers, 0.0, circuit.grid), circuit.pushed_one("n", n)
    log = solver.line("p", current, None, load, ("n_to_p",), pushed)
    return Wave(log, chips.of("p", [f"{path}.xturn_{k}.mline" for k in range(count)]))


def _block(
    circuit: Circuit, solver: Solver, name: str, p: Wave, n: Wave,
    readers: tuple[Tensor | float, Tensor | float],
) -> tuple[Wave, Wave, Tensor, Tensor]:  # fmt: skip
    """A feed-forward block: its N lines, its P lines, and the currents of its sums."""
    up, down = circuit.sums(name, p, n)
    p_ends, n_ends = circuit.enders(name)
    load = Load(readers[1] + circuit.grid, p_ends, n_ends)
    kinds = ("p_to_sum", "n_to_sum")
    log = solver.line("n", up, down, load, kinds, circuit.pushed(name, p, n))
    names = [relu_instance(name, k) for k in range(log.shape[-1])]
    made = Wave(log, circuit.chips.of("n", names))
    path = names[0].rsplit(".", 1)[0]
    return made, _turned_to_p(circuit, solver, made, path, readers[0]), up, down


def _skip(
    circuit: Circuit, solver: Solver, layer: int, branch: Wave, carried: Wave
) -> tuple[Wave, Wave]:
    """The skip of a layer: two copies of ratio 1 into a fresh sum."""
    path, d = f"xlayers_{layer}.xskip", branch.log.shape[-1]
    chips = circuit.chips
    own = chips.of("p", [f"{path}.mbranch_{k}" for k in range(d)])
    total = circuit.copy("p_to_sum", branch, own)
    other = chips.of("p", [f"{path}.mcarried_{k}" for k in range(d)])
    total = total + circuit.copy("p_to_sum", carried, other)
    p_readers, n_readers = _carried(circuit, layer + 1)
    load = Load(n_readers + circuit.grid, 2 * circuit.grid, 0.0)
    pushed = circuit.pushed_one("p", branch) + circuit.pushed_one("p", carried)
    log = solver.line("n", total, None, load, ("p_to_sum",), pushed)
    made = Wave(log, chips.of("n", [f"{path}.mrelu_{k}" for k in range(d)]))
    return made, _turned_to_p(circuit, solver, made, path, p_readers)


def _columns(weight: Tensor) -> Tensor:
    """[*S, out, in] as the right factor of [*S, clips, times, in]."""
    turned = weight.transpose(-1, -2)
    return turned.unsqueeze(-3) if turned.ndim > 2 else turned


def leak(circuit: Circuit, polarity: str, log: Tensor, load: Load) -> Tensor:
    """What gmin carries into a line, units: through the drains that end on it, from either rail."""
    transfer = circuit.transfer
    line = transfer.n if polarity == "n" else transfer.p
    own, other = load.n_drains, load.p_drains
    if polarity == "p":
        own, other = load.p_drains, load.n_drains
    volts = line.volts(log)
    across = beside(other) * (transfer.hardware.supply_v - volts)
    return transfer.gmin_units_per_v * (across - (beside(own) + circuit.grid) * volts)


def beside(values: Tensor | float) -> Tensor | float:
    """[*S, n] beside clips and times."""
    if isinstance(values, float) or values.ndim < 2:
        return values
    return values[:, None, None]
