"""A group of starts: optimiser, resumption bit for bit, early stop, choice of checkpoints."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from codesign.errors import InputError
from codesign.flows import Flow, parse_flow
from codesign.tasks import TaskData, load_task
from codesign.training.group import (
    GroupSpec,
    GroupState,
    _adam,
    _keep_best,
    new_state,
    train_group,
)
from codesign.training.group_file import fingerprint, load_group, save_group
from codesign.training.metrics import choose

SPEC = GroupSpec("network", (0, 1, 2))


def small(**training: Any) -> Flow:
    sections: dict[str, Any] = {"steps": 30, "evaluate_every": 5, "batch_size": 16, **training}
    return parse_flow({"network": {"state_dim": 4}, "training": sections}, "test")


@pytest.fixture(scope="module")
def digits() -> TaskData:
    return load_task(small().task, None, 0)


def ignore(state: GroupState) -> None:
    """A validation nobody waits for."""


def same(one: GroupState, two: GroupState) -> bool:
    tensors = [
        (getattr(one, name), getattr(two, name))
        for name in vars(one)
        if isinstance(getattr(one, name), Tensor)
    ]
    assert len(tensors) == 9
    return one.history == two.history and all(torch.equal(a, b) for a, b in tensors)


def test_adam_is_adam() -> None:
    rows = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    other = rows.clone().requires_grad_()
    reference = torch.optim.Adam([other], lr=0.03)
    state = blank(rows)
    for step in range(20):
        gradient = torch.sin(rows * (step + 1)) * 10.0 ** (step % 3)
        other.grad = gradient.clone()
        reference.step()
        _adam(state, gradient, 0.03)
        state.step += 1
    torch.testing.assert_close(state.rows, other.detach())


def blank(rows: Tensor) -> GroupState:
    count = len(rows)
    return GroupState(
        step=0, rows=rows, first_moment=torch.zeros_like(rows),
        second_moment=torch.zeros_like(rows), best_rows=torch.zeros_like(rows),
        best_accuracy=torch.full((count,), -1.0, dtype=torch.float64),
        best_objective=torch.full((count,), float("inf"), dtype=torch.float64),
        best_step=torch.full((count,), -1), idle=torch.zeros(count, dtype=torch.int64),
        generator=torch.Generator().get_state(),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["network", "memoryless"])
def test_one_seed_gives_one_result(kind: Any, digits: TaskData) -> None:
    flow, spec = small(), GroupSpec(kind, (0, 1))
    first = train_group(spec, flow, digits, new_state(spec, flow, digits), ignore)
    torch.manual_seed(1234)  # global randomness has no part in it
    second = train_group(spec, flow, digits, new_state(spec, flow, digits), ignore)
    assert same(first, second)
    other = flow.model_copy(update={"seed": 1})
    third = train_group(spec, other, digits, new_state(spec, other, digits), ignore)
    assert not torch.equal(first.rows, third.rows)


class Killed(Exception):  # noqa: N818 - it is no error
    """Stands for a process that dies right after it saved."""


@pytest.mark.parametrize("at", [5, 20, 30])
def test_a_continued_training_equals_an_uninterrupted_one(
    at: int, digits: TaskData, tmp_path: Path
) -> None:
    flow = small()
    mark = fingerprint(flow, digits)
    whole = train_group(SPEC, flow, digits, new_state(SPEC, flow, digits), ignore)
    path = tmp_path / "group.safetensors"

    def die(state: GroupState) -> None:
        save_group(path, state, mark)
        if state.step == at:
            raise Killed

    with pytest.raises(Killed):
        train_group(SPEC, flow, digits, new_state(SPEC, flow, digits), die)
    kept = load_group(path, mark, "cpu")
    assert kept is not None
    assert kept.step == at
    assert same(train_group(SPEC, flow, digits, kept, ignore), whole)


def test_a_state_of_another_recipe_or_a_damaged_one_is_not_continued(
    digits: TaskData, tmp_path: Path
) -> None:
    flow, path = small(), tmp_path / "group.safetensors"
    mark = fingerprint(flow, digits)
    assert load_group(path, mark, "cpu") is None
    save_group(path, new_state(SPEC, flow, digits), mark)
    assert load_group(path, mark, "cpu") is not None
    assert load_group(path, fingerprint(small(learning_rate=0.5), digits), "cpu") is None
    content = path.read_bytes()
    for damaged in (b"", content[:50], content[:-10], b"PK\x03\x04" + content):
        path.write_bytes(damaged)
        assert load_group(path, mark, "cpu") is None


def test_the_fingerprint_knows_recipe_and_data_and_nothing_else(digits: TaskData) -> None:
    flow = small()
    mark = fingerprint(flow, digits)
    renamed = flow.model_copy(
        update={"name": "other", "simulation": flow.simulation.model_copy(update={"clips": 3})}
    )
    assert fingerprint(renamed, digits) == mark
    assert fingerprint(flow.model_copy(update={"seed": 5}), digits) != mark
    assert fingerprint(flow, load_task(flow.task, None, 5)) != mark
    grid = flow.hardware.model_copy(update={"weight_grid": 16})
    assert fingerprint(flow.model_copy(update={"hardware": grid}), digits) != mark


def test_only_deployed_checkpoints_are_kept(digits: TaskData) -> None:
    flow = small(leak_fraction=0.5, grid_fraction=0.7)
    seen: list[tuple[int, list[int]]] = []
    state = train_group(
        SPEC,
        flow,
        digits,
        new_state(SPEC, flow, digits),
        lambda now: seen.append((now.step, now.best_step.tolist())),
    )
    # Step 20 is validated with the knobs of step index 19 of 29: 0.66 of the way, not yet on it.
    assert [best for step, best in seen if step <= 20] == [[-1] * 3] * 4
    assert all(best == [25] * 3 for step, best in seen if step == 25)
    weights = state.best_rows[:, :50] * flow.hardware.weight_grid
    assert torch.equal(weights, weights.round())
    flags = {row["step"]: row["on_grid"] for row in state.history}
    assert flags == {5: False, 10: False, 15: False, 20: False, 25: True, 30: True}


def test_the_best_checkpoint_is_by_accuracy_then_objective() -> None:
    state = blank(torch.zeros(3, 2))
    nan = float("nan")
    visits = [
        ([0.5, 0.5, 0.5], [1.0, 1.0, nan]),
        ([0.5, 0.4, 0.6], [0.9, 0.1, nan]),
        ([0.5, 0.6, 0.7], [0.95, 2.0, nan]),
    ]
    for step, (accuracy, total) in enumerate(visits, 1):
        state.step = step
        rows = torch.full((3, 2), float(step))
        _keep_best(
            state, rows, torch.tensor(accuracy).double(), torch.tensor(total).double(), patience=0
        )
    assert state.best_step.tolist() == [2, 3, -1]  # what is not a number is never kept
    assert state.best_rows[:, 0].tolist() == [2.0, 3.0, 0.0]
    assert state.idle.tolist() == [1, 0, 3]


def test_a_start_without_progress_stops(digits: TaskData) -> None:
    flow = small(
        steps=400,
        learning_rate=1e-9,
        leak_fraction=0,
        grid_fraction=0,
        patience=3,
        evaluate_every=2,
    )
    state = train_group(SPEC, flow, digits, new_state(SPEC, flow, digits), ignore)
    assert state.step == 2 * (1 + 3)


def test_patience_freezes_the_choice_of_a_stopped_start() -> None:
    state = blank(torch.zeros(2, 1))
    for step, accuracies in enumerate([[0.5, 0.5], [0.4, 0.6], [0.4, 0.7], [0.9, 0.8]], 1):
        state.step = step
        scores = torch.tensor(accuracies).double()
        _keep_best(state, torch.full((2, 1), float(step)), scores, scores, patience=2)
    assert state.best_step.tolist() == [1, 4]


def test_training_that_diverges_in_every_start_says_so(digits: TaskData) -> None:
    flow = small()
    state = new_state(SPEC, flow, digits)
    state.rows = state.rows * float("nan")
    state = train_group(SPEC, flow, digits, state, ignore)
    with pytest.raises(InputError, match=r"diverged .* training\.learning_rate"):
        choose([(SPEC, state)])


def test_a_group_learns(digits: TaskData) -> None:
    """Not how well, but that the gradient points the right way: far above chance in 150 steps."""
    flow = small(steps=150, batch_size=64, evaluate_every=50)
    state = train_group(SPEC, flow, digits, new_state(SPEC, flow, digits), ignore)
    assert float(state.best_accuracy.max()) > 0.7
