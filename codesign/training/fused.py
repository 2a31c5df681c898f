"""One pass over whole clips for the network of the chip, compiled: what a training step needs.

``evaluate`` in torch writes and reads every node of every frame some sixty times a step; the
kernel keeps a block of clips in the processor's cache from the first layer to the last, with the
gradients of ``threshold_penalty`` and of the mean currents on its way back (docs/theory.md has the
measured ratio). Decisions, losses and everything else stay in torch.
"""

import ctypes
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from codesign import native
from codesign.cells import Cell

_SOURCE = native.Source(
    Path(__file__).parent / "native",
    ("first_quadrant.cpp",),
    ("-ffp-contract=fast",),
    "The compiled training step",
    "; until then training runs in torch, several times slower",
)
_LARGEST = 64  # units: above, the matrix products of torch are faster
_NAMES = {torch.float32: "float32", torch.float64: "float64"}
_LANE_BYTES = 64
_POINTER, _INDEX, _DOUBLE = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double

_SIZES = ("networks", "clips", "frames", "inputs", "units", "layers", "classes", "memory")


class _Shape(ctypes.Structure):
    """``Shape`` of first_quadrant.cpp."""

    _fields_ = tuple((name, _INDEX) for name in _SIZES)

    @property
    def node_vectors(self) -> int:
        """Vectors per frame that backward needs: projection, and three nodes per layer."""
        return int(self.units * (1 + 3 * self.layers))

    @property
    def running_vectors(self) -> int:
        """Vectors per frame that backward works with."""
        return int(self.classes + (self.layers + 2) * self.units)


@dataclass(frozen=True)
class Pass:
    """What the kernel gives, each with the networks' leading dimensions [*S].

    logits [*S, B, T, K]; layer_inputs [*S, layers + 1, d], means over clips and frames of x before
    each layer and after the last; states [*S, layers, d], such means of the states; intrusion [*S],
    ``threshold_penalty`` at the margin given (0 at margin 0). Units.
    """

    logits: Tensor
    layer_inputs: Tensor
    states: Tensor
    intrusion: Tensor


@cache
def _functions(dtype: torch.dtype) -> tuple[Callable[..., None], Callable[..., None]] | None:
    library = native.load_if_possible(_SOURCE) if dtype in _NAMES else None
    if library is None:
        return None
    forward, backward = (
        getattr(library, f"{way}_{_NAMES[dtype]}") for way in ("forward", "backward")
    )
    forward.argtypes = [_POINTER] * 4 + [_DOUBLE] * 2 + [_INDEX] + [_POINTER] * 5
    backward.argtypes = [_POINTER] * 3 + [_DOUBLE] * 3 + [_POINTER] * 6
    forward.restype = backward.restype = None
    return forward, backward


def serves(parameters: Mapping[str, Tensor], inputs: Tensor, cell: Cell) -> bool:
    """Whether the kernel takes these: a first-quadrant network of up to 64 units on the CPU, and a
    compiler that could build it."""
    first = next(iter(parameters.values()))
    return (
        cell.first_quadrant
        and first.device.type == inputs.device.type == "cpu"
        and first.dtype == inputs.dtype
        and parameters["projection.bias"].shape[-1] <= _LARGEST
        and _functions(first.dtype) is not None
    )


class _Pass(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        stray: Tensor,
        inputs: Tensor,
        shape: _Shape,
        leak: float,
        sharpness: float,
        margin: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        functions = _functions(rows.dtype)
        assert functions is not None
        lanes = _LANE_BYTES // rows.element_size()
        blocks = -(-shape.clips // lanes)
        arranged = _aligned(rows, blocks * shape.frames * shape.inputs * lanes)
        keep = ctx.needs_input_grad[0]
        kept = shape.networks * blocks if keep else 1
        nodes = _aligned(rows, kept * shape.frames * shape.node_vectors * lanes)
        logits = rows.new_empty(shape.networks, shape.clips, shape.frames, shape.classes)
        means = rows.new_zeros(shape.networks, 2 * shape.layers + 1, shape.units)
        intrusion = rows.new_zeros(shape.networks)
        functions[0](
            ctypes.byref(shape), rows.data_ptr(), stray.data_ptr(), inputs.data_ptr(), leak, margin,
            int(keep), arranged.data_ptr(), nodes.data_ptr(), logits.data_ptr(), means.data_ptr(),
            intrusion.data_ptr(),
        )  # fmt: skip
        if keep:
            ctx.kept = [rows, arranged, nodes]
            ctx.setting = shape, leak, sharpness, margin
        return logits, means, intrusion

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.kept:
            raise RuntimeError("the compiled pass keeps what backward needs for one backward only")
        rows, arranged, nodes = ctx.kept
        ctx.kept = []  # the kernel writes its gradients over the nodes
        shape, leak, sharpness, margin = ctx.setting
        functions = _functions(rows.dtype)
        assert functions is not None
        lanes = _LANE_BYTES // rows.element_size()
        running = _aligned(rows, shape.frames * shape.running_vectors * lanes)
        arriving = [gradient.contiguous() for gradient in gradients]
        total = torch.zeros_like(rows)
        functions[1](
            ctypes.byref(shape), rows.data_ptr(), arranged.data_ptr(), leak, sharpness, margin,
            nodes.data_ptr(), running.data_ptr(), *(x.data_ptr() for x in arriving),
            total.data_ptr(),
        )  # fmt: skip
        return (total, *[None] * 6)


def one_pass(
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    cell: Cell,
    leak: float,
    sharpness: float,
    stray: Tensor | None,
    margin_units: float,
) -> Pass:
    """Evaluate where ``serves`` says yes; arguments as in ``network.evaluate``.

    inputs [B, T, n_in]; margin_units: of the threshold penalty, 0 for none. Gradients reach the
    parameters alone, once.
    """
    leading = parameters["projection.bias"].shape[:-1]
    layers = sum(name.endswith(".output.bias") for name in parameters)
    named = [parameters[name].flatten(len(leading)) for name in _names(layers)]
    classes, units = parameters["readout.weight"].shape[-2:]
    memory = cell.anneals  # the control has the cell's parameters and no memory
    rows = torch.cat(named, -1)
    shape = _Shape(math.prod(leading), *inputs.shape, units, layers, classes, int(memory))
    if stray is None:
        stray = rows.new_zeros(*leading, layers, units)
    logits, means, intrusion = _Pass.apply(  # type: ignore[no-untyped-call]
        rows.reshape(shape.networks, -1),
        stray.contiguous(),
        inputs.contiguous(),
        shape,
        leak if memory else 0.0,
        sharpness,
        margin_units,
    )
    means = means.view(*leading, *means.shape[1:])
    return Pass(
        logits=logits.view(*leading, *logits.shape[1:]),
        layer_inputs=means[..., : layers + 1, :],
        states=means[..., layers + 1 :, :],
        intrusion=intrusion.view(leading),
    )


def _names(layers: int) -> list[str]:
    """The parameters in the kernel's order."""
    own = ("candidate.weight", "candidate.bias", "cell.beta_hi", "cell.width", "cell.alpha",
           "output.weight", "output.bias")  # fmt: skip
    inner = [f"layers.{layer}.{name}" for layer in range(layers) for name in own]
    return ["projection.weight", "projection.bias", *inner, "readout.weight", "readout.bias"]


def _aligned(like: Tensor, count: int) -> Tensor:
    """An uninitialised vector of ``count`` numbers that begins at a multiple of 64 bytes."""
    spare = _LANE_BYTES // like.element_size()
    memory = like.new_empty(count + spare)
    offset = -(memory.data_ptr() // like.element_size()) % spare
    return memory[offset : offset + count]
