"""Cells in time: the decision node and the feedback line, step by step.

    C(v0) dv0/dt = I_in p1(v0) + I_fb p9(v0) - I_thresh n2(v0)
    K_fb dI_fb/dt = I_fb (I_width s(v0) - I_fb)

The right side of the first falls with v0 while I_fb stands still, so a step v0 += h f (e^z - 1) / z
with z = h f' < 0 is stable for any length; the second has the closed form of ``lag``. The cell tips
over by the two together, which is why they are stepped in turn, often.

The candidate is one current for an asynchronous cell. A strobed cell sees its hold current but
while its strobe is high, and the strobe's edge leaves a charge: half-way both switches of a pair
have half the supply on their gates, the nodes above them (a, b) charge up to where these conduct,
as far as their currents suffice, and give that charge to v0 or to ground when one of the two opens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from codesign.twin.cellcurve import STEP_V, CellCurves

# Longest step, microseconds. Cells that moved less than ``_STILL_V`` in a whole step of the grid
# rest while nothing new is shown to them, and a step is then taken in one.
LONGEST_US = 20.0
_STILL_V = 1e-4
_EDGE_STEPS = 4


@dataclass(frozen=True)
class Schedule:
    """When a layer's cells look, per step of the grid (T,): ``open`` at the step's end, 1 where the
    strobe is high (1 throughout for asynchronous cells), between 0 and 1 on its edges; ``reset``
    likewise."""

    step_us: Tensor
    open: Tensor
    reset: Tensor


def latch(curves: CellCurves, candidate: Tensor, schedule: Schedule) -> tuple[Tensor, Tensor]:
    """(mean of s(v0) of the output over each step, v0 at its end), both [..., T, n].

    candidate [..., T + 1, n]: I_m1 at the ends of the steps, units. No gradient passes through.
    """
    with torch.no_grad():
        given = candidate.detach().unbind(-2)
        cells = _Cells(curves, given[0].shape)
        outputs, voltages = [], []
        columns = (schedule.step_us, schedule.open, schedule.reset)
        steps, opens, resets = (column.tolist() for column in columns)
        before, moving = opens[0], True
        for t, length in enumerate(steps):
            if resets[t] > 0.5:
                cells.reset()
                outputs.append(cells.output())
                moving = True
            else:
                edge = opens[t] != before
                moving = moving or edge or opens[t] > 0
                count = max(1, round(length / LONGEST_US)) if moving else 1
                count = _EDGE_STEPS if edge else count
                start, total = cells.v0, torch.zeros_like(cells.v0)
                for k in range(count):
                    now = torch.lerp(given[t], given[t + 1], (k + 0.5) / count)
                    part = ((k + 0.5) / count, (k + 1) / count)
                    middle, end = (before + (opens[t] - before) * x for x in part)
                    total = total + cells.step(now, length / count, middle, end if edge else None)
                outputs.append(total / count)
                moving = edge or bool(((cells.v0 - start).abs() > _STILL_V).any())
            voltages.append(cells.v0)
            before = opens[t]
        return torch.stack(outputs, -2), torch.stack(voltages, -2)


class _Cells:
    """State and tables of the cells of one layer on some chips and clips."""

    def __init__(self, curves: CellCurves, shape: torch.Size) -> None:
        shapes = curves.shapes
        self.shapes, self.points = shapes, len(shapes.v0_v)
        # One table per cell; a row is all that is needed at one v0.
        shared = torch.stack(
            [shapes.p1, shapes.p9, shapes.n2, shapes.capacitance_us, shapes.follows, shapes.top_v],
            dim=-1,
        )
        own = torch.stack([curves.feedback, curves.state], -1)
        table = torch.cat([shared.expand(*own.shape[:-1], shared.shape[-1]), own], -1)
        lead = table.shape[:-2]
        self.table = table.reshape(-1, table.shape[-1])
        rows = torch.arange(len(self.table) // self.points, device=table.device) * self.points
        self.first = _beside(rows.reshape(lead), shape)
        self.threshold, self.width, self.hold = (
            _beside(v, shape) for v in (curves.threshold, curves.width, curves.hold)
        )
        self.top = (self.points - 1) * STEP_V
        self.reset()

    def reset(self) -> None:
        like = self.threshold
        self.v0 = torch.zeros_like(like)
        self.feedback = torch.full_like(like, self.shapes.floor_units)
        base = float(self.shapes.top_v[0])
        self.steered = [torch.full_like(like, base), torch.full_like(like, base)]

    def output(self) -> Tensor:
        return self._at(self.v0)[0][..., 7]

    def _at(self, v0: Tensor) -> tuple[Tensor, Tensor]:
        """Row of the table at v0, and how it rises per step of v0."""
        at = v0 * (1 / STEP_V)
        cell = at.long().clamp(max=self.points - 2)
        low, high = self.table[self.first + cell], self.table[self.first + cell + 1]
        rise = high - low
        return low + rise * (at - cell).unsqueeze(-1), rise

    def step(self, candidate: Tensor, h: float, middle: float, edge: float | None) -> Tensor:
        """Advance by ``h`` us with the strobe at ``middle`` (at ``edge`` at the end of the step, if
        this is one); the output's s(v0) at the end."""
        value, rise = self._at(self.v0)
        p1, p9, n2, c, follows, top, s, _ = value.unbind(-1)
        looks = middle > 0.5
        c = c + self.shapes.steered_us[0 if looks else 1] * follows
        if edge is None:
            drive = candidate if looks else self.hold
            self.steered[not looks] = torch.full_like(top, float(self.shapes.top_v[0]))
        else:
            drive = self._over_edge(candidate, top, h, looks, edge)
        force = drive * p1 + self.feedback * p9 - self.threshold * n2
        slope = drive * rise[..., 0] + self.feedback * rise[..., 1] - self.threshold * rise[..., 2]
        z = (slope * (h / STEP_V) / c).clamp(-60.0, -1e-6)
        self.v0 = (self.v0 + h * force / c * torch.expm1(z) / z).clamp(0.0, self.top)
        after, _ = self._at(self.v0)
        goal = self.width * (s + after[..., 6]) / 2 + self.shapes.floor_units
        decay = torch.exp(-goal * (h / self.shapes.feedback_us))
        self.feedback = goal / (1 + (goal / self.feedback - 1) * decay)
        if edge is None:
            self.steered[0 if looks else 1] = after[..., 5]
        return after[..., 7]

    def _over_edge(
        self, candidate: Tensor, top: Tensor, h: float, looks: bool, edge: float
    ) -> Tensor:
        """What v0 gets while the strobe moves; node a carries the candidate, b the hold current."""
        shapes = self.shapes
        base = float(shapes.top_v[0])
        lifted = base + shapes.transfer.hardware.supply_v * min(edge, 1 - edge)
        for k, (current, joined) in enumerate(((candidate, looks), (self.hold, not looks))):
            was, c = self.steered[k], shapes.steered_us[k]
            rests = top if joined else torch.full_like(top, base)
            goal = rests.clamp(min=lifted)
            # It rises no faster than its current charges it, but where v0 holds it.
            risen = torch.maximum(torch.minimum(goal, was + current * (h / c)), rests)
            self.steered[k] = torch.where(goal > was, risen, goal)
            if joined:
                drive = current - c / h * (self.steered[k] - was)
        return drive


def _beside(values: Tensor, shape: torch.Size) -> Tensor:
    """[*S, n] beside clips: [*S, 1, n]."""
    return (values.unsqueeze(-2) if values.ndim > 1 else values).expand(shape).contiguous()
