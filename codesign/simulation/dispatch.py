"""Handing tasks to workers: a few at a time, and again when a worker died.

What was lost is run again one by one; a task that dies twice by itself is to blame, and that is its
result.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from codesign.simulation.workers import Workers

T = TypeVar("T")

# A task that was alone with its worker this often when it died is not run again.
_DEATHS_ALONE = 2


@dataclass(frozen=True)
class Task(Generic[T]):
    """``call`` runs in a worker; ``name`` says whose result it is."""

    name: int
    call: Callable[[], T]


@dataclass(frozen=True)
class Died:
    """The result of a task that took its worker with it every time."""

    message: str


def run_tasks(workers: Workers, tasks: Iterator[Task[T]]) -> Iterator[tuple[int, T | Died]]:
    """Yield (name, result) of every task as they end.

    ``tasks`` is read only as far as workers have something to do. What a task raises is raised.
    """
    pending: dict[Future[T], Task[T]] = {}
    # What was handed out when a worker died is run one by one, to know what is to blame.
    suspects: deque[Task[T]] = deque()
    deaths = 0
    while True:
        if suspects:
            pending = {workers.submit(suspects[0].call): suspects[0]}
        while not suspects and len(pending) < workers.window:
            following = next(tasks, None)
            if following is None:
                break
            pending[workers.submit(following.call)] = following
        if not pending:
            return
        ended, _ = wait(pending, return_when=FIRST_COMPLETED)
        results, why = _read(ended, workers)
        if why is not None:
            # What else was handed out is lost as well, or comes through after all.
            others, _ = _read(pending.keys() - ended, workers)
            results |= others
        for future, result in results.items():
            yield pending.pop(future).name, result
        if not suspects:
            if why is not None:
                suspects += pending.values()
                pending, deaths = {}, 0
                workers.renew()
        elif why is None:
            suspects.popleft()
            deaths = 0
        else:
            workers.renew()
            pending, deaths = {}, deaths + 1
            if deaths == _DEATHS_ALONE:
                yield suspects.popleft().name, Died(f"its worker process died ({_words(why)})")
                deaths = 0


def _read(
    futures: Collection[Future[T]], workers: Workers
) -> tuple[dict[Future[T], T], BaseException | None]:
    """Results of those that have one, once all have ended; and why the others have none."""
    lost: tuple[type[BaseException], ...] = (CancelledError, *workers.deaths)
    results: dict[Future[T], T] = {}
    why: BaseException | None = None
    for future in futures:
        try:
            results[future] = future.result()
        except lost as error:
            why = error
    return results, why


def _words(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
