"""Features computed once per folder, settings and seed, and found again by the later stages.

A cache file is named after everything its content depends on (names, sizes and times of the
sound files included), so a stale one is never read. Those unused for longest are removed when the
cache outgrows its bound: several tasks and seeds in turn must each find theirs again.
"""

import hashlib
import json
import logging
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.files import atomic_path, cache_dir

Arrays = dict[str, NDArray[np.float32]]
Scalar = TypeVar("Scalar", bound=np.generic)

_KEPT_BYTES = 4 << 30
_log = logging.getLogger(__name__)


def cached_features(
    key: Any, compute: Callable[[], dict[str, NDArray[Scalar]]]
) -> dict[str, NDArray[Scalar]]:
    """``compute()``, or what it gave before for the same JSON-able ``key``.

    A cache that cannot be read is computed again; one that cannot be written is only logged,
    because the features themselves are at hand.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    path = cache_dir() / "features" / f"{digest}.npz"
    if path.is_file():
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            _mark_used(path)
            return arrays
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            _log.warning("computing again: the cache %s cannot be read (%s)", path, error)
    arrays = compute()
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        _prune(path.parent)
    except InputError as error:
        _log.warning("features are not cached: %s", error)
    return arrays


def _mark_used(path: Path) -> None:
    """Set the time of use by hand: file systems may be mounted without it."""
    try:
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
    except OSError as error:
        _log.info("the time of use of %s is not kept: %s", path, error)


def _prune(folder: Path) -> None:
    """Remove what was unused for longest, down to the bound; the newest file always stays."""
    files = []
    for file in folder.glob("*.npz"):
        try:
            files.append((file.stat().st_atime_ns, file.stat().st_size, file))
        except FileNotFoundError:
            continue  # another process pruned it
    total = 0
    for rank, (_, size, file) in enumerate(sorted(files, reverse=True)):
        total += size
        if rank and total > _KEPT_BYTES:
            file.unlink(missing_ok=True)
