// What the kernels of the cells share: vectors of numbers, and the walk over a tensor.
//
// Tensors are [N, T, D], contiguous: rows, frames, lanes. Rows and lanes are independent, so a
// kernel advances some slots together through the frames; a slot is one vector of neighbouring
// lanes of one row. The lanes of a row are cut into vectors of 64 bytes, then 16, then single
// numbers, the same wherever the row lies and whatever thread has it: so are the results.
#pragma once

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

typedef std::int64_t Index;
#define INLINE static inline __attribute__((always_inline))

struct Shape {
  Index rows, frames, lanes;
};

// N reals side by side: N real numbers, or N / 2 complex ones as they lie in memory.
template <class F, int N>
struct Vector {
  typedef F type __attribute__((vector_size(N * sizeof(F))));
  typedef F loose __attribute__((vector_size(N * sizeof(F)), aligned(sizeof(F)), may_alias));
  static type load(const F* from) { return *(const loose*)from; }
  static void store(F* to, type x) { *(loose*)to = x; }
};

// Slots count * W lanes apart in a row: where each begins, in numbers from the tensor's first one.
constexpr int MOST = 64;
struct Slots {
  int count;
  Index row[MOST], lane[MOST];
};

// K slots at once, or any count of them where K is 0. Work::run<BYTES, K> has the arithmetic;
// TOGETHER is the K that fills the registers, and keeps sums in flight.
template <int BYTES, int K, class Work>
void batches(const Work& work, Index first, Index last, Index lane, Index per_row, Index width,
             Index& done, Index total) {
  const int size = K ? K : MOST;
  while (total - done >= (K ? K : 1)) {
    Slots slots;
    slots.count = (int)std::min<Index>(size, total - done);
    for (int j = 0; j < slots.count; j++, done++) {
      slots.row[j] = first + done / per_row;
      slots.lane[j] = lane + done % per_row * width;
    }
    work.template run<BYTES, K>(slots);
  }
}

// Lanes [lane, lane + per_row * width) of rows [first, last), in vectors of BYTES.
template <int BYTES, class Work>
void vectors(const Work& work, Index first, Index last, Index lane, Index per_row, Index width) {
  Index done = 0;
  const Index total = (last - first) * per_row;
  // Wide rows: many vectors of a row at once, or every frame would touch a new page.
  if (BYTES == 64 && per_row >= 8)
    return batches<BYTES, 0>(work, first, last, lane, per_row, width, done, total);
  batches<BYTES, Work::TOGETHER>(work, first, last, lane, per_row, width, done, total);
  batches<BYTES, 1>(work, first, last, lane, per_row, width, done, total);
}

template <class Work>
void cover(const Work& work, Index first, Index last, Index lane, Index end) {
  constexpr Index size = Work::BYTES_PER_LANE;
  const Index wide = (end - lane) * size / 64;
  if (wide) vectors<64>(work, first, last, lane, wide, 64 / size);
  lane += wide * 64 / size;
  if (size < 16) {
    const Index middle = (end - lane) * size / 16;
    if (middle) vectors<16>(work, first, last, lane, middle, 16 / size);
    lane += middle * 16 / size;
  }
  if (lane < end) vectors<size>(work, first, last, lane, end - lane, 1);
}

// The tensor on some threads: parts of the rows, or of the lanes where rows are few.
template <class Work>
void walk(const Work& work, const Shape& shape, int threads) {
  if (threads <= 1) return cover(work, 0, shape.rows, 0, shape.lanes);
  const bool by_rows = shape.rows >= threads;
  constexpr Index wide = 64 / Work::BYTES_PER_LANE;
  const Index extent = by_rows ? shape.rows : (shape.lanes + wide - 1) / wide;
  auto part = [&](int number) {
    const Index from = extent * number / threads, to = extent * (number + 1) / threads;
    if (by_rows)
      cover(work, from, to, 0, shape.lanes);
    else
      cover(work, 0, shape.rows, from * wide, std::min(to * wide, shape.lanes));
  };
  std::vector<std::thread> others;
  for (int number = 1; number < threads; number++) others.emplace_back(part, number);
  part(0);
  for (auto& other : others) other.join();
}
