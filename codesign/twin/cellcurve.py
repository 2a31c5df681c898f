"""The memory cell as a curve: the currents at its decision node against that node's voltage.

At v0 three currents meet (``netlists/bmru_async.cir``), all smooth functions of v0 alone but for
the feedback line, which has a memory of its own:

    C(v0) dv0/dt = I_candidate p1(v0) + I_feedback p9(v0) - I_thresh n2(v0)
    I_feedback -> I_width s(v0; I_width),     I_state -> I_gain s(v0; I_gain)

n2, p1, p9 are the drain's part of a mirror's current; s is a switch in series with a mirror, of
which the EKV form of the switch and the mirror's drain curve give the common current. With the
feedback at rest the candidate that holds v0 is

    I_eq(v0) = (I_thresh n2 - I_width s p9) / p1

whose folds are the thresholds: its maximum is beta_hi, the minimum after it beta_lo. The twin asks
for the bias currents whose folds are the beta_hi and width it is given; these come from the
measurement of the cells as programmed, so the curve adds the shape and not the level.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codesign.device.cell_loops import HOLD_MARGIN
from codesign.twin.transfer import Floats, Transfer, copy_na, gate_ff, place

STEP_V = 0.01
_BISECTIONS = 24
_ROUNDS = 6
_NANO = 1e-9


@dataclass(frozen=True)
class CellShapes:
    """What all cells of a design share, on a grid of v0 (points,).

    p1, p9, n2: drain curves, 1 where a diode would sit. capacitance_us: C(v0) in microseconds times
    units per volt, without the nodes ``a`` and ``b`` of a strobed cell, whose own are
    ``steered_us``; top_v: voltage of such a node that feeds v0, follows: how it moves with v0.
    feedback_us: K of the feedback line; floor_units: what gmin leaves on it.
    """

    v0_v: Tensor
    p1: Tensor
    p9: Tensor
    n2: Tensor
    capacitance_us: Tensor
    top_v: Tensor
    follows: Tensor
    steered_us: tuple[float, float]
    feedback_us: float
    floor_units: float
    transfer: Transfer


@dataclass(frozen=True)
class CellCurves:
    """Cells with their bias currents: tables (..., points) over v0, currents in units.

    ``threshold``, ``width``, ``hold`` (...): bias currents; ``feedback`` and ``state``: s(v0) of
    each cell, the second divided by its value with v0 high, so that alpha is the current then.
    """

    shapes: CellShapes
    threshold: Tensor
    width: Tensor
    hold: Tensor
    feedback: Tensor
    state: Tensor

    def equilibrium(self) -> Tensor:
        """I_eq(v0), (..., points)."""
        s = self.shapes
        supplied = self.width[..., None] * self.feedback * s.p9
        return (self.threshold[..., None] * s.n2 - supplied) / s.p1


def cell_shapes(transfer: Transfer, dtype: torch.dtype = torch.float64) -> CellShapes:
    """The shared shapes at a process point."""
    hw, models = transfer.hardware, transfer.models
    iu = hw.unit_current_a / _NANO
    v0 = np.arange(0.0, hw.supply_v - 0.005, STEP_V)
    strobed = hw.cell == "strobed"
    per_unit = {"unit": iu / hw.weight_grid, "cell": iu}

    def drain_curve(polarity: str, part: str, across: Floats) -> Tensor:
        fit, g = place(models, transfer.geometry(polarity, part))
        gate = _gate_at(transfer, polarity, part, per_unit[part])
        at_gate = copy_na(fit, g, np.array(gate), np.array(gate))
        return torch.from_numpy(copy_na(fit, g, np.array(gate), across) / at_gate)

    # A strobed cell's candidate comes through a switch, which keeps its mirror off v0 while v0 is
    # low: the mirror's drain sits a switch's gate voltage above.
    top = _steering(transfer, v0, 2 * iu) if strobed else v0
    p_capacitance = models.capacitance(transfer.geometry("p", "cell"), True)
    n_capacitance = models.capacitance(transfer.geometry("n", "cell"), True)
    unit_p = models.capacitance(transfer.geometry("p", "unit"), True)
    n_switch = models.capacitance(transfer.geometry("n", "switch"), False)
    p_switch = models.capacitance(transfer.geometry("p", "switch"), False)
    c = hw.v0_capacitance_f * 1e15 + p_capacitance.drain + n_capacitance.drain + n_switch.drain
    c = c + 2 * np.polynomial.polynomial.polyval(v0, n_switch.gate)
    above = np.gradient(top, v0)  # how far the mirror's drain follows v0
    steered = (0.0, 0.0)
    if strobed:
        c = c + 2 * p_switch.drain
        switches = 2 * p_switch.drain
        steered = (hw.weight_grid * unit_p.drain + switches, p_capacitance.drain + switches)
    else:
        c = c + hw.weight_grid * unit_p.drain
    gate = _gate_at(transfer, "p", "cell", 0.3 * iu)
    slope = _gate_at(transfer, "p", "cell", 0.3 * iu * np.e) - gate
    reader, own = gate_ff(p_capacitance, np.array(gate))
    return CellShapes(
        v0_v=torch.from_numpy(v0).to(dtype),
        p1=drain_curve("p", "unit", hw.supply_v - top).clamp(min=1e-4).to(dtype),
        p9=drain_curve("p", "cell", hw.supply_v - v0).to(dtype),
        n2=drain_curve("n", "cell", v0).to(dtype),
        capacitance_us=torch.from_numpy(np.asarray(c) / iu).to(dtype),
        top_v=torch.from_numpy(top).to(dtype),
        follows=torch.from_numpy(above).to(dtype),
        steered_us=(steered[0] / iu, steered[1] / iu),
        feedback_us=float((reader + own + n_switch.drain) * slope / iu),
        floor_units=transfer.gmin_units_per_v * hw.supply_v / 2,
        transfer=transfer,
    )


def cell_curves(
    shapes: CellShapes, beta_hi: Tensor, width: Tensor, alpha: Tensor,
    switch_shift_v: tuple[Tensor, Tensor] | None = None,
) -> CellCurves:  # fmt: skip
    """Curves of cells with their folds at ``beta_hi`` and ``beta_hi - width`` (units, any shape).

    These are candidates as the network has them, currents of a sum; the curve is in those of the
    cell's own P line, which the turn between them makes a little smaller where they are large.
    """
    hi = beta_hi.detach().to(torch.float64)
    low = (hi - width.detach().to(torch.float64)).clamp(min=1e-3)
    hi, low = hi * _turn(shapes.transfer, hi), low * _turn(shapes.transfer, low)
    wide = hi - low
    gain = alpha.detach().to(torch.float64)
    threshold, wid = hi.clone(), wide.clone()
    doubles = _double(shapes)
    for _ in range(_ROUNDS):
        found = with_bias(doubles, threshold, wid, gain)
        got_hi, got_lo = folds(found)
        threshold = threshold * hi / got_hi
        wid = (wid + wide - (got_hi - got_lo)).clamp(min=1e-3)
    return _as(with_bias(doubles, threshold, wid, gain, switch_shift_v), shapes)


def _turn(transfer: Transfer, current: Tensor) -> Tensor:
    """Gain from a sum's current to that of its P line."""
    log = torch.log(current)
    kind = transfer.copies["n_to_p"]
    return torch.exp(kind.line(log) + kind.drain(log))


def with_bias(
    shapes: CellShapes, threshold: Tensor, width: Tensor, gain: Tensor,
    switch_shift_v: tuple[Tensor, Tensor] | None = None,
) -> CellCurves:  # fmt: skip
    """Curves of cells with these bias currents (units); shifts are of the switches m6 and m3."""
    shifts = switch_shift_v or (torch.zeros_like(width), torch.zeros_like(gain))
    feedback = series(shapes, width, shifts[0])
    state = series(shapes, gain, shifts[1])
    hold = threshold - torch.maximum(width / 2, width - HOLD_MARGIN * threshold)  # CellBias.hold
    return CellCurves(shapes, threshold, width, hold, feedback, state / state[..., -1:])


def folds(curves: CellCurves) -> tuple[Tensor, Tensor]:
    """(beta_hi, beta_lo) in units: the maximum of I_eq and the minimum after it."""
    y = curves.equilibrium()
    points = y.shape[-1]
    at = torch.arange(points, device=y.device)
    inner = (at > 20) & (at < points - 10)
    low = torch.where(inner, y, torch.inf).argmin(-1, keepdim=True)
    high = torch.where(at < low, y, -torch.inf).argmax(-1, keepdim=True)
    return _vertex(y, high), _vertex(y, low)


def _vertex(y: Tensor, k: Tensor) -> Tensor:
    k = k.clamp(1, y.shape[-1] - 2)
    left, middle, right = (y.gather(-1, k + o)[..., 0] for o in (-1, 0, 1))
    bend = left - 2 * middle + right
    return torch.where(bend == 0, middle, middle - (right - left) ** 2 / (8 * bend))


def series(shapes: CellShapes, bias: Tensor, shift_v: Tensor) -> Tensor:
    """s(v0) (..., points): an N switch (gate v0) above an N mirror, current per bias unit."""
    transfer = shapes.transfer
    switch = transfer.models.switches[
        transfer.models.switch_index(transfer.geometry("n", "switch"))
    ]
    iu = transfer.hardware.unit_current_a / _NANO
    v0 = shapes.v0_v.to(torch.float64)
    u = ((v0 + shift_v[..., None] - switch.centre_v) / switch.half_v).clamp(-1.2, 1.2)
    pinch = torch.zeros_like(u)
    for c in switch.pinch[::-1]:
        pinch = pinch * u + float(c)
    twice = 2 * switch.thermal_v
    drain = transfer.hardware.supply_v - 0.3  # of the P diode above, while the switch turns on
    across, curve = _drain_table(transfer)

    def excess(source: Tensor) -> Tensor:
        """Current of the switch beyond that of the mirror, units."""
        forward = torch.nn.functional.softplus((pinch - source) / twice) ** 2
        back = torch.nn.functional.softplus((pinch - drain) / twice) ** 2
        given = switch.scale_na / iu * (forward - back) * (1 + switch.lam_per_v * (drain - source))
        return given - bias[..., None] * _look_up(curve, source / across)

    low, high = torch.zeros_like(u), torch.full_like(u, drain)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        up = excess(middle) > 0
        low, high = torch.where(up, middle, low), torch.where(up, high, middle)
    return _look_up(curve, (low + high) / 2 / across)


def _drain_table(transfer: Transfer) -> tuple[float, Tensor]:
    """An N mirror's drain curve in millivolts."""
    fit, g = place(transfer.models, transfer.geometry("n", "cell"))
    gate = np.array(_gate_at(transfer, "n", "cell", transfer.hardware.unit_current_a / _NANO))
    across = np.arange(0.0, transfer.hardware.supply_v, 2e-3)
    return 2e-3, torch.from_numpy(copy_na(fit, g, gate, across) / copy_na(fit, g, gate, gate))


def _look_up(table: Tensor, place_: Tensor) -> Tensor:
    at = place_.clamp(0, len(table) - 1.001)
    k = at.long()
    return torch.lerp(table[k], table[k + 1], at - k)


def _gate_at(transfer: Transfer, polarity: str, part: str, current_na: float) -> float:
    """Gate voltage (saturated) of one mirror device at a current."""
    fit, g = place(transfer.models, transfer.geometry(polarity, part))
    v = np.linspace(fit.low_v[g], fit.high_v[g], 2000)
    ln = np.log(copy_na(fit, g, v, np.full_like(v, 0.6)))
    return float(np.interp(np.log(current_na), ln, v))


def _steering(transfer: Transfer, v0: Floats, current_na: float) -> Floats:
    """Voltage of the node above a P switch (gate at 0) that carries a current down into v0."""
    supply = transfer.hardware.supply_v
    switch = transfer.models.switches[
        transfer.models.switch_index(transfer.geometry("p", "switch"))
    ]
    u = np.clip((supply - switch.centre_v) / switch.half_v, -1.2, 1.2)
    pinch = np.polynomial.polynomial.polyval(u, switch.pinch)
    back = np.logaddexp(0, (pinch - (supply - v0)) / (2 * switch.thermal_v)) ** 2
    root = np.sqrt(back + current_na / switch.scale_na)
    return np.asarray(supply - (pinch - 2 * switch.thermal_v * np.log(np.expm1(root))))


def _double(shapes: CellShapes) -> CellShapes:
    return _cast(shapes, torch.float64)


def _as(curves: CellCurves, shapes: CellShapes) -> CellCurves:
    dtype = shapes.v0_v.dtype
    return CellCurves(
        shapes, curves.threshold.to(dtype), curves.width.to(dtype), curves.hold.to(dtype),
        curves.feedback.to(dtype), curves.state.to(dtype),
    )  # fmt: skip


def _cast(s: CellShapes, dtype: torch.dtype) -> CellShapes:
    return CellShapes(
        s.v0_v.to(dtype), s.p1.to(dtype), s.p9.to(dtype), s.n2.to(dtype),
        s.capacitance_us.to(dtype), s.top_v.to(dtype), s.follows.to(dtype), s.steered_us,
        s.feedback_us, s.floor_units, s.transfer,
    )  # fmt: skip
