"""What runs in a worker: one sample, with a bench that is handed over once for all samples.

Workers load this module and what it needs, which does not include torch.
"""

import hashlib
import pickle
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.files import atomic_path
from codesign.simulation.plan import PlannedSample
from codesign.simulation.sample import Bench, Job, run_counted
from codesign.simulation.workers import peak_memory_bytes


@dataclass(frozen=True)
class SampleEnd:
    """How a sample ended in a worker, and the largest memory of that worker so far."""

    status: str
    attempts: int
    worker_peak_bytes: int


@dataclass(frozen=True)
class SharedBench:
    """A bench in a file that all workers read; its hash comes by another way than the file."""

    path: Path
    sha256: str


def share_bench(bench: Bench, folder: Path) -> SharedBench:
    """Write ``bench`` into ``folder``, for the workers of this call."""
    data = pickle.dumps(bench)
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"bench.{digest[:16]}.pickle"
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return SharedBench(path, digest)


@lru_cache(maxsize=4)
def load_bench(shared: SharedBench) -> Bench:
    """The bench, read once per worker.

    Raises InputError when the file is not the one that was written: it is not even looked at.
    """
    data = shared.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != shared.sha256:
        raise InputError(f"{shared.path} was changed while it was in use; simulate again.")
    bench = pickle.loads(data)  # noqa: S301 - these very bytes were written by this command
    assert isinstance(bench, Bench)
    return bench


def run_shared(
    shared: SharedBench, planned: PlannedSample, inputs_units: NDArray[np.float64], folder: Path,
    keep_waves: bool, keep_files: bool,
) -> SampleEnd:  # fmt: skip
    """Simulate one sample and write what it gave into ``folder``; inputs (frames, channels)."""
    bench = load_bench(shared).at(planned.corner)
    job = Job(bench, planned, inputs_units, folder, keep_waves, keep_files)
    status, attempts = run_counted(job)
    return SampleEnd(status, attempts, peak_memory_bytes())
