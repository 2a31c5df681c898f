"""Samples on a Dask cluster, through the interface of local workers.

The scheduler is one that runs (``tcp://host:port``), or one of this machine started for the call
(``local``, ``local:4``). Workers need codesign, ngspice and the process models in the same places,
and the run folder on a disk that all share, because the workers write the results. What a worker
that died was at is run again.
"""

import hashlib
import importlib
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import codesign
from codesign.errors import EnvironmentMissing, InputError
from codesign.files import write_text
from codesign.simulation.workers import Workers

_ADDRESS = re.compile(r"(?:tcp|tls|ws|wss|ucx)://\S+:\d+")
_LOCAL = re.compile(r"local(?::([1-9]\d*))?")
_ANSWERS_WITHIN_S = 20
_AHEAD = 2


def check_scheduler(scheduler: str) -> None:
    """Raise InputError for what is neither an address nor ``local[:N]``."""
    if not (_ADDRESS.fullmatch(scheduler) or _LOCAL.fullmatch(scheduler)):
        raise InputError(
            f"--scheduler {scheduler}: give the address of a Dask scheduler, as in "
            "tcp://host:8786, or local or local:N for one of this machine with N workers."
        )


class ClusterWorkers(Workers):
    """The workers of a Dask scheduler."""

    local = False

    def __init__(self, client: Any, address: str, deaths: tuple[type[BaseException], ...]) -> None:
        self.deaths = deaths
        self._client, self._address = client, address
        self._executor: Executor = client.get_executor(pure=False)
        self.threads = 1
        self._count()

    @property
    def window(self) -> int:  # type: ignore[override]  # workers come and go
        return _AHEAD * max(1, self.threads)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._executor.submit(fn, *args, **kwargs)

    def renew(self) -> None:
        self._count()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait, cancel_futures=cancel_futures)

    def _count(self) -> None:
        """How many there are now. Raises EnvironmentMissing when the scheduler is gone."""
        try:
            self.threads = sum(self._client.ncores().values())
        except Exception as error:
            raise EnvironmentMissing(
                f"The Dask scheduler at {self._address} no longer answers; finished samples are "
                "kept, the same command continues."
            ) from error


@contextmanager
def cluster_workers(
    scheduler: str, workers: int, folder: Path, say: Callable[[str], None]
) -> Iterator[ClusterWorkers]:
    """Workers of ``scheduler``, which see ``folder``; ``local`` without a number has ``workers``.

    Raises EnvironmentMissing (Dask is not installed, nobody answers, a worker does not see the
    folder or has another version of codesign), InputError.
    """
    check_scheduler(scheduler)
    try:
        dask: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise EnvironmentMissing(
            "--scheduler needs Dask, which is not installed: pip install 'codesign[cluster]', or "
            "leave --scheduler out to use the processes of this machine."
        ) from error
    found = _LOCAL.fullmatch(scheduler)
    cluster = None
    if found:
        count = int(found.group(1) or workers)
        cluster = dask.LocalCluster(
            n_workers=count, threads_per_worker=1, dashboard_address=None, silence_logs="ERROR"
        )
    try:
        try:
            client = dask.Client(cluster or scheduler, timeout=_ANSWERS_WITHIN_S)
        except (OSError, TimeoutError) as error:
            raise EnvironmentMissing(
                f"No Dask scheduler answers at {scheduler}; start one with 'dask scheduler', or "
                "correct --scheduler."
            ) from error
        with client:
            made = ClusterWorkers(client, scheduler, (dask.KilledWorker,))
            _check_workers(client, folder)
            say(f"Dask: {made.threads} samples at a time on {scheduler}")
            try:
                yield made
            except BaseException:
                made.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        if cluster is not None:
            cluster.close()


def _check_workers(client: Any, folder: Path) -> None:
    token = hashlib.sha256(f"{folder} {time.monotonic_ns()}".encode()).hexdigest()
    path = folder.resolve() / "work" / "seen-by-workers.txt"
    write_text(path, token)
    try:
        answers = client.run(_seen, str(path))
    finally:
        path.unlink(missing_ok=True)
    for worker, (version, seen) in answers.items():
        if version != codesign.__version__:
            raise EnvironmentMissing(
                f"The Dask worker {worker} has codesign {version}, this command "
                f"{codesign.__version__}; install the same on both."
            )
        if seen != token:
            raise EnvironmentMissing(
                f"The Dask worker {worker} does not see {folder}; the run folder must be on a disk "
                "that all workers share, under the same path."
            )


def _seen(path: str) -> tuple[str, str | None]:
    try:
        return codesign.__version__, Path(path).read_text(encoding="utf-8")
    except OSError:
        return codesign.__version__, None
