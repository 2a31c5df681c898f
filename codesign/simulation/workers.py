"""Worker processes that never outlive the command, however it ends.

An interrupt reaches the main process alone, which stops the workers; a worker that is stopped, or
whose parent was killed, takes its simulator with it.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from types import FrameType

from codesign.spice.process import kill_running

_STOPPED = 143


@contextmanager
def worker_pool(workers: int) -> Iterator[Executor]:
    """An executor of ``workers`` processes, stopped at once when the block raises."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start) as executor:
        # Workers start here, and inherit that they do not hear an interrupt.
        heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            executor.submit(os.getpid)
        finally:
            signal.signal(signal.SIGINT, heard)
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _start() -> None:
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _stop(_signal: int, _frame: FrameType | None) -> None:
    kill_running()
    os._exit(_STOPPED)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        kill_running()
        os._exit(_STOPPED)
