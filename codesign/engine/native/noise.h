// Device noise as currents into nodes, sampled every tick and linear in between.
//
// Independent sources that end on one node add up to one Gaussian: its white part has the sum of the
// devices' variances, its flicker part (one for each polarity, whose spectra differ) likewise. The
// numbers come from a hash of (the sample's seed, tick, node), so they depend on nothing else.
#pragma once
#include "solver.h"

constexpr int POLES = 8;

struct NoiseModel {
  const float* white;     // (devices): variance per nanoampere, in nanoamperes
  const float* flicker;   // (devices): variance at 1 Hz per squared nanoampere
  const float* inversion; // (devices): nanoamperes where both bend
  float pole[2][POLES], weight[2][POLES];  // by polarity: 1 / f^slope from white numbers
  float tick_us;
  float saturation[2];    // of phi_0, by polarity
};

struct Noise {  // of one group
  const NoiseModel* model;
  I seed;
  Rows<V> from[3], to[3];     // (nodes): white, flicker n, flicker p at both ends of the tick
  Rows<V> ladder[2];          // (nodes, POLES)
  Rows<V> white, flicker[2];  // (nodes): variances, from the currents last computed
  float part;                 // of the tick that has passed at the end of this step
};

FN void gaussian_pair(I key, V& a, V& b) {
  I first = hash(key), second = hash(first ^ 0x2545f491);
  // 23 bits each, never zero.
  V u = (convert(first & 0x7fffff) + 0.5f) * (1.f / 8388608);
  V w = (convert(second & 0x7fffff) + 0.5f) * (1.f / 4194304) - 1.f;
  V r = vsqrt(vlog(u) * -2.f);
  V quarter = where(w > 0.5f, w - 1.5f, w + 0.5f);
  a = r * sin_pi(w);
  b = r * sin_pi(quarter);
}

// Numbers of the next tick; the first call of a run fills the end of the tick before it as well.
FN void next_tick(const NoiseModel& m, Noise& n, int nodes, int tick) {
  const I now = hash(n.seed + (int)((unsigned)tick * 0x9e3779b9u));
  for (int k = 0; k < nodes; k++) {
    V g[4];
    const int key = (int)((unsigned)k * 0x85ebca6bu);
    gaussian_pair(now ^ key, g[0], g[1]);
    gaussian_pair(now ^ (key + 0x51ed270b), g[2], g[3]);
    n.from[0][k] = n.to[0][k];
    n.to[0][k] = g[0];
    for (int p = 0; p < 2; p++) {
      V sum = set(0.f);
      for (int j = 0; j < POLES; j++) {
        V& state = n.ladder[p][k * POLES + j];
        state = state * m.pole[p][j] + g[1 + p];
        sum += state * m.weight[p][j];
      }
      n.from[1 + p][k] = n.to[1 + p][k];
      n.to[1 + p][k] = sum;
    }
  }
}

FN V noise_current(const Noise& n, int k) {
  const float part = n.part;
  V sum = vsqrt(n.white[k]) * (n.from[0][k] * (1.f - part) + n.to[0][k] * part);
  for (int p = 0; p < 2; p++)
    sum += vsqrt(n.flicker[p][k]) * (n.from[1 + p][k] * (1.f - part) + n.to[1 + p][k] * part);
  return sum;
}

// One device's share in the variances of the node it ends on. h = (1 + y) / (1 + 2 y) is the fall
// of gm / I towards strong inversion (codesign.device.noise), y = I / inversion.
FN void add_noise(Noise& n, int node, int polarity, int device, V current) {
  const NoiseModel& m = *n.model;
  V size = vabs(current);
  V y = size * (1.f / m.inversion[device]);
  V h = (y + 1.f) / (y * 2.f + 1.f);
  n.white[node] += size * h * m.white[device];
  n.flicker[polarity][node] += size * size * h * m.flicker[device];
}
FN void clear_noise(Noise& n, int node) {
  n.white[node] = n.flicker[0][node] = n.flicker[1][node] = set(0.f);
}
