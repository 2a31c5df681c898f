"""The compiled kernels of the cells on the CPU: built on first use, or done without.

C++ through ctypes and not numba: measured side by side, numba's loops take 1.4 to 2.8 times as long
on small tensors and as long on large ones, its import and cached code cost seconds at every start
of a process, and the batched engine asks for the compiler anyway (docs/scan.md).
"""

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from codesign import native

SOURCE = native.Source(
    Path(__file__).parent / "native",
    ("lanes.h", "scan.h", "latch.h", "kernels.cpp"),
    ("-ffp-contract=fast",),
    "The compiled scan",
    "; until then scans run in torch, several times slower",
)
# Below this many numbers a thread costs more to start than it saves.
_SHARED = 1 << 19
_LARGE_BYTES = 1 << 23


def library() -> ctypes.CDLL | None:
    """The compiled kernels, or None where they cannot be built."""
    return native.load_if_possible(SOURCE)


def threads_for(numbers: int) -> int:
    """How many threads a kernel should take for so many numbers; the results are the same."""
    return torch.get_num_threads() if numbers >= _SHARED else 1


def fresh(like: Tensor) -> Tensor:
    """An uninitialised tensor for results of a kernel.

    Where it is large, in large pages: to fault in small ones takes longer than the scan.
    """
    result = torch.empty_like(like)
    if result.nbytes >= _LARGE_BYTES and (found := library()) is not None:
        found.large_pages(ctypes.c_void_p(result.data_ptr()), ctypes.c_int64(result.nbytes))
    return result


def plain(x: Tensor) -> Tensor:
    """The tensor as a kernel reads it: contiguous, its conjugation and sign carried out."""
    if x.is_conj() or x.is_neg():
        x = x.resolve_conj().resolve_neg()
    return x.contiguous()
