"""Tasks for workers that may die: none is lost, none is run ahead of need, the guilty is found."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from codesign.simulation.dispatch import Died, Task, run_tasks
from codesign.simulation.workers import Workers


class WorkerDied(Exception):  # noqa: N818 - reads as what happened
    """What a future of a dead worker raises."""


class Threads(Workers):
    """Threads that "die": with a dying task, everything that was handed out is lost."""

    deaths = (WorkerDied,)
    local = True

    def __init__(self, window: int) -> None:
        self.window = window
        self.renewed = 0
        self._pool = ThreadPoolExecutor(1)
        self._broken = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._pool.submit(self._call, fn, *args, **kwargs)

    def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        if self._broken:
            raise WorkerDied("the pool is broken")
        try:
            return fn(*args)
        except WorkerDied:
            self._broken = True
            raise

    def renew(self) -> None:
        self.renewed += 1
        self._broken = False


class Runs:
    """Tasks by number, how often each ran, and how many of them die how often."""

    def __init__(self, dying: dict[int, int]) -> None:
        self.dying, self.runs = dying, dict[int, int]()
        self.asked = 0

    def tasks(self, count: int) -> Iterator[Task[int]]:
        for k in range(count):
            self.asked = k + 1
            yield Task(k, partial(self._run, k))

    def _run(self, k: int) -> int:
        self.runs[k] = self.runs.get(k, 0) + 1
        if self.runs[k] <= self.dying.get(k, 0):
            raise WorkerDied("killed")
        return k * k


def test_all_results_and_no_task_ahead_of_need() -> None:
    runs, workers = Runs({}), Threads(window=3)
    ended = 0
    for name, result in run_tasks(workers, runs.tasks(1000)):
        assert result == name * name
        ended += 1
        assert runs.asked <= ended + workers.window
    assert ended == 1000
    assert workers.renewed == 0


@pytest.mark.parametrize("window", [1, 2, 5])
def test_a_death_costs_no_task(window: int) -> None:
    runs, workers = Runs({4: 1, 5: 1, 11: 2}), Threads(window)
    ends = run_tasks(workers, runs.tasks(20))
    results = dict(ends)
    assert results == {k: k * k for k in range(20)}
    assert workers.renewed >= 3


@pytest.mark.parametrize("window", [1, 4])
def test_the_one_that_always_dies_is_named_and_no_other(window: int) -> None:
    runs, workers = Runs({3: 99, 8: 99}), Threads(window)
    ends = run_tasks(workers, runs.tasks(12))
    results = dict(ends)
    assert sorted(results) == list(range(12))
    dead = {name: result for name, result in results.items() if isinstance(result, Died)}
    assert sorted(dead) == [3, 8]
    assert "killed" in dead[3].message
    # Once with others, then alone as often as it takes to be sure.
    assert runs.runs[3] == runs.runs[8] == 3


def test_what_a_task_raises_is_raised() -> None:
    def wrong() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(run_tasks(Threads(2), iter([Task(0, wrong)])))
