"""The time grid of a frame: fine where something happens, coarse where nothing does.

Every edge of an input, a reset or a strobe starts a new run of steps: a few inside the edge, then
steps that grow until the next one. The sampling instant is a point of the grid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from codesign.circuit.network import strobe_ports
from codesign.circuit.timing import RESET_END, SAMPLE, StrobeEdges, Timing, ideal_edges
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Resolution:
    """Steps inside an edge, first step after it, its growth and the longest step (of a frame);
    the first step and its growth after a strobe has closed; every multiple of ``tick_us`` is a
    point of the grid when noise is injected there."""

    edge_steps: int = 2
    first_us: float = 8.0
    growth: float = 1.6
    longest: float = 0.06
    calm_us: float = 25.0
    calm_growth: float = 2.2
    tick_us: float = 0.0


@dataclass(frozen=True)
class FrameGrid:
    """One frame: step lengths (us), progress of the input edge and driven voltages at each end.

    ``restart``: the step begins at a corner of a source, where the past says nothing.
    """

    step_us: Floats
    edge: Floats
    restart: NDArray[np.bool_]
    driven_v: Floats
    sample_step: int

    def table(self) -> NDArray[np.float32]:
        """Rows as the kernel reads them."""
        columns = np.column_stack([self.step_us, self.edge, self.restart, self.driven_v])
        return np.ascontiguousarray(columns, np.float32)


def waveforms(
    hw: HardwareSection, shape: Shape, timing: Timing, edges: StrobeEdges | None = None
) -> dict[str, list[list[float]]]:
    """Corner points (us, volts) of each driven node: [first frame, later frames].

    ``edges``: those of the strobes, where they are not the ideal ones.
    """
    frame, edge = timing.frame_s * 1e6, timing.edge_s * 1e6
    end = RESET_END * frame
    forms = {"rst": [[0.0, hw.supply_v, end, hw.supply_v, end + edge, 0.0], [0.0, 0.0]]}
    pairs = ideal_edges(timing) if edges is None else edges
    # Without strobes there are no ports to drive.
    for ports, pulses in zip(strobe_ports(hw, shape), pairs, strict=False):
        for node, pulse, rest in zip(ports, pulses, (0.0, hw.supply_v), strict=True):
            away = hw.supply_v - rest
            form = [
                0.0, rest, pulse.leaves_s * 1e6, rest, pulse.away_s * 1e6, away,
                pulse.returns_s * 1e6, away, pulse.back_s * 1e6, rest,
            ]  # fmt: skip
            forms[node] = [form, form]
    return forms


def frame_grids(
    hw: HardwareSection,
    timing: Timing,
    driven: Sequence[str],
    forms: Mapping[str, list[list[float]]],
    resolution: Resolution = Resolution(),
) -> tuple[FrameGrid, FrameGrid]:
    """Grids of the first frame (which has the reset) and of all later ones."""
    return (
        _grid(timing, driven, forms, resolution, 0),
        _grid(timing, driven, forms, resolution, 1),
    )


def _grid(
    timing: Timing,
    driven: Sequence[str],
    forms: Mapping[str, list[list[float]]],
    resolution: Resolution,
    kind: int,
) -> FrameGrid:
    frame, edge = timing.frame_s * 1e6, timing.edge_s * 1e6
    sample = round(SAMPLE * frame, 3)
    # Corners of the sources, and those at which an edge starts; nanoseconds are fine enough.
    corners, starts = {0.0, round(edge, 3), round(frame, 3)}, {0.0}
    # After a strobe closes little moves: its cells see the current that holds them. Not where the
    # next strobe opens at the same time.
    calm: set[float] = set()
    opening: set[float] = set()
    closing = {node for node in driven if node.startswith("stb_")}
    for node in driven:
        at, volts = forms[node][kind][0::2], forms[node][kind][1::2]
        for k in range(1, len(at)):
            if volts[k] != volts[k - 1]:
                corners |= {round(at[k - 1], 3), round(at[k], 3)}
                starts.add(round(at[k - 1], 3))
                if node in closing:
                    (calm if volts[k] < volts[k - 1] else opening).add(round(at[k], 3))
    calm -= opening
    ordered = corners | {sample}
    if resolution.tick_us:
        ordered |= set(np.arange(0.0, frame, resolution.tick_us).round(3).tolist())
    times = [0.0]
    restarts: list[bool] = []
    step = 0.0
    for begin, end in pairwise(sorted(ordered)):
        if begin in starts:
            times += list(np.linspace(begin, end, resolution.edge_steps + 1)[1:])
            restarts += [True] + [False] * (resolution.edge_steps - 1)
            step = resolution.first_us
            continue
        length = end - begin
        growth = resolution.growth
        if begin in calm:
            step, growth = resolution.calm_us, resolution.calm_growth
        sizes: list[float] = []
        while sum(sizes) < length:
            sizes.append(step)
            step = min(step * growth, resolution.longest * frame)
        scaled = np.cumsum(sizes) * (length / sum(sizes))
        times += list(begin + scaled)
        restarts += [begin in corners] + [False] * (len(sizes) - 1)
        # A sampling instant or a tick interrupts the growth, a corner starts it anew.
        step = step if end in corners else sizes[-1]
    points = np.array(times)
    driven_v = np.zeros((len(points) - 1, len(driven)))
    for column, node in enumerate(driven):
        form = forms[node][kind]
        driven_v[:, column] = np.interp(points[1:], form[0::2], form[1::2])
    return FrameGrid(
        np.diff(points),
        np.minimum(points[1:] / edge, 1.0),
        np.array(restarts),
        driven_v,
        int(np.argmin(np.abs(points[1:] - sample))),
    )
