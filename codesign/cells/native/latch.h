// The bistable cell, softened for training, over candidates [N, T, D]; fq_bmru.py has the equations.
//
// Forward: two comparisons choose what happens to the state; every branch computes exactly what the
// composition of torch operations does. Backward: comparisons are made again from the candidate
// (cheaper than reading masks), both surrogates come from one division, and sums over frames stay
// in registers: one number per row and lane for each parameter.
#pragma once

#include "lanes.h"

template <class F>
struct Latch {
  Shape shape;
  const F* candidate;
  const F *beta_hi, *width, *alpha;  // [N], or [N, D] where per_lane
  const F* initial;                  // [N, D], or null for 0
  const std::uint8_t* resets;        // [N, T, D], or null
  F leak, rest, sharpness;           // eps, 1 - eps, s
  int per_lane;

  template <class Math>
  typename Math::V parameter(const F* from, Index row, Index lane) const {
    if (per_lane) return Math::load(from + row * shape.lanes + lane);
    return from[row] - typename Math::V{};
  }
};

// A vector of reals, and where the byte of a reset is set.
template <class F, int N>
struct Reals : Vector<F, N> {
  typedef typename Vector<F, N>::type V;
  typedef std::uint8_t Bytes __attribute__((vector_size(N), aligned(1), may_alias));

  static V zero_where(const std::uint8_t* set, V x) {
    return __builtin_convertvector(*(const Bytes*)set, V) > 0 ? V{} : x;
  }
};

template <class F>
struct LatchForward {
  static constexpr Index BYTES_PER_LANE = sizeof(F);
  static constexpr int TOGETHER = 4;
  Latch<F> latch;
  F* h;

  template <int BYTES, int K>
  void run(const Slots& slots) const {
    typedef Reals<F, BYTES / sizeof(F)> Math;
    typedef typename Math::V V;
    const int count = K ? K : slots.count;
    const Index step = latch.shape.lanes;
    Index at[K ? K : MOST];
    V state[K ? K : MOST], hi[K ? K : MOST], lo[K ? K : MOST], level[K ? K : MOST];
    for (int j = 0; j < count; j++) {
      const Index row = slots.row[j], lane = slots.lane[j];
      at[j] = row * latch.shape.frames * step + lane;
      hi[j] = latch.template parameter<Math>(latch.beta_hi, row, lane);
      lo[j] = hi[j] - latch.template parameter<Math>(latch.width, row, lane);
      level[j] = latch.rest * latch.template parameter<Math>(latch.alpha, row, lane);
      state[j] = V{};
      if (latch.initial) state[j] = Math::load(latch.initial + row * step + lane);
    }
    const V leak = latch.leak - V{};
    for (Index t = 0; t < latch.shape.frames; t++)
      for (int j = 0; j < count; j++) {
        const Index i = at[j] + t * step;
        const V c = Math::load(latch.candidate + i);
        if (latch.resets) state[j] = Math::zero_where(latch.resets + i, state[j]);
        const V fallen = leak * state[j] + (c > hi[j] ? level[j] : V{});
        state[j] = (c > lo[j]) & (c <= hi[j]) ? state[j] : fallen;
        Math::store(h + i, state[j]);
      }
  }
};

template <class F>
struct LatchBackward {
  static constexpr Index BYTES_PER_LANE = sizeof(F);
  static constexpr int TOGETHER = 2;  // as many as the registers hold
  Latch<F> latch;
  const F *h, *arriving;
  F* to_candidate;                                // [N, T, D]
  F *to_beta_hi, *to_width, *to_alpha;            // [N, D], the sums over the frames
  F* to_initial;                                  // [N, D], or null where it is not wanted

  template <int BYTES, int K>
  void run(const Slots& slots) const {
    typedef Reals<F, BYTES / sizeof(F)> Math;
    typedef typename Math::V V;
    const int count = K ? K : slots.count;
    const Index step = latch.shape.lanes;
    Index at[K ? K : MOST], start[K ? K : MOST];
    V carried[K ? K : MOST], hi[K ? K : MOST], lo[K ? K : MOST], level[K ? K : MOST];
    V all[K ? K : MOST], lower[K ? K : MOST], set[K ? K : MOST];
    for (int j = 0; j < count; j++) {
      const Index row = slots.row[j], lane = slots.lane[j];
      at[j] = row * latch.shape.frames * step + lane;
      start[j] = row * step + lane;
      hi[j] = latch.template parameter<Math>(latch.beta_hi, row, lane);
      lo[j] = hi[j] - latch.template parameter<Math>(latch.width, row, lane);
      level[j] = latch.rest * latch.template parameter<Math>(latch.alpha, row, lane);
      carried[j] = all[j] = lower[j] = set[j] = V{};
    }
    const F zeros[BYTES / sizeof(F)] = {};
    const F slope = F(3.14159265358979323846) * latch.sharpness;
    for (Index t = latch.shape.frames - 1; t >= 0; t--)
      for (int j = 0; j < count; j++) {
        const Index i = at[j] + t * step;
        const F* earlier = t ? h + i - step : latch.initial ? latch.initial + start[j] : zeros;
        const V c = Math::load(latch.candidate + i);
        const V total = Math::load(arriving + i) + carried[j];
        V before = Math::load(earlier);
        if (latch.resets) before = Math::zero_where(latch.resets + i, before);
        const auto above = c > hi[j], inside = c > lo[j];
        // 1 + (pi s x)^2 of both surrogates; s over one is s over both times the other.
        const V from_hi = slope * (c - hi[j]), from_lo = slope * (c - lo[j]);
        const V under_hi = from_hi * from_hi + 1, under_lo = from_lo * from_lo + 1;
        const V both = latch.sharpness / (under_hi * under_lo);
        const V by_hold = total * before * latch.rest;
        const V by_above = total * level[j] - (inside ? by_hold : V{});
        const V through_lo = (above ? V{} : by_hold) * (under_hi * both);
        const V through = by_above * (under_lo * both) + through_lo;
        Math::store(to_candidate + i, through);
        all[j] += through;
        lower[j] += through_lo;
        set[j] += above ? total : V{};
        carried[j] = inside & ~above ? total : latch.leak * total;
        if (latch.resets) carried[j] = Math::zero_where(latch.resets + i, carried[j]);
      }
    for (int j = 0; j < count; j++) {
      Math::store(to_beta_hi + start[j], -all[j]);
      Math::store(to_width + start[j], lower[j]);
      Math::store(to_alpha + start[j], latch.rest * set[j]);
      if (to_initial) Math::store(to_initial + start[j], carried[j]);
    }
  }
};
