// Groups of lanes on threads; the interface Python calls through ctypes.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "step.h"

struct Run {  // arrays of the caller; lane arrays are (groups, ..., LANES)
  const float *shift, *gain;    // (groups, devices, LANES)
  const float* inputs;          // (clips, frames, inputs): nanoamperes
  const int* clip;              // (groups, LANES)
  const float* steps[2];        // first frame, later frames: (steps, 3 + driven): dt, edge, restart, volts
  int step_count[2], sample_step[2];
  int frames, groups, threads, waves;
  float* probes;                // (groups, frames, probes + readouts, LANES): nanoamperes
  double* energy;               // (groups, supplies, LANES): nanoampere microseconds
  int* flags;                   // (groups, LANES)
  float* wave;                  // (waves, all steps, nodes + probes + readouts + supplies, LANES)
  long long* count;             // (3): steps taken, refined, sweeps of the bias point
  int probe_count;
  const int* noise_seed;        // (groups, LANES), or null
  const NoiseModel* noise;
};

namespace {

struct Arena {
  std::vector<void*> blocks;
  ~Arena() { for (void* b : blocks) std::free(b); }
  V* take(size_t n) {
    void* p = std::aligned_alloc(64, sizeof(V) * (n ? n : 1));
    std::memset(p, 0, sizeof(V) * (n ? n : 1));
    blocks.push_back(p);
    return (V*)p;
  }
};

struct Worker {
  const Problem& s;
  const Run& r;
  Arena arena;
  Lanes l;
  Noise noise;
  double tick_start = 0;
  int tick = 0;
  V *from, *to;                 // injected currents of the frame before and of this one
  V* energy;                    // (supplies)
  V* predicted;                 // (watched): where a node would be at the pace of the last step
  std::vector<int> stamps;
  std::vector<Latency> latencies;
  std::vector<float> driven0;
  long long taken = 0, refined = 0;
  float last_dt = 1.f;
  double time = 0;              // since the start, microseconds

  Worker(const Problem& s, const Run& r) : s(s), r(r), driven0(s.driven_count) {
    l.v = arena.take(s.nodes);
    l.before = arena.take(s.nodes);
    l.q = arena.take(s.nodes);
    l.q_before = arena.take(s.nodes);
    l.q_older = arena.take(s.nodes);
    l.base = arena.take((size_t)s.bases * BASE);
    l.injected = arena.take(s.inputs);
    l.readout = arena.take(s.readouts);
    l.slot = arena.take(s.slots);
    l.announced = arena.take(s.nodes);
    l.weight = arena.take(s.nodes);
    predicted = arena.take(s.watched_count);
    stamps.resize(s.nodes + s.inputs);
    latencies.resize(s.operations);
    l.stamp = stamps.data();
    l.latency = latencies.data();
    from = arena.take(s.inputs);
    to = arena.take(s.inputs);
    energy = arena.take(s.supplies);
    l.noise = nullptr;
    if (r.noise_seed) prepare_noise();

  }

  void load_inputs(int group, int frame, V* into) {
    for (int i = 0; i < s.inputs; i++)
      for (int k = 0; k < LANES; k++)
        set_lane(into[i], k, r.inputs[((size_t)r.clip[group * LANES + k] * r.frames + frame) * s.inputs + i]);
  }

  void prepare_noise() {
    noise.model = r.noise;
    for (int i = 0; i < 3; i++) {
      noise.from[i] = arena.take(s.nodes);
      noise.to[i] = arena.take(s.nodes);
    }
    noise.white = arena.take(s.nodes);
    for (int p = 0; p < 2; p++) {
      noise.flicker[p] = arena.take(s.nodes);
      noise.ladder[p] = arena.take((size_t)s.nodes * POLES);
    }
  }

  void start_noise(int group) {
    for (int i = 0; i < s.nodes; i++) {
      for (int k = 0; k < 3; k++) noise.from[k][i] = noise.to[k][i] = set(0.f);
      noise.white[i] = noise.flicker[0][i] = noise.flicker[1][i] = set(0.f);
    }
    for (int p = 0; p < 2; p++)
      for (int i = 0; i < s.nodes * POLES; i++) noise.ladder[p][i] = set(0.f);
    int seeds[LANES];
    for (int k = 0; k < LANES; k++) seeds[k] = r.noise_seed[group * LANES + k];
    std::memcpy(&noise.seed, seeds, sizeof seeds);
    tick = 0;
    tick_start = 0;
    next_tick(*r.noise, noise, s.nodes, tick);
    l.noise = &noise;
  }

  // All nodes at the currents of the first frame; returns the lanes that did not settle.
  I bias_point(std::vector<unsigned char>& held) {
    for (int i = 0; i < s.nodes; i++) {
      l.v[i] = set(s.start_v[i]);
      l.q[i] = set(0.f);
    }
    I open = mask(set(0.f) == set(0.f));
    for (int pass = 0; pass < 200; pass++) {
      std::memcpy(l.before, l.v, sizeof(V) * s.nodes);
      std::memcpy(l.q_before, l.q, sizeof(V) * s.nodes);
      l.force = true;
      // Pseudo-transient first, then the true bias point.
      const float rate = pass > 0 && pass < 40 ? 1e-3f : 0.f;
      open = sweep(s, l, Method{rate, -rate, 0.f}, true, held.data());
      V moved = set(0.f);
      for (int i = 0; i < s.nodes; i++) moved = vmax(moved, vabs(l.v[i] - l.before[i]));
      if (pass >= 42 && !any(open) && !any(mask(moved > 2e-6f))) break;
    }
    return open;
  }

  // One step: sources move linearly between their values at both ends. l.v holds the point before
  // and, when it is done, the point reached; l.before and l.older follow.
  void advance(const float* driven_from, const float* driven_to, float edge_from, float edge_to,
               float dt, bool restart, int depth) {
    const float ratio = restart ? 0.f : dt / last_dt, rate = 1.f / dt;
    const Method method = restart ? Method{rate, -rate, 0.f}
                                  : Method{(1 + 2 * ratio) / (1 + ratio) * rate,
                                           -(1 + ratio) * rate,
                                           ratio * ratio / (1 + ratio) * rate};
    for (int i = 0; i < s.nodes; i++) {
      const V moved = clamp((l.v[i] - l.before[i]) * ratio, 0.1f);
      l.before[i] = l.v[i];
      l.q_older[i] = l.q_before[i];
      l.q_before[i] = l.q[i];
      l.v[i] += moved;  // where it would go at the pace of the last step
    }
    for (int i = 0; i < s.watched_count; i++) predicted[i] = l.v[s.watched[i]];
    l.sweep++;
    l.dt = dt;
    l.time = time + dt;
    for (int i = 0; i < s.driven_count; i++) {
      l.v[s.driven[i]] = set(driven_to[i]);
      if (driven_to[i] != driven_from[i]) l.stamp[s.driven[i]] = l.sweep;
    }
    for (int i = 0; i < s.inputs; i++) {
      l.injected[i] = from[i] + (to[i] - from[i]) * edge_to;
      if (edge_from != edge_to) l.stamp[s.nodes + i] = l.sweep;
    }
    if (l.noise) noise.part = (float)((l.time - tick_start) / r.noise->tick_us);
    const V flags = l.flags;
    I failed = sweep(s, l, method, false, nullptr);
    V moved = set(0.f), surprise = set(0.f);
    for (int i = 0; i < s.watched_count; i++) {
      const int n = s.watched[i];
      moved = vmax(moved, vabs(l.v[n] - l.before[n]));
      surprise = vmax(surprise, vabs(l.v[n] - predicted[i]));
    }
    taken++;
    // A cell that tips over does so from a slow start: a long step must not overlook it.
    const bool far = any(mask(moved > s.watch_limit_v)) ||
                     (dt > s.long_us && any(mask(surprise > s.surprise_v)));
    if (depth < s.depth && (far || any(failed))) {
      refined++;
      for (int i = 0; i < s.nodes; i++) {
        // As it was, without a pace: the step just tried has shown that the pace has changed.
        l.v[i] = l.before[i];
        l.q[i] = l.q_before[i];
        l.q_before[i] = l.q_older[i];
      }
      l.flags = flags;
      l.retried = l.sweep;
      std::vector<float> middle(s.driven_count);
      for (int i = 0; i < s.driven_count; i++)
        middle[i] = 0.5f * (driven_from[i] + driven_to[i]);
      const float edge = 0.5f * (edge_from + edge_to);
      advance(driven_from, middle.data(), edge_from, edge, 0.5f * dt, restart, depth + 1);
      advance(middle.data(), driven_to, edge, edge_to, 0.5f * dt, false, depth + 1);
      return;
    }
    l.force = false;
    last_dt = dt;
    time += dt;
    if (any(failed))
      l.flags = where(failed, set((float)FLAG_CONVERGENCE), l.flags);
    for (int i = 0; i < s.slots; i++) energy[s.slot_supply[i]] += l.slot[i] * dt;
  }

  void read(V* into) {
    for (int i = 0; i < r.probe_count; i++) {
      const int* p = s.probes + 5 * i;
      V current, slope;
      diode(s, s.model[p[0]], p[3], sense(s, p[0], l.v[p[1]]), l.shift[p[2]], l.gain[p[2]],
            current, slope);
      into[i] = current;
    }
    for (int i = 0; i < s.readouts; i++) into[r.probe_count + i] = l.readout[i];
  }

  void run(int group) {
    l.shift = (const V*)r.shift + (size_t)group * s.devices;
    l.gain = (const V*)r.gain + (size_t)group * s.devices;
    l.flags = set(0.f);
    std::vector<unsigned char> held(s.nodes, 0);
    for (int i = 0; i < s.held_count; i++) held[s.held[i]] = 1;
    load_inputs(group, 0, from);
    load_inputs(group, 0, to);
    for (int i = 0; i < s.inputs; i++) l.injected[i] = to[i];
    l.noise = nullptr;
    const I lost = bias_point(held);
    l.flags = where(lost, set((float)FLAG_CONVERGENCE), set(0.f));
    for (int i = 0; i < s.supplies; i++) energy[i] = set(0.f);
    time = 0;
    l.sweep = 0;
    l.retried = -1;
    l.force = true;
    std::fill(stamps.begin(), stamps.end(), -1);
    if (r.noise_seed) start_noise(group);
    for (int i = 0; i < s.driven_count; i++) driven0[i] = s.start_v[s.driven[i]];
    V* out = (V*)r.probes + (size_t)group * r.frames * (r.probe_count + s.readouts);
    const int columns = s.nodes + r.probe_count + s.readouts + s.supplies;
    V* wave = group < r.waves
        ? (V*)r.wave + (size_t)group * (r.step_count[0] + (size_t)(r.frames - 1) * r.step_count[1])
              * columns
        : nullptr;
    for (int frame = 0; frame < r.frames; frame++) {
      const int kind = frame ? 1 : 0, width = 3 + s.driven_count;
      if (frame) {
        std::memcpy(from, to, sizeof(V) * s.inputs);
        load_inputs(group, frame, to);
      }
      float edge = 0.f;
      for (int k = 0; k < r.step_count[kind]; k++) {
        const float* step = r.steps[kind] + (size_t)k * width;
        if (l.noise && time > tick_start + r.noise->tick_us - 1e-3) {
          tick_start += r.noise->tick_us;
          next_tick(*r.noise, noise, s.nodes, ++tick);
        }
        advance(driven0.data(), step + 3, edge, step[1], step[0], step[2] != 0.f, 0);
        edge = step[1];
        std::copy(step + 3, step + width, driven0.begin());
        if (k == r.sample_step[kind]) {
          read(out);
          out += r.probe_count + s.readouts;
        }
        if (wave) {
          std::memcpy(wave, l.v, sizeof(V) * s.nodes);
          read(wave + s.nodes);
          V* supply = wave + s.nodes + r.probe_count + s.readouts;
          for (int i = 0; i < s.supplies; i++) supply[i] = set(0.f);
          for (int i = 0; i < s.slots; i++) supply[s.slot_supply[i]] += l.slot[i];
          wave += columns;
        }
      }
    }
    double* e = r.energy + (size_t)group * s.supplies * LANES;
    for (int i = 0; i < s.supplies; i++)
      for (int k = 0; k < LANES; k++) e[i * LANES + k] = lane(energy[i], k);
    for (int k = 0; k < LANES; k++) r.flags[group * LANES + k] = (int)lane(l.flags, k);
  }
};

}  // namespace

extern "C" int codesign_lanes() { return LANES; }

extern "C" void codesign_run(const Problem* s, const Run* r) {
  std::atomic<int> next(0);
  std::atomic<long long> taken(0), refined(0);
  auto work = [&]() {
    Worker worker(*s, *r);
    for (int group = next++; group < r->groups; group = next++) worker.run(group);
    taken += worker.taken;
    refined += worker.refined;
  };
  std::vector<std::thread> others;
  for (int i = 1; i < r->threads && i < r->groups; i++) others.emplace_back(work);
  work();
  for (auto& t : others) t.join();
  r->count[0] = taken;
  r->count[1] = refined;
}
