"""The linear scan by the compiled kernel: one pass forward, one pass for all gradients."""

import ctypes
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from codesign.cells.compiled import fresh, library, plain, threads_for

_NAMES = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.complex64: "complex64",
    torch.complex128: "complex128",
}
_POINTER, _INDEX = ctypes.c_void_p, ctypes.c_int64
_Function = Callable[..., None]


@cache
def _functions(dtype: torch.dtype) -> tuple[_Function, _Function] | None:
    found = library() if dtype in _NAMES else None
    if found is None:
        return None
    forward, backward = (
        getattr(found, f"scan_{way}_{_NAMES[dtype]}") for way in ("forward", "backward")
    )
    forward.argtypes = [_POINTER] * 4 + [_INDEX] * 3 + [ctypes.c_int]
    backward.argtypes = [_POINTER] * 7 + [_INDEX] * 3 + [ctypes.c_int]
    forward.restype = backward.restype = None
    return forward, backward


def serves(x: Tensor) -> bool:
    """Whether the kernel takes tensors of this device and dtype, and could be built."""
    return x.device.type == "cpu" and _functions(x.dtype) is not None


def _extent(a: Tensor) -> tuple[int, int, int, int]:
    """Rows, frames, lanes, threads."""
    frames, lanes = a.shape[-2:]
    numbers = a.numel()
    return numbers // max(frames * lanes, 1), frames, lanes, threads_for(numbers)


def forward(a: Tensor, b: Tensor, initial: Tensor | None) -> Tensor:
    """States [..., T, D]; initial [..., D] or None for 0."""
    functions = _functions(a.dtype)
    assert functions is not None
    a, b = plain(a), plain(b)
    start = None if initial is None else plain(initial)
    states = fresh(b)
    functions[0](
        a.data_ptr(),
        b.data_ptr(),
        None if start is None else start.data_ptr(),
        states.data_ptr(),
        *_extent(a),
    )
    return states


def backward(
    a: Tensor,
    states: Tensor,
    initial: Tensor | None,
    arriving: Tensor,
    wants_a: bool,
    wants_initial: bool,
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """Gradients by a, b and the initial state, from the gradient arriving at the states."""
    functions = _functions(a.dtype)
    assert functions is not None
    a, arriving = plain(a), plain(arriving)
    start = None if initial is None else plain(initial)
    to_a = fresh(a) if wants_a else None
    to_b = fresh(a)
    to_initial = torch.empty_like(start) if wants_initial and start is not None else None
    functions[1](
        a.data_ptr(),
        states.data_ptr(),
        None if start is None else start.data_ptr(),
        arriving.data_ptr(),
        None if to_a is None else to_a.data_ptr(),
        to_b.data_ptr(),
        None if to_initial is None else to_initial.data_ptr(),
        *_extent(a),
    )
    return to_a, to_b, to_initial
