"""A cell in time: when it sets, keeps and clears, asynchronous and strobed."""

import pytest
import torch
from torch import Tensor

from codesign.twin.cellcurve import CellCurves, cell_curves, cell_shapes
from codesign.twin.latch import Schedule, latch
from tests.twin.paper import transfer_on_paper

STEP_US, FRAME = 100.0, 40
HIGH, WIDTH, ALPHA = 1.0, 0.4, 0.8


def _cells(cell: str) -> CellCurves:
    hi, width, alpha = torch.tensor([[HIGH], [WIDTH], [ALPHA]], dtype=torch.float64)
    return cell_curves(cell_shapes(transfer_on_paper(cell)), hi, width, alpha)


def _states(
    cell: str, candidates: list[float], window: tuple[int, int] | None = None,
    reset: int | None = None,
) -> Tensor:  # fmt: skip
    """State (of 1) at the end of frames with these candidates; ``window``: steps of a frame in
    which the strobe is high; ``reset``: a step in which the cell is reset."""
    steps = len(candidates) * FRAME
    opens = torch.ones(steps, dtype=torch.float64)
    if window is not None:
        within = torch.arange(steps) % FRAME
        opens = ((within >= window[0]) & (within < window[1])).double()
    resets = torch.zeros(steps, dtype=torch.float64)
    if reset is not None:
        resets[reset] = 1.0
    given = torch.tensor(candidates, dtype=torch.float64).repeat_interleave(FRAME)
    given = torch.cat([given[:1], given])[:, None]
    schedule = Schedule(torch.full((steps,), STEP_US, dtype=torch.float64), opens, resets)
    out, v0 = latch(_cells(cell), given, schedule)
    assert torch.isfinite(out).all()
    assert ((v0 >= 0) & (v0 <= 1.8)).all()
    return out[FRAME - 1 :: FRAME, 0]


@pytest.mark.parametrize(("cell", "window"), [("async", None), ("strobed", (10, 30))])
def test_sets_above_keeps_between_clears_below(cell: str, window: tuple[int, int] | None) -> None:
    found = _states(cell, [0.8, 1.15, 0.8, 0.45, 0.8, 0.05], window)
    assert found[[0, 3, 4, 5]].abs().max() < 0.05
    torch.testing.assert_close(found[1:3], torch.ones(2, dtype=torch.float64), atol=0.05, rtol=0)


def test_thresholds_in_time_are_those_of_the_curve() -> None:
    """Given a long time an asynchronous cell switches within 2 % of its folds."""
    assert _states("async", [0.98 * HIGH] * 3)[-1] < 0.05
    assert _states("async", [1.02 * HIGH] * 3)[-1] > 0.95
    low = HIGH - WIDTH
    assert _states("async", [1.3] + [1.02 * low] * 3)[-1] > 0.95
    assert _states("async", [1.3] + [0.98 * low] * 3)[-1] < 0.05


def test_a_strobed_cell_looks_in_its_window_alone() -> None:
    """What the candidate is outside of it changes nothing, set or cleared."""
    opens = (10, 30)
    given = {True: 1.3, False: 0.05}
    for inside in given:
        steps = torch.arange(3 * FRAME)
        within = (steps % FRAME >= opens[0] - 1) & (steps % FRAME <= opens[1])
        waves = torch.where(within, given[inside], given[not inside]).double()
        strobe = ((steps % FRAME >= opens[0]) & (steps % FRAME < opens[1])).double()
        schedule = Schedule(torch.full((3 * FRAME,), STEP_US).double(), strobe, 0 * strobe)
        out, _ = latch(_cells("strobed"), torch.cat([waves[:1], waves])[:, None], schedule)
        ends = out[FRAME - 1 :: FRAME, 0]
        assert ((ends > 0.95) == inside).all(), ends
        if not inside:
            assert (ends < 0.05).all()


def test_reset_clears() -> None:
    assert _states("async", [1.3, 0.8])[1] > 0.95
    assert _states("async", [1.3, 0.8], reset=FRAME + 5)[1] < 0.05


def test_an_asynchronous_cell_needs_time_to_set() -> None:
    """A glitch far above the threshold sets it if it lasts, and does not if it is short."""
    found = []
    for length in (5.0, 3000.0):
        steps = torch.tensor([1000.0, 5.0, length, 5.0, 5000.0], dtype=torch.float64)
        waves = torch.tensor([0.8, 0.8, 1.6, 1.6, 0.8, 0.8], dtype=torch.float64)[:, None]
        opens = torch.ones(5, dtype=torch.float64)
        out, _ = latch(_cells("async"), waves, Schedule(steps, opens, 0 * opens))
        found.append(float(out[-1, 0]))
    assert found[0] < 0.05
    assert found[1] > 0.95
