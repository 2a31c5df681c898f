"""Build C++ sources with the machine's compiler, once, into a library that ctypes can call.

A library is compiled for the processor it runs on and kept in the cache under a name made from
the source, the compiler and the processor, so that a cache shared between machines is safe.
"""

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from codesign.errors import EnvironmentMissing
from codesign.files import cache_dir

BASE_FLAGS = (
    "-O3", "-std=c++17", "-fno-math-errno", "-fno-trapping-math",
    "-Wno-psabi", "-shared", "-fPIC", "-pthread",
)  # fmt: skip

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """What to build: the files (the last one is compiled, the others it includes), the flags
    beside BASE_FLAGS, and the words of an error: who needs it, and what to do instead."""

    folder: Path
    files: tuple[str, ...]
    flags: tuple[str, ...]
    needed_by: str
    otherwise: str

    def digest(self) -> str:
        """Hash of the source."""
        text = b"".join((self.folder / name).read_bytes() for name in self.files)
        return hashlib.sha256(text).hexdigest()


def find_compiler(
    needed_by: str, otherwise: str = "", environ: Mapping[str, str] = os.environ
) -> str:
    """The C++ compiler: ``$CXX`` if set, else g++ or clang++.

    Raises EnvironmentMissing with the fix when there is none.
    """
    named = environ.get("CXX")
    for name in [named] if named else ["g++", "clang++", "c++"]:
        found = shutil.which(name, path=environ.get("PATH", os.defpath))
        if found:
            return found
    raise EnvironmentMissing(
        f"{needed_by} needs a C++ compiler and {named or 'none'} was found; install one "
        f"('sudo apt-get install g++'){otherwise}."
    )


def build(source: Source, architecture: str = "native", flags: Sequence[str] = ()) -> Path:
    """The library of a source, compiled on first use (some seconds).

    Raises EnvironmentMissing without a compiler, or when it cannot build the source.
    """
    compiler = find_compiler(source.needed_by, source.otherwise)
    target = f"-march={architecture}" if platform.machine() == "x86_64" else "-mcpu=native"
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    every = [*BASE_FLAGS, *source.flags, target, *flags]
    facts = [source.digest().encode(), version, _processor(), " ".join(every).encode()]
    digest = hashlib.sha256(b"\0".join(facts)).hexdigest()[:24]
    path = cache_dir() / "kernels" / f"codesign-{digest}.so"
    if not path.is_file():
        _compile(compiler, every, source, path)
    return path


@cache
def load_if_possible(source: Source) -> ctypes.CDLL | None:
    """The library of a source (built on first use, some seconds), or None where that cannot be.

    The reason is logged once; nothing fails for want of a compiler.
    """
    try:
        return ctypes.CDLL(str(build(source)))
    except (EnvironmentMissing, OSError) as error:
        _log.warning("%s", error)
        return None


def _compile(compiler: str, flags: list[str], source: Source, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        built = Path(folder) / path.name
        done = subprocess.run(
            [compiler, *flags, "-o", str(built), str(source.folder / source.files[-1])],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            first = (done.stderr.strip().splitlines() or ["no message"])[0]
            needed_by = source.needed_by[0].lower() + source.needed_by[1:]
            raise EnvironmentMissing(
                f"{compiler} could not build {needed_by} ({first}); use g++ 11 or clang 14 "
                f"or newer (set CXX){source.otherwise}."
            )
        built.replace(path)


def _processor() -> bytes:
    """What the processor can do, as far as the system says."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                return line.encode()
    except OSError:
        pass  # not Linux: the machine's type has to do
    return f"{platform.machine()} {platform.processor()}".encode()
