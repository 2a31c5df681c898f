"""The bistable cell by a compiled kernel: one pass forward, one for every gradient.

Composed of torch operations, the cell writes ten tensors of the candidates' size forward and
reads twice as many backward; the kernel reads one and writes one forward, and reads three and
writes one backward. States are the same to the bit, gradients to rounding (docs/scan.md).
"""

import ctypes
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from codesign.cells.compiled import fresh, library, plain, threads_for

Composed = Callable[..., Tensor]
_POINTER, _INDEX = ctypes.c_void_p, ctypes.c_int64
_NAMES = {torch.float32: "float32", torch.float64: "float64"}


def _structure(number: type[ctypes.c_float] | type[ctypes.c_double]) -> type[ctypes.Structure]:
    """``Latch`` of latch.h, for one type of number."""

    class Latch(ctypes.Structure):
        _fields_ = (
            *((name, _INDEX) for name in ("rows", "frames", "lanes")),
            *(
                (name, _POINTER)
                for name in ("candidate", "beta_hi", "width", "alpha", "initial", "resets")
            ),
            *((name, number) for name in ("leak", "rest", "sharpness")),
            ("per_lane", ctypes.c_int),
        )

    return Latch


_STRUCTURES = {
    torch.float32: _structure(ctypes.c_float),
    torch.float64: _structure(ctypes.c_double),
}


@cache
def _functions(dtype: torch.dtype) -> tuple[Callable[..., None], Callable[..., None]] | None:
    found = library() if dtype in _NAMES else None
    if found is None:
        return None
    forward, backward = (
        getattr(found, f"latch_{way}_{_NAMES[dtype]}") for way in ("forward", "backward")
    )
    forward.argtypes = [_POINTER, _POINTER, ctypes.c_int]
    backward.argtypes = [_POINTER] * 8 + [ctypes.c_int]
    forward.restype = backward.restype = None
    return forward, backward


def serves(candidate: Tensor, *parameters: Tensor) -> bool:
    """Whether the kernel takes these: on the CPU, float32 or float64, parameters that are the
    same in every frame, and a compiler that could build it."""
    dtype, shape = candidate.dtype, candidate.shape
    return (
        candidate.device.type == "cpu"
        and candidate.ndim >= 2
        and shape[-2] > 0
        and all(_fits(x, dtype, shape) for x in parameters)
        and _functions(dtype) is not None
    )


def _fits(parameter: Tensor, dtype: torch.dtype, shape: torch.Size) -> bool:
    """Whether it broadcasts to the shape of the candidates, the same in every frame."""
    own = parameter.shape
    return (
        parameter.dtype == dtype
        and parameter.device.type == "cpu"
        and (len(own) < 2 or own[-2] == 1)
        and len(own) <= len(shape)
        and all(x in (1, y) for x, y in zip(reversed(own), reversed(shape), strict=False))
    )


class _Call:
    """The kernel's arguments, and the tensors that keep their memory alive."""

    def __init__(
        self,
        candidate: Tensor,
        parameters: tuple[Tensor, ...],
        initial: Tensor | None,
        resets: Tensor | None,
        leak: float,
        sharpness: float,
    ) -> None:
        frames, lanes = candidate.shape[-2:]
        leading = candidate.shape[:-2]
        self.per_lane = any(x.ndim > 0 and x.shape[-1] != 1 for x in parameters)
        each = (*leading, 1, lanes if self.per_lane else 1)
        self.rows = math.prod(leading)
        self.sums = (self.rows, lanes)
        tensors = [candidate, *(x.expand(each) for x in parameters)]
        self.kept = [plain(x) for x in tensors]
        self.kept.append(candidate.new_empty(0))
        if initial is not None:
            self.kept[4] = plain(initial.expand(*leading, lanes))
        if resets is not None:
            self.kept.append(resets.expand(candidate.shape).contiguous())
        self.structure = _STRUCTURES[candidate.dtype](
            self.rows,
            frames,
            lanes,
            *(x.data_ptr() for x in self.kept[:4]),
            None if initial is None else self.kept[4].data_ptr(),
            None if resets is None else self.kept[5].data_ptr(),
            leak,
            1 - leak,
            sharpness,
            self.per_lane,
        )
        self.threads = threads_for(candidate.numel())


class _Latch(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        composed: Composed,
        leak: float,
        sharpness: float,
        resets: Tensor | None,
        candidate: Tensor,
        beta_hi: Tensor,
        width: Tensor,
        alpha: Tensor,
        initial: Tensor | None,
    ) -> Tensor:
        functions = _functions(candidate.dtype)
        assert functions is not None
        call = _Call(candidate, (beta_hi, width, alpha), initial, resets, leak, sharpness)
        states = fresh(call.kept[0])
        functions[0](ctypes.byref(call.structure), states.data_ptr(), call.threads)
        ctx.composed, ctx.settings = composed, (leak, sharpness)
        ctx.save_for_backward(candidate, beta_hi, width, alpha, initial, resets, states)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        candidate, beta_hi, width, alpha, initial, resets, states = ctx.saved_tensors
        wanted = ctx.needs_input_grad[4:]
        if torch.is_grad_enabled():  # the backward is itself to be differentiated
            inputs = (candidate, beta_hi, width, alpha, initial)
            again = ctx.composed(*inputs[:4], *ctx.settings, initial, resets)
            chosen = [x for x, wants in zip(inputs, wanted, strict=True) if wants]
            by = iter(torch.autograd.grad(again, chosen, gradients[0], create_graph=True))
            return None, None, None, None, *(next(by) if wants else None for wants in wanted)
        functions = _functions(candidate.dtype)
        assert functions is not None
        parameters = (beta_hi, width, alpha)
        call = _Call(candidate, parameters, initial, resets, *ctx.settings)
        arriving = plain(gradients[0])
        to_candidate = fresh(call.kept[0])
        sums = candidate.new_empty((3, *call.sums))
        to_initial = torch.empty_like(call.kept[4]) if wanted[4] else None
        functions[1](
            ctypes.byref(call.structure),
            states.data_ptr(),
            arriving.data_ptr(),
            to_candidate.data_ptr(),
            *(x.data_ptr() for x in sums.unbind()),
            None if to_initial is None else to_initial.data_ptr(),
            call.threads,
        )
        if not call.per_lane:
            sums = sums.sum(-1, keepdim=True)
        each = (*candidate.shape[:-2], 1, sums.shape[-1])
        by_parameter = (
            x.view(each).sum_to_size(parameter.shape)
            for x, parameter in zip(sums.unbind(), parameters, strict=True)
        )
        if to_initial is not None:
            to_initial = to_initial.sum_to_size(initial.shape)
        return None, None, None, None, to_candidate, *by_parameter, to_initial


def latch(
    composed: Composed,
    candidate: Tensor,
    beta_hi: Tensor,
    width: Tensor,
    alpha: Tensor,
    leak: float,
    sharpness: float,
    initial: Tensor | None = None,
    resets: Tensor | None = None,
) -> Tensor:
    """States [..., T, D] of candidates [..., T, D]: ``fq_bmru``, where ``serves`` says yes.

    composed: the same function in torch operations, for second derivatives.
    """
    states: Tensor = _Latch.apply(  # type: ignore[no-untyped-call]
        composed, leak, sharpness, resets, candidate, beta_hi, width, alpha, initial
    )
    return states
