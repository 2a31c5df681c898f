"""Worker processes that never outlive the command, however it ends.

An interrupt reaches the main process alone, which stops the workers; a worker that is stopped, or
whose parent was killed, takes its simulator and what it was writing with it. Workers that die by
themselves are replaced.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any

from codesign.files import remove_unfinished
from codesign.spice.process import kill_running, peak_of, peak_of_self

_STOPPED = 143
_PATIENCE_S = 5.0  # for a worker to end that was told to
# Samples waiting for each worker beside the one it works at: none is ever idle, and memory does not
# grow with the plan.
_AHEAD = 2


class Workers(Executor):
    """An executor whose workers may die.

    ``window`` tasks at a time keep it busy; a future raises one of ``deaths`` when its worker died
    under it; after that ``renew`` makes the executor whole again.
    """

    window: int
    deaths: tuple[type[BaseException], ...]
    #: Whether the workers run on this machine.
    local: bool

    def renew(self) -> None:
        """Replace what is broken."""


class LocalWorkers(Workers):
    """Processes of this machine."""

    deaths = (BrokenExecutor,)
    local = True

    def __init__(self, workers: int) -> None:
        self.window = _AHEAD * workers
        self._workers = workers
        self._pool = self._start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._pool.submit(fn, *args, **kwargs)

    def renew(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._start()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self._workers, mp_context=context, initializer=_start)
        # Workers start here, and inherit that they do not hear an interrupt.
        heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for _ in range(self._workers):
                pool.submit(os.getpid)
        finally:
            signal.signal(signal.SIGINT, heard)
        return pool


@contextmanager
def worker_pool(workers: int) -> Iterator[LocalWorkers]:
    """An executor of ``workers`` processes, stopped at once when the block raises."""
    executor = LocalWorkers(workers)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        stopped = multiprocessing.active_children()
        for process in stopped:
            process.terminate()
        for process in stopped:  # what they were writing is gone when the caller hears of it
            process.join(_PATIENCE_S)
        raise
    executor.shutdown()


def peak_memory_bytes() -> int:
    """The largest resident memory this process has had."""
    # Not getrusage where it can be helped: a process begins there with the peak of its parent.
    return peak_of(os.getpid()) or peak_of_self()


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _stop(_signal: int, _frame: FrameType | None) -> None:
    _end()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        _end()


def _end() -> None:
    """End this worker at once, with its simulator and without what it was writing."""
    kill_running()
    remove_unfinished()
    os._exit(_STOPPED)
