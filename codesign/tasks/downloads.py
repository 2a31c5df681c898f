"""Fetching one file over HTTP: continued where it broke off, checked, renamed only when whole.

What has arrived lies in ``NAME.part``; the next attempt asks the server for the rest (Range), and
says by ``If-Range`` which version it has, so that a file that changed meanwhile is sent whole. A
server that ignores the question sends the whole file, and gets its way. (No library: pooch, the
usual choice, starts again from nothing.)
"""

import hashlib
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from codesign.errors import EnvironmentMissing, InputError

OnBytes = Callable[[int], None]
"""Called with the number of bytes of the file that have arrived so far."""

_CHUNK = 1 << 16
_TIMEOUT_S = 30.0
_FRUITLESS = 4  # attempts in a row that bring nothing, before giving up
_PAUSE_S = 0.5  # before the second of them; doubled each time


@dataclass(frozen=True)
class RemoteFile:
    """A file on the web: the same content at every one of ``urls``, tried in turn.

    sha256 None: its publisher gives no digest; what arrives first is trusted and recorded.
    """

    name: str
    urls: tuple[str, ...]
    size_bytes: int | None = None
    sha256: str | None = None


class _Broken(Exception):  # noqa: N818 - an attempt, not the whole
    """An attempt that ended early; what it brought is kept."""


# Not every OSError: a full disk is no reason to ask the server again.
_NETWORK = (
    _Broken, http.client.HTTPException, urllib.error.URLError, ConnectionError, TimeoutError,
    ssl.SSLError,
)  # fmt: skip


def fetch(file: RemoteFile, folder: Path, on_bytes: OnBytes = lambda _: None) -> str:
    """Bring ``file`` into ``folder`` under its name and return its SHA-256.

    A file that is there already (from before, or put there by hand) is checked, not fetched.

    Raises EnvironmentMissing when no server can be reached or all refuse, InputError when the
    content is not what it should be; in this case what arrived is removed.
    """
    path, part = folder / file.name, folder / f"{file.name}.part"
    if path.is_file():
        on_bytes(path.stat().st_size)
        return _check(file, path)
    folder.mkdir(parents=True, exist_ok=True)
    continued = _receive(file, part, on_bytes)
    try:
        digest = _check(file, part)
    except InputError:
        if not continued:
            raise
        # The pieces may be of different files: the whole is asked for once more.
        _receive(file, part, on_bytes)
        digest = _check(file, part)
    part.rename(path)
    _mark(part).unlink(missing_ok=True)
    return digest


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _receive(file: RemoteFile, part: Path, on_bytes: OnBytes) -> bool:
    """Attempts until the part is whole; whether it began with what was there before."""
    continued, fruitless = _size(part) > 0, 0
    while True:
        before = _size(part)
        try:
            _attempt(file.urls[fruitless % len(file.urls)], file, part, on_bytes)
            return continued
        except _NETWORK as error:
            arrived = _size(part) - before
            # Tried again as long as something arrives: each attempt costs only what is missing.
            fruitless = 0 if arrived > 0 else fruitless + 1
            continued = continued or _size(part) > 0
            if fruitless >= max(_FRUITLESS, len(file.urls)):
                raise _unreachable(file, part, error) from error
            time.sleep(_PAUSE_S * 2**fruitless / 2)


def _attempt(url: str, file: RemoteFile, part: Path, on_bytes: OnBytes) -> None:
    have = _size(part)
    if have and have == file.size_bytes:
        return
    request = urllib.request.Request(url, headers={"User-Agent": "codesign"})  # noqa: S310 - ours
    if have:
        request.add_header("Range", f"bytes={have}-")
        if (mark := _mark(part)).is_file():
            request.add_header("If-Range", mark.read_text(encoding="utf-8"))
    try:
        # The addresses are constants of the product, http or https.
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return  # it was whole already
            _discard(part)  # longer than the file there: of another one
        raise _Broken(f"the server answers {error.code} {error.reason}") from error
    with response:
        start = _start(response, have)
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        _remember(part, response)
        with part.open("r+b" if part.exists() else "wb") as out:
            out.seek(start)
            out.truncate()
            on_bytes(start)
            while block := response.read(_CHUNK):
                out.write(block)
                on_bytes(out.tell())
                if file.size_bytes is not None and out.tell() > file.size_bytes:
                    break  # too long already: no reason to fill the disk
    arrived = _size(part)
    if total is not None and arrived < total:
        raise _Broken(f"the connection ended after {arrived} of {total} bytes")


def _start(response: http.client.HTTPResponse, have: int) -> int:
    """Where in the file the answer begins."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) > have:
        raise _Broken("the server sends another range than the one asked for")
    return int(found[1])


def _remember(part: Path, response: http.client.HTTPResponse) -> None:
    """Keep what names the version sent; a weak tag does not vouch for every byte."""
    tag = response.headers.get("ETag") or response.headers.get("Last-Modified")
    if tag and not tag.startswith("W/"):
        _mark(part).write_text(tag, encoding="utf-8")
    else:
        _mark(part).unlink(missing_ok=True)


def _check(file: RemoteFile, path: Path) -> str:
    size, digest = _size(path), sha256_of(path)
    wrong = None
    if file.size_bytes is not None and size != file.size_bytes:
        wrong = f"has {size} bytes instead of {file.size_bytes}"
    elif file.sha256 is not None and digest != file.sha256:
        wrong = f"has the SHA-256 {digest} instead of {file.sha256}"
    if wrong is None:
        return digest
    _discard(path)
    raise InputError(
        f"What came as {file.name} {wrong} and was removed. Try again later; if it happens again, "
        f"fetch {file.urls[0]} by another way and put it into {path.parent}."
    )


def _unreachable(file: RemoteFile, part: Path, error: Exception) -> EnvironmentMissing:
    reason = getattr(error, "reason", None) or error
    kept = f" ({_size(part)} bytes are kept)" if _size(part) else ""
    return EnvironmentMissing(
        f"Cannot fetch {file.urls[0]}: {reason}{kept}. Run the same command again when the network "
        f"is there, or put the file, fetched by another way, into {part.parent} as {file.name} and "
        "run it then."
    )


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _mark(part).unlink(missing_ok=True)


def _mark(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
