"""Measurements that are remembered: one checksummed file for each, in the user's cache folder.

A file is addressed by everything its content depends on and carries a checksum of the content. One
that is missing, cut short, altered or of another version is measured again: a cache may cost time,
never correctness.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

from codesign.files import cache_dir, write_json

T = TypeVar("T")


def cached(
    kind: str,
    key: str,
    measure: Callable[[], T],
    pack: Callable[[T], dict[str, Any]],
    unpack: Callable[[Any], T],
) -> T:
    """What ``measure`` returned for this ``kind`` and ``key``, now or in an earlier run.

    ``pack`` turns it into JSON data without NaN, ``unpack`` turns such data back and may raise
    KeyError, TypeError or ValueError for data of another form, which is then measured again.
    Raises what ``measure`` raises, and InputError when the cache folder cannot be written.
    """
    path = cache_dir() / "measured" / kind / f"{key}.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        content = stored["content"]
        if digest(content) == stored["sha256"]:
            return unpack(content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # absent, damaged or of another version: measuring again is always right
    result = measure()
    content = json.loads(json.dumps(pack(result), allow_nan=False))
    write_json(path, {"sha256": digest(content), "content": content})
    return result


def digest(content: Any) -> str:
    """Checksum of JSON data, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
