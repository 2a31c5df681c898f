"""Every cell behind the one interface: in parallel, frame by frame, in pieces, and with resets."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from codesign.cells import CELLS, HARD, Cell, Softness

SEEDS = st.integers(0, 10_000)
NAMES = sorted(CELLS)
REMEMBERS = [name for name in NAMES if name != "memoryless"]


@dataclass
class Drawn:
    """Random drives [*S, width, T, B], own parameters and a state to begin with, float64."""

    cell: Cell
    drives: dict[str, Tensor]
    own: dict[str, Tensor]
    initial: Tensor

    def states(self, frames: slice = slice(None), **more: Tensor | Softness) -> Tensor:
        drives = {name: drive[..., frames, :] for name, drive in self.drives.items()}
        given_: dict[str, object] = {"initial": self.initial, **more}
        return self.cell.states(drives, self.own, **given_)  # type: ignore[arg-type]

    def tensors(self) -> list[Tensor]:
        return [*self.drives.values(), *self.own.values(), self.initial]


def draw(
    name: str,
    seed: int,
    frames: int,
    leading: tuple[int, ...] = (2,),
    units: int = 3,
    clips: int = 2,
) -> Drawn:
    """Drives that meet the thresholds of every cell often; own parameters as a start has them."""
    cell, g = CELLS[name], torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g, dtype=torch.float64)

    own = {
        key: value.double().expand(*leading, *value.shape).clone()
        for key, value in cell.start(units, frames, g).own.items()
    }
    drives = {
        key: 1.5 * normal(*leading, width, frames, clips)
        for key, width in cell.drives(units).items()
    }
    if cell.first_quadrant:
        drives["candidate"] = drives["candidate"] + 1.8
    if not cell.bistable:
        initial = normal(*leading, cell.state_width(units), clips)
    else:
        initial = cell.states(drives, own)[..., -1, :]
    return Drawn(cell, drives, own, initial)


def stepped(drawn: Drawn, soft: Softness = HARD, resets: Tensor | None = None) -> Tensor:
    """The same through ``step``, one frame at a time."""
    state, states = drawn.initial, []
    frames = next(iter(drawn.drives.values())).shape[-2]
    for t in range(frames):
        if resets is not None:
            state = torch.where(resets[t], 0.0, state)
        drives = {name: drive[..., t, :] for name, drive in drawn.drives.items()}
        state = drawn.cell.step(drives, drawn.own, state, soft)
        states.append(state)
    return torch.stack(states, -2)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8)
@given(
    seed=SEEDS,
    frames=st.integers(1, 7),
    leading=st.sampled_from([(), (3,), (2, 2)]),
    leak=st.sampled_from([0.0, 0.6]),
)
def test_a_sequence_at_once_is_its_frames_one_by_one(
    name: str, seed: int, frames: int, leading: tuple[int, ...], leak: float
) -> None:
    """Values and gradients, with respect to drives, own parameters and the initial state."""
    drawn = draw(name, seed, frames, leading)
    for tensor in drawn.tensors():
        tensor.requires_grad_()
    soft = Softness(leak, 2.0)
    found, expected = drawn.states(soft=soft), stepped(drawn, soft)
    assert found.shape == (*leading, drawn.cell.state_width(3), frames, 2)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)
    weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(seed)).double()
    gradients = (
        torch.autograd.grad((states * weight).sum(), drawn.tensors(), materialize_grads=True)
        for states in (found, expected)
    )
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6)
@given(seed=SEEDS, frames=st.integers(2, 12), data=st.data())
def test_the_state_continues_a_sequence_exactly(
    name: str, seed: int, frames: int, data: st.DataObject
) -> None:
    drawn, cut = draw(name, seed, frames), data.draw(st.integers(1, frames - 1))
    whole = drawn.states()
    first = drawn.states(slice(cut))
    second = drawn.states(slice(cut, None), initial=first[..., -1, :])
    torch.testing.assert_close(torch.cat([first, second], -2), whole, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6)
@given(seed=SEEDS, frames=st.integers(2, 10), data=st.data())
def test_a_reset_begins_a_sequence_of_its_own(
    name: str, seed: int, frames: int, data: st.DataObject
) -> None:
    """Each clip has its own boundaries; between them it equals the episode evaluated alone."""
    drawn = draw(name, seed, frames)
    marks = data.draw(st.lists(st.booleans(), min_size=2 * frames, max_size=2 * frames))
    resets = torch.tensor(marks).view(frames, 2)
    states = drawn.states(resets=resets)
    torch.testing.assert_close(states, stepped(drawn, resets=resets), rtol=1e-11, atol=1e-12)
    for clip in range(2):
        begins = [0, *(t for t in range(1, frames) if resets[t, clip]), frames]
        for begin, end in pairwise(begins):
            forgotten = begin > 0 or bool(resets[0, clip])
            initial = torch.zeros_like(drawn.initial) if forgotten else drawn.initial
            alone = drawn.states(slice(begin, end), initial=initial)[..., clip]
            found = states[..., begin:end, clip]
            torch.testing.assert_close(found, alone, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_does_not_cross_a_reset(name: str) -> None:
    drawn = draw(name, 1, 6)
    for tensor in drawn.tensors():
        tensor.requires_grad_()
    resets = torch.zeros(6, 2, dtype=torch.bool)
    resets[3] = True
    after = drawn.states(resets=resets)[..., 3:, :].square().sum()
    gradients = torch.autograd.grad(
        after, [*drawn.drives.values(), drawn.initial], materialize_grads=True
    )
    assert not gradients[-1].any()
    for gradient in gradients[:-1]:
        assert not gradient[..., :3, :].any()
    assert any(gradient[..., 3:, :].any() for gradient in gradients[:-1])


@pytest.mark.parametrize("name", REMEMBERS)
def test_a_state_outlives_its_frame(name: str) -> None:
    """Changing the first frame changes a later state, for some draw: the cell has memory."""
    for seed in range(20):
        drawn = draw(name, seed, 4)
        before = drawn.states()
        with torch.no_grad():
            for drive in drawn.drives.values():
                drive[..., 0, :] += 3.0
        if not torch.equal(drawn.states()[..., 1:, :], before[..., 1:, :]):
            return
    pytest.fail("no draw remembered its first frame")


@pytest.mark.parametrize("name", [name for name in NAMES if CELLS[name].bistable])
@settings(max_examples=15)
@given(seed=SEEDS, frames=st.integers(1, 40))
def test_states_of_bistable_cells_are_quantised(name: str, seed: int, frames: int) -> None:
    """{0, alpha} in the first quadrant, {-alpha, 0, alpha} for BMRU, multiples for CMRU."""
    drawn = draw(name, seed, frames)
    g = torch.Generator().manual_seed(seed)
    drawn.own["alpha"] = 0.25 + torch.rand(drawn.own["alpha"].shape, generator=g).double()
    alpha = drawn.own["alpha"][..., None, None]
    states = drawn.states(initial=torch.zeros_like(drawn.initial))
    levels = states / alpha
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-12 * frames)
    largest = {"fq_bmru": (0, 1), "memoryless": (0, 1), "bmru": (-1, 1), "cmru": (-frames, frames)}
    low, high = largest[name]
    assert low <= float(levels.min()) + 1e-9
    assert float(levels.max()) <= high + 1e-9
    if name == "bmru" and frames > 1:  # once set, never 0 again
        set_before = (levels[..., :-1, :] != 0) & (levels[..., 1:, :] == 0)
        assert not set_before.any()


@pytest.mark.parametrize("name", ["fq_bmru", "bmru"])
@settings(max_examples=15)
@given(seed=SEEDS, frames=st.integers(1, 40))
def test_an_overwriting_cell_holds_its_last_overwrite(name: str, seed: int, frames: int) -> None:
    """A closed form: the value written at the latest frame that wrote, else the initial state."""
    drawn = draw(name, seed, frames)
    candidate, alpha = drawn.drives["candidate"], drawn.own["alpha"][..., None, None]
    if name == "fq_bmru":
        beta_hi = drawn.own["beta_hi"][..., None, None]
        beta_lo = beta_hi - drawn.own["width"][..., None, None]
        writes = (candidate > beta_hi) | (candidate <= beta_lo)
        value = torch.where(candidate > beta_hi, alpha, 0.0)
    else:
        writes = candidate.abs() > drawn.drives["threshold"].abs()
        value = torch.where(candidate > 0, alpha, -alpha)
    frame = torch.arange(1, frames + 1)[:, None].expand_as(candidate)
    last = torch.where(writes, frame, 0).cummax(-2).values
    written = torch.cat([drawn.initial[..., None, :], value.expand_as(candidate)], -2)
    assert torch.equal(drawn.states(), written.gather(-2, last))
