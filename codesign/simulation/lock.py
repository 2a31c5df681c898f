"""One writer per folder of results.

The lock is the kernel's (``flock``), on a file beside the folder: it ends with the process that
holds it, however that ends, so that nothing stale is ever in the way. What stands in the file only
says who that is.
"""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from codesign.errors import InputError
from codesign.files import unwritable


def lock_path(folder: Path) -> Path:
    """Beside the folder, which itself may be removed and made again."""
    return folder.with_name(f".{folder.name}.lock")


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder`` for the block.

    Raises InputError, naming the holder, when another process has it.
    """
    path = lock_path(folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise unwritable(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"{folder} is being written by another command{_holder(path)}; wait until it has "
                "ended or stop it, what it has finished is kept."
            ) from error
        except OSError as error:
            raise unwritable(path, error) from error
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now}))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _holder(path: Path) -> str:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return f" (process {told['pid']} on {told['host']}, since {told['since']})"
    except (OSError, ValueError, KeyError, TypeError):  # it is just beginning or ending
        return ""
