"""Writing files so that nothing half-written is ever left under its final name."""

import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from codesign.errors import InputError


def cache_dir() -> Path:
    """Folder of what can be made again: ``$CODESIGN_CACHE``, else the user's cache folder."""
    if named := os.environ.get("CODESIGN_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "codesign"


# What this process is writing; named before it exists, so that nothing is left of it when stopped.
_UNFINISHED: set[Path] = set()


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` that replaces it when the block succeeds."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _UNFINISHED.add(temporary)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        _UNFINISHED.discard(temporary)
        raise unwritable(path, error) from error
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
        _UNFINISHED.discard(temporary)


def remove_unfinished() -> None:
    """Remove what ``atomic_path`` is writing in this process, which is about to end at once."""
    for temporary in tuple(_UNFINISHED):
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; NaN and infinity are refused rather than written."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file; ``what`` says in messages what the file should have been."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read {path} ({what}): {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} ({what}) is not valid JSON: {error}. It may be truncated; make it again."
        ) from error


# More than the tables and logs of a sample, less than any disk that works should have left.
_SPACE_BYTES = 1 << 20


def require_space(folder: Path) -> None:
    """Raise OSError when ``folder`` has no space left: what a program failed to write there says
    nothing of the program. It is tried, because quotas are not told otherwise."""
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"\0" * _SPACE_BYTES)
        probe.flush()
        os.fsync(probe.fileno())


def unwritable(path: Path, error: OSError) -> InputError:
    """The message for a place that cannot be written."""
    return InputError(
        f"Cannot write {path}: {error.strerror}. Choose a folder you may write to, with space left."
    )
