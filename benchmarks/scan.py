"""The linear scan, forward and backward: the product's kernel beside everything else, in one run.

    python benchmarks/scan.py --repeats 15

Beside the compiled kernel: a loop over ``unbind`` recorded by autograd (slicing a[:, t] instead
would make its backward quadratic in the frames), the product's torch fallback, JAX's
``associative_scan`` (jitted, compiled before; left out with a line where jax is not installed:
``python -m pip install jax``), torch's own ``associative_scan``, and two floors: ``cumsum`` both
ways, and copies of as many bytes as the scan has to move (four: forward reads two tensors and
writes one, backward reads three and writes two).

All on the same tensors, in turn, on one thread held to one core. Times are the processor's (a
machine that does other work besides does not spoil them); medians over the repeats in
milliseconds per call, and how many times the kernel's median each is. Values and gradients of all
are compared first.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor

from codesign.cells import linear_scan, scan_native, scan_torch

Run = Callable[[], tuple[Tensor, ...]]

# clips (or networks x units), frames, units (or clips); repeats are fewer where all are slow.
CASES: tuple[tuple[tuple[int, int, int], torch.dtype, int], ...] = (
    ((32, 101, 16), torch.float32, 1),
    ((64, 101, 64), torch.float32, 1),
    ((32, 4096, 16), torch.float32, 1),
    ((64, 4096, 64), torch.float32, 3),
    ((32, 101, 16), torch.complex64, 1),
    ((32, 4096, 16), torch.complex64, 1),
)


def differentiated(
    scan: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor, g: Tensor
) -> Run:
    """States and the gradients by a and b, under autograd."""

    def run() -> tuple[Tensor, ...]:
        states = scan(a, b)
        return (states.detach(), *torch.autograd.grad(states, (a, b), g))

    return run


def unbind_loop(a: Tensor, b: Tensor) -> Tensor:
    """h_t = a_t h_{t-1} + b_t from h_0 = 0, recorded by autograd step by step."""
    h = torch.zeros_like(b[:, 0])
    states = []
    for factor, term in zip(a.unbind(1), b.unbind(1), strict=True):
        h = torch.addcmul(term, factor, h)
        states.append(h)
    return torch.stack(states, dim=1)


def without_autograd(backend: ModuleType, a: Tensor, b: Tensor, g: Tensor) -> Run:
    """Forward and backward of a backend of the product, called directly."""
    a, b = a.detach(), b.detach()

    def run() -> tuple[Tensor, ...]:
        states = backend.forward(a, b, None)
        to_a, to_b, _ = backend.backward(a, states, None, g, True, False)
        assert to_a is not None
        return states, to_a, to_b

    return run


def combined(x: tuple[Tensor, Tensor], y: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Two steps h -> a h + b as one."""
    return x[0] * y[0], x[1] * y[0] + y[1]


def torchs_own(a: Tensor, b: Tensor) -> Tensor:
    """torch's associative_scan, in the one mode that it takes on the CPU."""
    from torch._higher_order_ops.associative_scan import associative_scan

    return associative_scan(combined, (a, b), dim=1, combine_mode="generic")[1]


def jax_scan(a: Tensor, b: Tensor, g: Tensor) -> Run:
    """JAX's associative_scan and its transpose, jitted and compiled before the first timing."""
    import jax
    import jax.numpy as jnp

    def states(a: jax.Array, b: jax.Array) -> jax.Array:
        def combine(x, y):  # type: ignore[no-untyped-def]
            return x[0] * y[0], x[1] * y[0] + y[1]

        return jax.lax.associative_scan(combine, (a, b), axis=1)[1]

    def both_ways(a: jax.Array, b: jax.Array, g: jax.Array) -> tuple[jax.Array, ...]:
        found, backward = jax.vjp(states, a, b)
        return (found, *backward(g))

    both = jax.jit(both_ways)

    # Gradients of complex numbers are conjugated in torch and not in JAX.
    inputs = [jnp.asarray(x.detach().resolve_conj().numpy()) for x in (a, b, g.conj())]

    def run() -> tuple[Tensor, ...]:
        found = jax.block_until_ready(both(*inputs))
        return tuple(torch.utils.dlpack.from_dlpack(x) for x in found)

    run()

    def conjugated() -> tuple[Tensor, ...]:
        found, *gradients = run()
        return (found, *(x.conj() for x in gradients))

    return conjugated


def cumsum(b: Tensor, g: Tensor) -> Run:
    """A scan that only adds: torch's own kernel for it, both ways."""

    def run() -> tuple[Tensor, ...]:
        sums = torch.cumsum(b, 1)
        return (sums.detach(), *torch.autograd.grad(sums, b, g))

    return run


def copies(b: Tensor, new: int) -> Run:
    """As many bytes moved as by the scan and its backward, by four copies, ``new`` of them (the
    scan's results are three tensors) to memory that is allocated for them."""
    source, target = b.detach(), torch.empty_like(b)

    def run() -> tuple[Tensor, ...]:
        made = [source.clone() for _ in range(new)]
        for _ in range(4 - new):
            target.copy_(source)
        return tuple(made)

    return run


def refusal() -> str:
    """What torch's associative_scan says to its fast mode on the CPU."""
    from torch._higher_order_ops.associative_scan import associative_scan

    x = torch.rand(4, 8, 2)
    try:
        associative_scan(combined, (x, x), dim=1, combine_mode="pointwise")
    except Exception as error:  # its own type differs between versions
        return str(error).strip().splitlines()[0]
    return "accepted"


def seconds(run: Run, calls: int) -> float:
    """Time of the processor per call, all threads of this process, after a call that warms up."""
    run()
    start = time.process_time()
    for _ in range(calls):
        run()
    return (time.process_time() - start) / calls


def measure(shape: tuple[int, int, int], dtype: torch.dtype, repeats: int, jax: bool) -> None:
    """One case: compare the results, then time all in turn."""
    generator = torch.Generator().manual_seed(0)
    if dtype.is_complex:
        angle = 2 * torch.pi * torch.rand(shape, generator=generator)
        a = torch.polar(0.9 + 0.1 * torch.rand(shape, generator=generator), angle).to(dtype)
    else:
        a = torch.rand(shape, generator=generator, dtype=dtype)
    b, g = (torch.randn(shape, generator=generator, dtype=dtype) for _ in range(2))
    a, b = a.requires_grad_(), b.requires_grad_()
    large = a.numel() > 4_000_000
    calls = 10 if a.numel() < 1_000_000 else 1
    runs = {
        "compiled kernel": differentiated(linear_scan, a, b, g),
        "same, without autograd": without_autograd(scan_native, a, b, g),
        "unbind loop": differentiated(unbind_loop, a, b, g),
        "torch fallback": without_autograd(scan_torch, a, b, g),
        "torch associative_scan": differentiated(torchs_own, a, b, g),
    }
    if jax:
        runs["jax associative_scan"] = jax_scan(a, b, g)
    if large:  # the rest would take minutes, and memory
        runs = {name: runs[name] for name in list(runs)[:3]}
    expected = runs["compiled kernel"]()
    failed = {}
    for name, run in runs.items():
        try:
            torch.testing.assert_close(run(), expected, rtol=1e-3, atol=1e-3)
        except (RuntimeError, NotImplementedError) as error:
            failed[name] = str(error).strip().splitlines()[0]
    runs = {name: run for name, run in runs.items() if name not in failed}
    runs |= {"cumsum (floor)": cumsum(b, g), "copies (floor)": copies(b, 0)}
    runs["copies to new memory"] = copies(b, 3)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            times[name].append(1e3 * seconds(run, calls))
    base = statistics.median(times["compiled kernel"])
    kind = str(dtype).removeprefix("torch.")
    print(f"\n{shape}, {kind}, {repeats} repeats of {calls} calls")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"  {name:24}{median:10.3f} ms  (least {min(values):.3f}){median / base:9.2f} x")
    for name, reason in failed.items():
        print(f"  {name:24}  {reason}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    if given.repeats < 1:
        parser.error("--repeats must be at least 1")
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.environ["JAX_PLATFORMS"] = "cpu"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    try:
        import jax
    except ImportError:
        version = "jax not installed: left out"
    else:
        version = f"jax {jax.__version__}"
    print(f"torch {torch.__version__}, {version}; one thread, processor time")
    if not scan_native.serves(torch.zeros(1)):
        print("no C++ compiler: 'compiled kernel' is the torch fallback")
    print(f"torch's associative_scan, combine_mode='pointwise', on the CPU: {refusal()}")
    for shape, dtype, fewer in CASES:
        measure(shape, dtype, max(given.repeats // fewer, 1), "not installed" not in version)


if __name__ == "__main__":
    main()
