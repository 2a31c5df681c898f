// The kernel on a GPU: one thread per sample. What it computes is worker.h, as on a processor;
// only the launch is here. Compiled at run time by codesign/engine/native/cuda.py.
#include "worker.h"

// Structures come as Python has them.
static_assert(sizeof(Problem) == PROBLEM_BYTES && sizeof(Run) == RUN_BYTES &&
              sizeof(NoiseModel) == NOISE_BYTES, "structures.py and the headers differ");

// Bytes of working memory of one block of threads.
extern "C" __global__ void codesign_memory(const __grid_constant__ Problem s, int noisy,
                                           unsigned long long* size) {
  Worker worker{};
  *size = lay_out(s, noisy != 0, worker, nullptr, 0);
}

// Blocks of COLUMNS threads; block b takes the groups b, b + blocks, ... and its part of `memory`,
// which is zero at first. `held` (nodes): kept at their start while the bias point is found.
extern "C" __global__ void __launch_bounds__(COLUMNS)
    codesign_run(const __grid_constant__ Problem s, const __grid_constant__ Run r,
                 const unsigned char* held, char* memory, unsigned long long size) {
  Worker worker{};
  const int column = threadIdx.x;
  lay_out(s, r.noise_seed != nullptr, worker, memory + blockIdx.x * size, column);
  for (int group = blockIdx.x; group < r.groups; group += gridDim.x)
    run_group(s, r, worker, held, group, column);
  unsigned long long* count = (unsigned long long*)r.count;
  atomicAdd(count, (unsigned long long)worker.taken);
  atomicAdd(count + 1, (unsigned long long)worker.refined);
}
