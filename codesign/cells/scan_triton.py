"""The linear scan on CUDA by Triton: all frames in one pass forward, and one for all gradients.

Rows and lanes are independent and lie side by side; a program takes WIDTH of them and walks the
frames with the state in registers, as the kernel for the processor does. It needs some thousands
of lanes (networks x units x clips) to fill a GPU. Triton comes with torch's CUDA wheels; where it
is not importable, plain torch does the work. On a machine without a GPU the programs can be run by
Triton's interpreter (TRITON_INTERPRET=1), which is how they are tested there.
"""

from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from codesign.cells.compiled import plain

_TYPES = (torch.float32, torch.float64, torch.complex64, torch.complex128)
_WIDTH = 32


@cache
def _present() -> bool:
    return find_spec("triton") is not None


def serves(x: Tensor) -> bool:
    """Whether Triton is here for tensors of this device and dtype."""
    return x.device.type == "cuda" and x.dtype in _TYPES and _present()


def _launch(kernel: Any, a: Tensor, tensors: list[Tensor], **constants: bool) -> None:
    *_, frames, lanes = a.shape
    total = a.numel() // frames
    if total == 0:
        return
    arguments = [torch.view_as_real(x) if x.is_complex() else x for x in tensors]
    kernel[(-(-total // _WIDTH),)](
        *arguments, total, frames, lanes,
        **constants, COMPLEX=a.is_complex(), WIDTH=_WIDTH, num_warps=1,
    )  # fmt: skip


def forward(a: Tensor, b: Tensor, initial: Tensor | None) -> Tensor:
    """States [..., T, D]; initial [..., D] or None for 0."""
    from codesign.cells import scan_triton_kernels as kernels

    a, b = plain(a), plain(b)
    states = torch.empty_like(b)
    start = b if initial is None else plain(initial)  # a tensor to name where there is none
    _launch(kernels.forward, a, [a, b, start, states], HAS_INITIAL=initial is not None)
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
    from codesign.cells import scan_triton_kernels as kernels

    a, arriving = plain(a), plain(arriving)
    start = None if initial is None else plain(initial)
    to_a = torch.empty_like(a) if wants_a else None
    to_b = torch.empty_like(a)
    to_initial = torch.empty_like(start) if wants_initial and start is not None else None
    named = [a, states, start, arriving, to_a, to_b, to_initial]
    _launch(
        kernels.backward,
        a,
        [to_b if x is None else x for x in named],
        HAS_INITIAL=start is not None,
        WANTS_A=to_a is not None,
        WANTS_INITIAL=to_initial is not None,
    )
    return to_a, to_b, to_initial
