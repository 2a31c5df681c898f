// What ctypes calls: every kernel for every type of number.

#include <sys/mman.h>

#include "latch.h"
#include "scan.h"

#define SCAN(name, F, COMPLEX)                                                                    \
  extern "C" void scan_forward_##name(const F* a, const F* b, const F* initial, F* h, Index rows, \
                                      Index frames, Index lanes, int threads) {                   \
    const Shape shape{rows, frames, lanes};                                                       \
    walk(ScanForward<F, COMPLEX>{shape, a, b, initial, h}, shape, threads);                           \
  }                                                                                               \
  extern "C" void scan_backward_##name(const F* a, const F* h, const F* initial,                  \
                                       const F* arriving, F* to_a, F* to_b, F* to_initial,        \
                                       Index rows, Index frames, Index lanes, int threads) {      \
    const Shape shape{rows, frames, lanes};                                                       \
    walk(ScanBackward<F, COMPLEX>{shape, a, h, initial, arriving, to_a, to_b, to_initial}, shape,     \
         threads);                                                                                \
  }

SCAN(float32, float, false)
SCAN(float64, double, false)
SCAN(complex64, float, true)
SCAN(complex128, double, true)

#define LATCH(name, F)                                                                            \
  extern "C" void latch_forward_##name(const Latch<F>* latch, F* h, int threads) {                \
    walk(LatchForward<F>{*latch, h}, latch->shape, threads);                                      \
  }                                                                                               \
  extern "C" void latch_backward_##name(const Latch<F>* latch, const F* h, const F* arriving,     \
                                        F* to_candidate, F* to_beta_hi, F* to_width, F* to_alpha, \
                                        F* to_initial, int threads) {                             \
    walk(LatchBackward<F>{*latch, h, arriving, to_candidate, to_beta_hi, to_width, to_alpha,      \
                          to_initial},                                                            \
         latch->shape, threads);                                                                  \
  }

LATCH(float32, float)
LATCH(float64, double)

// Ask for large pages where memory is about to be written for the first time: one fault of the
// system instead of 512, which cost more than the scan itself.
extern "C" void large_pages(char* memory, Index bytes) {
#ifdef MADV_HUGEPAGE
  const std::uintptr_t page = 4096, from = ((std::uintptr_t)memory + page - 1) / page * page;
  const std::uintptr_t to = ((std::uintptr_t)memory + bytes) / page * page;
  if (to > from) madvise((void*)from, to - from, MADV_HUGEPAGE);
#else
  (void)memory, (void)bytes;
#endif
}
