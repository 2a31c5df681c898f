"""The product's scan against a loop over unbind under autograd, forward and backward.

    python benchmarks/scan.py --repeats 20

Both run in turn in one process on one thread, on the same tensors; the loop is the fast form of
a plain loop (slicing a[:, t] instead would make its backward quadratic in the frames). Prints
the median of the repeats in milliseconds, their least, and the ratio of the medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from codesign.cells import linear_scan

SHAPES = ((32, 101, 16), (32, 4096, 16))
Scan = Callable[[Tensor, Tensor], Tensor]


def unbind_loop(a: Tensor, b: Tensor) -> Tensor:
    """h_t = a_t h_{t-1} + b_t from h_0 = 0, recorded by autograd step by step."""
    h = torch.zeros_like(b[:, 0])
    states = []
    for factor, term in zip(a.unbind(1), b.unbind(1), strict=True):
        h = torch.addcmul(term, factor, h)
        states.append(h)
    return torch.stack(states, dim=1)


def once(scan: Scan, a: Tensor, b: Tensor, arriving: Tensor) -> tuple[float, tuple[Tensor, ...]]:
    """Milliseconds of one forward and backward, and the states and gradients it gave."""
    start = time.perf_counter()
    states = scan(a, b)
    gradients = torch.autograd.grad(states, (a, b), arriving)
    return 1e3 * (time.perf_counter() - start), (states.detach(), *gradients)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.repeats < 1:
        parser.error("--repeats must be at least 1")
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(given.seed)
    print(f"torch {torch.__version__}, 1 thread, float32, {given.repeats} repeats in turn")
    print(f"{'clips, frames, units':>22}{'scan ms (least)':>20}{'loop ms (least)':>20}{'ratio':>8}")
    for shape in SHAPES:
        # A latch, as the cell makes it: mostly holding.
        hold = (torch.rand(shape, generator=generator) < 0.9).float()
        b = (1 - hold) * torch.rand(shape, generator=generator)
        arriving = torch.randn(shape, generator=generator)
        tensors = hold.requires_grad_(), b.requires_grad_(), arriving
        (_, found), (_, expected) = once(linear_scan, *tensors), once(unbind_loop, *tensors)
        torch.testing.assert_close(found, expected)
        scan, loop = [], []
        for _ in range(given.repeats):
            scan.append(once(linear_scan, *tensors)[0])
            loop.append(once(unbind_loop, *tensors)[0])
        ms = [f"{statistics.median(times):.2f} ({min(times):.2f})" for times in (scan, loop)]
        ratio = statistics.median(loop) / statistics.median(scan)
        print(f"{shape!s:>22}{ms[0]:>20}{ms[1]:>20}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
