"""Model files whose path ngspice cannot read.

``.lib`` takes a file name up to the first blank or quote, quoted or not (tried: ngspice 39), so a
PDK under ``My Projects`` cannot be named in a deck. Such a folder gets a symbolic link with a
plain name in the user's cache, and the deck names the link.
"""

import hashlib
import os
import re
import tempfile
from pathlib import Path

from codesign.errors import EnvironmentMissing

_UNREADABLE = re.compile(r"[\s'\"\x00-\x1f\x7f]")


def spice_path(path: Path) -> Path:
    """A spelling of ``path`` that is safe in a deck: itself, or through a plain link.

    Raises EnvironmentMissing when no link can be made.
    """
    path = path.absolute()
    if not _UNREADABLE.search(str(path)):
        return path
    if not _UNREADABLE.search(path.name):
        name = hashlib.sha256(os.fsencode(path.parent)).hexdigest()[:16]
        for folder in _link_folders():
            link = _make_link(folder, name, path.parent)
            if link is not None:
                return link / path.name
    raise EnvironmentMissing(
        f"ngspice cannot read {str(path)!r}, whose path has a blank or a quote in it, and no link "
        "to it could be made in the cache folder; move the models to a plain path and give it "
        "with --pdk-root."
    )


def _link_folders() -> list[Path]:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folders = [
        Path(cache) / "codesign" / "links",
        Path(tempfile.gettempdir()) / f"codesign-{os.getuid()}" / "links",
    ]
    return [folder for folder in folders if not _UNREADABLE.search(str(folder))]


def _make_link(folder: Path, name: str, target: Path) -> Path | None:
    """The link, or None where the folder is not ours or not writable."""
    link = folder / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            return None
        if not link.is_symlink():
            link.symlink_to(target, target_is_directory=True)
    except FileExistsError:
        pass  # another process made it between the two lines; checked below
    except OSError:
        return None
    return link if link.is_symlink() and link.readlink() == target else None
