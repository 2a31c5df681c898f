"""Features computed once per folder, settings and seed, and found again by the later stages.

A cache file is named after everything its content depends on (names, sizes and times of the
sound files included), so a stale one is never read; the oldest are removed.
"""

import hashlib
import json
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.files import atomic_path, cache_dir

Arrays = dict[str, NDArray[np.float32]]

_KEPT = 6
_log = logging.getLogger(__name__)


def cached_features(key: Any, compute: Callable[[], Arrays]) -> Arrays:
    """``compute()``, or what it gave before for the same JSON-able ``key``.

    A cache that cannot be read is computed again; one that cannot be written is only logged,
    because the features themselves are at hand.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    path = cache_dir() / "features" / f"{digest}.npz"
    if path.is_file():
        try:
            with np.load(path, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
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


def _prune(folder: Path) -> None:
    files = sorted(folder.glob("*.npz"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in files[_KEPT:]:
        old.unlink(missing_ok=True)
