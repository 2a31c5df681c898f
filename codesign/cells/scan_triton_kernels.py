"""The programs of ``scan_triton``, in Triton's own language; import only where Triton is.

Offsets count numbers; complex ones are pairs of reals, so their addresses are twice as far apart.
Each program has WIDTH lanes, of one row or of several, and walks the frames alone.
"""

import triton
import triton.language as tl


@triton.jit
def _times_conjugate(x_re, x_im, y_re, y_im):
    """conj(x) y."""
    return x_re * y_re + x_im * y_im, x_re * y_im - x_im * y_re


@triton.jit
def forward(
    a, b, initial, h, total, frames, lanes,
    HAS_INITIAL: tl.constexpr, COMPLEX: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """h_t = a_t h_{t-1} + b_t for lanes [program * WIDTH, ...) of ``total`` = rows * lanes."""
    index = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    there = index < total
    at = (index // lanes) * frames * lanes + index % lanes
    re = tl.zeros([WIDTH], dtype=h.dtype.element_ty)
    im = tl.zeros([WIDTH], dtype=h.dtype.element_ty)
    if COMPLEX:
        if HAS_INITIAL:
            re = tl.load(initial + 2 * index, mask=there, other=0.0)
            im = tl.load(initial + 2 * index + 1, mask=there, other=0.0)
        for _ in range(frames):
            a_re = tl.load(a + 2 * at, mask=there, other=0.0)
            a_im = tl.load(a + 2 * at + 1, mask=there, other=0.0)
            b_re = tl.load(b + 2 * at, mask=there, other=0.0)
            b_im = tl.load(b + 2 * at + 1, mask=there, other=0.0)
            new_re = a_re * re - a_im * im + b_re
            im = a_re * im + a_im * re + b_im
            re = new_re
            tl.store(h + 2 * at, re, mask=there)
            tl.store(h + 2 * at + 1, im, mask=there)
            at += lanes
    else:
        if HAS_INITIAL:
            re = tl.load(initial + index, mask=there, other=0.0)
        for _ in range(frames):
            factor = tl.load(a + at, mask=there, other=0.0)
            re = factor * re + tl.load(b + at, mask=there, other=0.0)
            tl.store(h + at, re, mask=there)
            at += lanes


@triton.jit
def backward(
    a, h, initial, arriving, to_a, to_b, to_initial, total, frames, lanes,
    HAS_INITIAL: tl.constexpr, WANTS_A: tl.constexpr, WANTS_INITIAL: tl.constexpr,
    COMPLEX: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """All gradients in one pass from the last frame to the first."""
    index = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    there = index < total
    at = (index // lanes) * frames * lanes + (frames - 1) * lanes + index % lanes
    if COMPLEX:
        re = tl.load(arriving + 2 * at, mask=there, other=0.0)
        im = tl.load(arriving + 2 * at + 1, mask=there, other=0.0)
        for _ in range(frames - 1):
            tl.store(to_b + 2 * at, re, mask=there)
            tl.store(to_b + 2 * at + 1, im, mask=there)
            earlier = at - lanes
            if WANTS_A:
                h_re = tl.load(h + 2 * earlier, mask=there, other=0.0)
                h_im = tl.load(h + 2 * earlier + 1, mask=there, other=0.0)
                by_re, by_im = _times_conjugate(h_re, h_im, re, im)
                tl.store(to_a + 2 * at, by_re, mask=there)
                tl.store(to_a + 2 * at + 1, by_im, mask=there)
            a_re = tl.load(a + 2 * at, mask=there, other=0.0)
            a_im = tl.load(a + 2 * at + 1, mask=there, other=0.0)
            by_re, by_im = _times_conjugate(a_re, a_im, re, im)
            re = tl.load(arriving + 2 * earlier, mask=there, other=0.0) + by_re
            im = tl.load(arriving + 2 * earlier + 1, mask=there, other=0.0) + by_im
            at = earlier
        tl.store(to_b + 2 * at, re, mask=there)
        tl.store(to_b + 2 * at + 1, im, mask=there)
        if WANTS_A:
            h_re = tl.zeros([WIDTH], dtype=h.dtype.element_ty)
            h_im = tl.zeros([WIDTH], dtype=h.dtype.element_ty)
            if HAS_INITIAL:
                h_re = tl.load(initial + 2 * index, mask=there, other=0.0)
                h_im = tl.load(initial + 2 * index + 1, mask=there, other=0.0)
            by_re, by_im = _times_conjugate(h_re, h_im, re, im)
            tl.store(to_a + 2 * at, by_re, mask=there)
            tl.store(to_a + 2 * at + 1, by_im, mask=there)
        if WANTS_INITIAL:
            a_re = tl.load(a + 2 * at, mask=there, other=0.0)
            a_im = tl.load(a + 2 * at + 1, mask=there, other=0.0)
            by_re, by_im = _times_conjugate(a_re, a_im, re, im)
            tl.store(to_initial + 2 * index, by_re, mask=there)
            tl.store(to_initial + 2 * index + 1, by_im, mask=there)
    else:
        re = tl.load(arriving + at, mask=there, other=0.0)
        for _ in range(frames - 1):
            tl.store(to_b + at, re, mask=there)
            earlier = at - lanes
            if WANTS_A:
                tl.store(to_a + at, tl.load(h + earlier, mask=there, other=0.0) * re, mask=there)
            factor = tl.load(a + at, mask=there, other=0.0)
            re = factor * re + tl.load(arriving + earlier, mask=there, other=0.0)
            at = earlier
        tl.store(to_b + at, re, mask=there)
        if WANTS_A:
            before = tl.zeros([WIDTH], dtype=h.dtype.element_ty)
            if HAS_INITIAL:
                before = tl.load(initial + index, mask=there, other=0.0)
            tl.store(to_a + at, before * re, mask=there)
        if WANTS_INITIAL:
            factor = tl.load(a + at, mask=there, other=0.0)
            tl.store(to_initial + index, factor * re, mask=there)
