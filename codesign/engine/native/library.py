"""Build the kernel with the machine's C++ compiler, once, and call it.

The library is compiled for the processor it runs on and kept in the cache under a name made from
the source, the compiler and the processor, so that a cache shared between machines is safe.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from codesign.errors import EnvironmentMissing
from codesign.files import cache_dir

SOURCES = ("vector.h", "solver.h", "noise.h", "step.h", "sweep.h", "worker.h", "kernel.cpp")
FLAGS = (
    "-O3", "-std=c++17", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast",
    "-Wno-psabi", "-shared", "-fPIC", "-pthread",
)  # fmt: skip


def find_compiler(environ: Mapping[str, str] = os.environ) -> str:
    """The C++ compiler: ``$CXX`` if set, else g++ or clang++.

    Raises EnvironmentMissing with the fix when there is none.
    """
    named = environ.get("CXX")
    for name in [named] if named else ["g++", "clang++", "c++"]:
        found = shutil.which(name, path=environ.get("PATH", os.defpath))
        if found:
            return found
    raise EnvironmentMissing(
        f"The batched engine needs a C++ compiler and {named or 'none'} was found; install one "
        "('sudo apt-get install g++'), or simulate with --engine ngspice."
    )


def source_digest() -> str:
    """Hash of the kernel's source."""
    folder = Path(__file__).parent
    text = b"".join((folder / name).read_bytes() for name in SOURCES)
    return hashlib.sha256(text).hexdigest()


@cache
def kernel(architecture: str = "native", scalar: bool = False) -> ctypes.CDLL:
    """The compiled kernel, built on first use (some seconds).

    ``scalar``: one sample at a time, as a thread of a GPU has it; slow, to test what runs there.

    Raises EnvironmentMissing without a compiler, or when it cannot build the kernel.
    """
    compiler = find_compiler()
    source = Path(__file__).parent
    target = f"-march={architecture}" if platform.machine() == "x86_64" else "-mcpu=native"
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    flags = [*FLAGS, target, *(["-DCODESIGN_SCALAR"] if scalar else [])]
    facts = [source_digest().encode(), version, _processor(), " ".join(flags).encode()]
    digest = hashlib.sha256(b"\0".join(facts)).hexdigest()[:24]
    path = cache_dir() / "kernels" / f"codesign-{digest}.so"
    if not path.is_file():
        _build(compiler, flags, source / "kernel.cpp", path)
    library = ctypes.CDLL(str(path))
    library.codesign_run.restype = None
    return library


def _build(compiler: str, flags: list[str], source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        built = Path(folder) / path.name
        done = subprocess.run(
            [compiler, *flags, "-o", str(built), str(source)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            first = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise EnvironmentMissing(
                f"{compiler} could not build the batched engine ({first}); use g++ 11 or clang 14 "
                "or newer (set CXX), or simulate with --engine ngspice."
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
