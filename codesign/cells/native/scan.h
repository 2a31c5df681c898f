// h_t = a_t h_{t-1} + b_t over [N, T, D], and its backward; scan.py has the equations.
#pragma once

#include <utility>

#include "lanes.h"

// Arithmetic on a vector of real numbers, or of complex ones (re, im, re, im, ...).
template <class F, bool COMPLEX, int N>
struct Numbers : Vector<F, N> {
  typedef typename Vector<F, N>::type V;

  // a b + c; the first factor conjugated or not.
  template <bool CONJUGATE>
  static V multiply_add(V a, V b, V c) {
    if constexpr (COMPLEX)
      return complex<CONJUGATE>(a, b, c, std::make_integer_sequence<int, N>());
    else
      return a * b + c;
  }

  template <bool CONJUGATE, int... I>
  static V complex(V a, V b, V c, std::integer_sequence<int, I...>) {
    const V sign = {((I % 2 == 0) == CONJUGATE ? F(1) : F(-1))...};
#if defined(__clang__) || __GNUC__ >= 12
    const V real = __builtin_shufflevector(a, a, (I & ~1)...);
    const V imaginary = __builtin_shufflevector(a, a, (I | 1)...);
    const V swapped = __builtin_shufflevector(b, b, (I ^ 1)...);
#else
    const V real = {a[I & ~1]...}, imaginary = {a[I | 1]...}, swapped = {b[I ^ 1]...};
#endif
    return real * b + (imaginary * sign * swapped + c);
  }
};

template <class F, bool COMPLEX>
struct ScanForward {
  static constexpr int PER_LANE = COMPLEX ? 2 : 1;
  static constexpr Index BYTES_PER_LANE = PER_LANE * sizeof(F);
  static constexpr int TOGETHER = 4;
  Shape shape;
  const F *a, *b, *initial;  // initial [N, D], or null for 0
  F* h;

  template <int BYTES, int K>
  void run(const Slots& slots) const {
    typedef Numbers<F, COMPLEX, BYTES / sizeof(F)> Math;
    const int count = K ? K : slots.count;
    const Index step = shape.lanes * PER_LANE;
    Index at[K ? K : MOST];
    typename Math::V state[K ? K : MOST];
    for (int j = 0; j < count; j++) {
      const Index lane = slots.lane[j] * PER_LANE;
      at[j] = slots.row[j] * shape.frames * step + lane;
      state[j] = typename Math::V{};
      if (initial) state[j] = Math::load(initial + slots.row[j] * step + lane);
    }
    for (Index t = 0; t < shape.frames; t++)
      for (int j = 0; j < count; j++) {
        const Index i = at[j] + t * step;
        state[j] = Math::template multiply_add<false>(Math::load(a + i), state[j], Math::load(b + i));
        Math::store(h + i, state[j]);
      }
  }
};

template <class F, bool COMPLEX>
struct ScanBackward {
  static constexpr int PER_LANE = COMPLEX ? 2 : 1;
  static constexpr Index BYTES_PER_LANE = PER_LANE * sizeof(F);
  static constexpr int TOGETHER = 4;
  Shape shape;
  const F *a, *h, *initial, *arriving;
  F *to_a, *to_b, *to_initial;  // the gradients; to_a and to_initial null where not wanted

  template <int BYTES, int K>
  void run(const Slots& slots) const {
    typedef Numbers<F, COMPLEX, BYTES / sizeof(F)> Math;
    typedef typename Math::V V;
    const int count = K ? K : slots.count;
    const Index step = shape.lanes * PER_LANE;
    Index at[K ? K : MOST];
    V total[K ? K : MOST];
    for (int j = 0; j < count; j++) {
      at[j] = slots.row[j] * shape.frames * step + slots.lane[j] * PER_LANE;
      total[j] = Math::load(arriving + at[j] + (shape.frames - 1) * step);
    }
    for (Index t = shape.frames - 1; t > 0; t--)
      for (int j = 0; j < count; j++) {
        const Index i = at[j] + t * step;
        Math::store(to_b + i, total[j]);
        if (to_a)
          Math::store(to_a + i,
                      Math::template multiply_add<true>(Math::load(h + i - step), total[j], V{}));
        total[j] = Math::template multiply_add<true>(Math::load(a + i), total[j],
                                                     Math::load(arriving + i - step));
      }
    for (int j = 0; j < count; j++) {
      const Index i = at[j], start = slots.row[j] * step + slots.lane[j] * PER_LANE;
      Math::store(to_b + i, total[j]);
      V before{};
      if (initial) before = Math::load(initial + start);
      if (to_a) Math::store(to_a + i, Math::template multiply_add<true>(before, total[j], V{}));
      if (to_initial)
        Math::store(to_initial + start,
                    Math::template multiply_add<true>(Math::load(a + i), total[j], V{}));
    }
  }
};
