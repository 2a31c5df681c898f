// Groups of lanes on threads; the interface Python calls through ctypes.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "worker.h"

extern "C" int codesign_width() { return WIDTH; }

extern "C" void codesign_run(const Problem* s, const Run* r) {
  std::atomic<int> next(0);
  std::atomic<long long> taken(0), refined(0);
  std::vector<unsigned char> held(s->nodes, 0);
  for (int i = 0; i < s->held_count; i++) held[s->held[i]] = 1;
  auto work = [&]() {
    Worker workers[COLUMNS] = {};
    const bool noisy = r->noise_seed;
    const Size size = lay_out(*s, noisy, workers[0], nullptr, 0);
    char* memory = (char*)std::aligned_alloc(64, size);
    std::memset(memory, 0, size);
    for (int column = 0; column < COLUMNS; column++)
      lay_out(*s, noisy, workers[column], memory, column);
    for (int group = next++; group < r->groups; group = next++)
      for (int column = 0; column < COLUMNS; column++)
        run_group(*s, *r, workers[column], held.data(), group, column);
    std::free(memory);
    for (const Worker& worker : workers) {
      taken += worker.taken;
      refined += worker.refined;
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < r->threads && i < r->groups; i++) others.emplace_back(work);
  work();
  for (auto& t : others) t.join();
  r->count[0] = taken;
  r->count[1] = refined;
}
