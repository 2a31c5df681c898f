"""The batched engine's kernel, built with the machine's C++ compiler on first use."""

import ctypes
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from codesign import native

SOURCES = ("vector.h", "solver.h", "noise.h", "step.h", "sweep.h", "worker.h", "kernel.cpp")
_SOURCE = native.Source(
    Path(__file__).parent,
    SOURCES,
    ("-ffp-contract=fast",),
    "The batched engine",
    ", or simulate with --engine ngspice",
)


def find_compiler(environ: Mapping[str, str] = os.environ) -> str:
    """The C++ compiler: ``$CXX`` if set, else g++ or clang++.

    Raises EnvironmentMissing with the fix when there is none.
    """
    return native.find_compiler(_SOURCE.needed_by, _SOURCE.otherwise, environ)


def source_digest() -> str:
    """Hash of the kernel's source."""
    return _SOURCE.digest()


@cache
def kernel(architecture: str = "native", scalar: bool = False) -> ctypes.CDLL:
    """The compiled kernel, built on first use (some seconds).

    ``scalar``: one sample at a time, as a thread of a GPU has it; slow, to test what runs there.

    Raises EnvironmentMissing without a compiler, or when it cannot build the kernel.
    """
    path = native.build(_SOURCE, architecture, ["-DCODESIGN_SCALAR"] if scalar else [])
    library = ctypes.CDLL(str(path))
    library.codesign_run.restype = None
    return library
