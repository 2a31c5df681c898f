// One group of lanes (on a GPU: one sample) from its bias point to the last frame.
//
// The same code for processors and GPUs: working memory is handed in, nothing is allocated. Caller's
// arrays have the samples of a group side by side: (groups, ..., WIDTH).
#pragma once
#include "sweep.h"

using Size = decltype(sizeof(0));
constexpr int MOST_HALVINGS = 16;

struct Run {  // arrays of the caller
  const float *shift, *gain;    // (groups, devices, WIDTH)
  const float* inputs;          // (clips, frames, inputs): nanoamperes
  const int* clip;              // (groups, WIDTH)
  const float* steps[2];        // first frame, later frames: (steps, 3 + driven): dt, edge, restart, volts
  int step_count[2], sample_step[2];
  int frames, groups, threads, waves;
  float* probes;                // (groups, frames, probes + readouts, WIDTH): nanoamperes
  double* energy;               // (groups, supplies, WIDTH): nanoampere microseconds
  int* flags;                   // (groups, WIDTH)
  float* wave;                  // (waves, all steps, nodes + probes + readouts + supplies, WIDTH)
  long long* count;             // (2): steps taken, steps halved
  int probe_count;
  const int* noise_seed;        // (groups, WIDTH), or null
  const NoiseModel* noise;
};

// Working memory cut into arrays; without a start it only measures. On a GPU the threads of one
// column block share it, each with its column, so that neighbours touch neighbouring addresses.
struct Memory {
  char* start;
  int column;
  Size used;
};
template <class T>
FN T* take(Memory& m, Size count, Size offset) {
  T* block = (T*)(m.start + m.used) + offset;
  m.used += (count * sizeof(T) + 63) / 64 * 64;
  return block;
}
template <class T>
FN Rows<T> take_rows(Memory& m, Size count) {
  return rows_at(take<T>(m, count * COLUMNS, m.column));
}

// Rows of one group in an array of the caller, of which every group has `count`.
template <class T>
FN Rows<T> group_rows(T* array, int group, Size count, int column) {
  return rows_at(array + group * count * COLUMNS + column);
}
template <class T>
FN void copy_rows(Rows<T> to, Rows<T> from, int count) {
  for (int i = 0; i < count; i++) to[i] = from[i];
}
FN void fill(Rows<V> rows, int count) {
  for (int i = 0; i < count; i++) rows[i] = set(0.f);
}

// A step to be taken: sources move linearly between their values at both ends.
struct Stretch {
  const float *driven_from, *driven_to;
  float edge_from, edge_to, dt;
  bool restart;
  int depth;  // times that it was halved
};

struct Worker {
  Lanes l;
  Noise noise;
  Rows<V> from, to;             // injected currents of the frame before and of this one
  Rows<V> energy;               // (supplies)
  Rows<V> pace;                 // (watched): volts per microsecond in the last step
  float* driven;                // (MOST_HALVINGS + 1, driven): halfway at each depth, and the start
  double time;                  // since the start, microseconds
  double tick_start;
  float last_dt;
  int tick, depth;
  int taken, refined;           // steps so far; zero at first
};

// Cuts the memory of one worker (of one block of COLUMNS threads); returns its size in bytes.
FN Size lay_out(const Problem& s, bool noisy, Worker& w, char* start, int column) {
  Memory m{start, column, 0};
  Lanes& l = w.l;
  l.v = take_rows<V>(m, s.nodes);
  l.before = take_rows<V>(m, s.nodes);
  l.q = take_rows<V>(m, s.nodes);
  l.q_before = take_rows<V>(m, s.nodes);
  l.q_older = take_rows<V>(m, s.nodes);
  l.base = take_rows<V>(m, (Size)s.bases * BASE);
  l.injected = take_rows<V>(m, s.inputs);
  l.readout = take_rows<V>(m, s.readouts);
  l.slot = take_rows<V>(m, s.slots);
  l.fixed = take_rows<V>(m, (Size)s.fixed_groups * DRAIN);
  l.announced = take_rows<V>(m, s.nodes);
  l.weight = take_rows<V>(m, s.nodes);
  l.stamp = take_rows<int>(m, s.nodes + s.inputs);
  l.latency = take_rows<Latency>(m, s.operations);
  l.foreseen = take_rows<V>(m, s.watched_count);
  w.pace = take_rows<V>(m, s.watched_count);
  w.from = take_rows<V>(m, s.inputs);
  w.to = take_rows<V>(m, s.inputs);
  w.energy = take_rows<V>(m, s.supplies);
  const Size driven = (Size)(MOST_HALVINGS + 1) * s.driven_count;
  w.driven = take<float>(m, driven * COLUMNS, driven * column);
  if (noisy) {
    for (int i = 0; i < 3; i++) {
      w.noise.from[i] = take_rows<V>(m, s.nodes);
      w.noise.to[i] = take_rows<V>(m, s.nodes);
    }
    w.noise.white = take_rows<V>(m, s.nodes);
    for (int p = 0; p < 2; p++) {
      w.noise.flicker[p] = take_rows<V>(m, s.nodes);
      w.noise.ladder[p] = take_rows<V>(m, (Size)s.nodes * POLES);
    }
  }
  w.depth = s.depth < MOST_HALVINGS ? s.depth : MOST_HALVINGS;
  return m.used;
}

FN void load_inputs(const Problem& s, const Run& r, int group, int column, int frame, Rows<V> into) {
  for (int i = 0; i < s.inputs; i++)
    for (int k = 0; k < LANES; k++) {
      const Size clip = r.clip[group * WIDTH + column + k];
      set_lane(into[i], k, r.inputs[(clip * r.frames + frame) * s.inputs + i]);
    }
}

FN void start_noise(const Problem& s, const Run& r, Worker& w, int group, int column) {
  Noise& n = w.noise;
  n.model = r.noise;
  for (int k = 0; k < 3; k++) {
    fill(n.from[k], s.nodes);
    fill(n.to[k], s.nodes);
  }
  fill(n.white, s.nodes);
  for (int p = 0; p < 2; p++) {
    fill(n.flicker[p], s.nodes);
    fill(n.ladder[p], s.nodes * POLES);
  }
  for (int k = 0; k < LANES; k++)
    set_lane(n.seed, k, r.noise_seed[group * WIDTH + column + k]);
  w.tick = 0;
  w.tick_start = 0;
  next_tick(*r.noise, n, s.nodes, w.tick);
  w.l.noise = &n;
}

// All nodes at the currents of the first frame; returns the lanes that did not settle.
// `held` (nodes): kept at their start.
FN I bias_point(const Problem& s, Worker& w, const unsigned char* held) {
  Lanes& l = w.l;
  for (int i = 0; i < s.nodes; i++) {
    l.v[i] = set(s.start_v[i]);
    l.q[i] = set(0.f);
  }
  I open = mask(set(0.f) == set(0.f));
  l.settled = false;
  for (int pass = 0; pass < 200; pass++) {
    copy_rows(l.before, l.v, s.nodes);
    copy_rows(l.q_before, l.q, s.nodes);
    l.force = true;
    // Pseudo-transient first, then the true bias point.
    const float rate = pass > 0 && pass < 40 ? 1e-3f : 0.f;
    open = sweep(s, l, Method{rate, -rate, 0.f}, true, held);
    V moved = set(0.f);
    for (int i = 0; i < s.nodes; i++) moved = vmax(moved, vabs(l.v[i] - l.before[i]));
    if (pass >= 42 && !any(open) && !any(mask(moved > 2e-6f))) break;
  }
  l.settled = true;
  l.flags = set(0.f);
  sweep(s, l, Method{0.f, 0.f, 0.f}, true, held);
  return open;
}

// One step; false if it went too far and was taken back. l.v holds the point before and, when it is
// done, the point reached; l.before and the charges follow.
FN bool try_step(const Problem& s, const Run& r, Worker& w, const Stretch& x) {
  Lanes& l = w.l;
  const float ratio = x.restart ? 0.f : x.dt / w.last_dt, rate = 1.f / x.dt;
  const Method method = x.restart ? Method{rate, -rate, 0.f}
                                  : Method{(1 + 2 * ratio) / (1 + ratio) * rate,
                                           -(1 + ratio) * rate,
                                           ratio * ratio / (1 + ratio) * rate};
  // A cell that tips over does so from a slow start: a long step must not overlook it, and may not
  // take it far. Where the pace of the last step alone says so, the step is not even tried.
  l.long_step = x.dt > s.long_us;
  l.may_halve = x.depth < w.depth;
  V pace = set(0.f);
  for (int i = 0; i < s.watched_count; i++) {
    const int n = s.watched[i];
    const V moves = x.restart ? set(0.f) : w.pace[i] * x.dt;
    l.foreseen[i] = vmin(vmax(l.v[n] + moves, set(0.f)), set(s.vdd));
    pace = vmax(pace, vabs(l.foreseen[i] - l.v[n]));
  }
  if (l.may_halve && any(mask(pace > s.watch_limit_v))) return false;
  for (int i = 0; i < s.nodes; i++) {
    const V moved = clamp((l.v[i] - l.before[i]) * ratio, 0.1f);
    l.before[i] = l.v[i];
    l.q_older[i] = l.q_before[i];
    l.q_before[i] = l.q[i];
    l.v[i] += moved;  // where it would go at the pace of the last step
  }
  l.sweep++;
  l.dt = x.dt;
  l.time = w.time + x.dt;
  for (int i = 0; i < s.driven_count; i++) {
    l.v[s.driven[i]] = set(x.driven_to[i]);
    if (x.driven_to[i] != x.driven_from[i]) l.stamp[s.driven[i]] = l.sweep;
  }
  for (int i = 0; i < s.inputs; i++) {
    l.injected[i] = w.from[i] + (w.to[i] - w.from[i]) * x.edge_to;
    if (x.edge_from != x.edge_to) l.stamp[s.nodes + i] = l.sweep;
  }
  if (l.noise) w.noise.part = (float)((l.time - w.tick_start) / r.noise->tick_us);
  const V flags = l.flags;
  I failed = sweep(s, l, method, false, nullptr);
  w.taken++;
  if (l.may_halve && (l.far || any(failed))) {
    w.refined++;
    for (int i = 0; i < s.nodes; i++) {
      // As it was, without a pace: the step just tried has shown that the pace has changed.
      l.v[i] = l.before[i];
      l.q[i] = l.q_before[i];
      l.q_before[i] = l.q_older[i];
    }
    l.flags = flags;
    return false;
  }
  l.force = false;
  l.accepted = l.sweep;
  w.last_dt = x.dt;
  for (int i = 0; i < s.watched_count; i++)
    w.pace[i] = (l.v[s.watched[i]] - l.before[s.watched[i]]) * rate;
  w.time += x.dt;
  if (any(failed)) l.flags = where(failed, set((float)FLAG_CONVERGENCE), l.flags);
  for (int i = 0; i < s.slots; i++) w.energy[s.slot_supply[i]] += l.slot[i] * x.dt;
  return true;
}

// One step, in halves where it goes too far. The second half waits while the first is taken.
FN void advance(const Problem& s, const Run& r, Worker& w, const Stretch& whole) {
  Stretch waiting[MOST_HALVINGS + 1];
  int count = 1;
  waiting[0] = whole;
  while (count) {
    const Stretch x = waiting[--count];
    if (try_step(s, r, w, x)) continue;
    float* middle = w.driven + x.depth * s.driven_count;
    for (int i = 0; i < s.driven_count; i++)
      middle[i] = 0.5f * (x.driven_from[i] + x.driven_to[i]);
    const float edge = 0.5f * (x.edge_from + x.edge_to), dt = 0.5f * x.dt;
    waiting[count++] = Stretch{middle, x.driven_to, edge, x.edge_to, dt, false, x.depth + 1};
    waiting[count++] = Stretch{x.driven_from, middle, x.edge_from, edge, dt, x.restart, x.depth + 1};
  }
}

FN void read(const Problem& s, const Run& r, const Lanes& l, Rows<V> into) {
  for (int i = 0; i < r.probe_count; i++) {
    const int* p = s.probes + 4 * i;
    V current, slope;
    diode(s, s.model[p[0]], p[3], sense(s, p[0], l.v[p[1]]), l.shift[p[2]], l.gain[p[2]],
          current, slope);
    into[i] = current;
  }
  for (int i = 0; i < s.readouts; i++) into[r.probe_count + i] = l.readout[i];
}

FN void write_wave(const Problem& s, const Run& r, const Lanes& l, Rows<V> into) {
  copy_rows(into, l.v, s.nodes);
  read(s, r, l, into + s.nodes);
  Rows<V> supply = into + (s.nodes + r.probe_count + s.readouts);
  fill(supply, s.supplies);
  for (int i = 0; i < s.slots; i++) supply[s.slot_supply[i]] += l.slot[i];
}

// One group (of a GPU's threads: the sample in this column of it) through all frames.
FN void run_group(const Problem& s, const Run& r, Worker& w, const unsigned char* held, int group,
                  int column) {
  Lanes& l = w.l;
  l.shift = group_rows((const V*)r.shift, group, s.devices, column);
  l.gain = group_rows((const V*)r.gain, group, s.devices, column);
  l.flags = set(0.f);
  load_inputs(s, r, group, column, 0, w.from);
  load_inputs(s, r, group, column, 0, w.to);
  for (int i = 0; i < s.inputs; i++) l.injected[i] = w.to[i];
  l.noise = nullptr;
  const I lost = bias_point(s, w, held);
  l.flags = where(lost, set((float)FLAG_CONVERGENCE), l.flags);
  fill(w.energy, s.supplies);
  w.time = 0;
  w.last_dt = 1.f;
  l.sweep = 0;
  l.accepted = 0;
  l.force = true;
  for (int i = 0; i < s.nodes + s.inputs; i++) l.stamp[i] = -1;
  if (r.noise_seed) start_noise(s, r, w, group, column);
  float* start = w.driven + MOST_HALVINGS * s.driven_count;
  for (int i = 0; i < s.driven_count; i++) start[i] = s.start_v[s.driven[i]];
  const float* driven = start;
  const int values = r.probe_count + s.readouts, columns = s.nodes + values + s.supplies;
  const Size steps = r.step_count[0] + (Size)(r.frames - 1) * r.step_count[1];
  Rows<V> out = group_rows((V*)r.probes, group, (Size)r.frames * values, column);
  Rows<V> wave = group_rows((V*)r.wave, group, steps * columns, column);
  for (int frame = 0; frame < r.frames; frame++) {
    const int kind = frame ? 1 : 0, width = 3 + s.driven_count;
    if (frame) {
      copy_rows(w.from, w.to, s.inputs);
      load_inputs(s, r, group, column, frame, w.to);
    }
    float edge = 0.f;
    for (int k = 0; k < r.step_count[kind]; k++) {
      const float* step = r.steps[kind] + (Size)k * width;
      if (l.noise && w.time > w.tick_start + r.noise->tick_us - 1e-3) {
        w.tick_start += r.noise->tick_us;
        next_tick(*r.noise, w.noise, s.nodes, ++w.tick);
      }
      advance(s, r, w, Stretch{driven, step + 3, edge, step[1], step[0], step[2] != 0.f, 0});
      edge = step[1];
      driven = step + 3;
      if (k == r.sample_step[kind]) {
        read(s, r, l, out);
        out = out + values;
      }
      if (group < r.waves) {
        write_wave(s, r, l, wave);
        wave = wave + columns;
      }
    }
  }
  for (int k = 0; k < LANES; k++) {
    const Size at = column + k;
    for (int i = 0; i < s.supplies; i++)
      r.energy[((Size)group * s.supplies + i) * WIDTH + at] = lane(w.energy[i], k);
    r.flags[(Size)group * WIDTH + at] = (int)lane(l.flags, k);
  }
}
