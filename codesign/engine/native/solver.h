// Implicit transient of one group of lanes. Units: volts, nanoamperes, microseconds, femtofarads.
//
// The circuit arrives as a program: a flat list of operations in the order the signal walks, made
// by codesign/engine/program.py, which documents every field.
#pragma once
#include "vector.h"

constexpr int K = 4;          // drain functions shared by all geometries of a polarity
constexpr int DRAIN = 13;     // coefficients of each
constexpr int GATE = 11;      // coefficients of ln A and of the diode
constexpr int RATIO = 7;      // coefficients of the ratios r_k
constexpr int PINCH = 6;      // coefficients of a switch's pinch-off voltage
constexpr int CHARGE_TERMS = 6;  // coefficients of a node's charge, without the constant
constexpr int CHARGE = CHARGE_TERMS + 1;  // and the voltage they are powers around
constexpr int BASE = 3 + 2 * (K - 1);
constexpr float WARP = 0.1f;

enum { OP_GATE, OP_NODE, OP_BLOCK, OP_READOUT };
enum { FLAG_RANGE = 1, FLAG_CONVERGENCE = 2 };

struct Model {  // one polarity
  const float* drain;    // (K, DRAIN)
  const float* gate;     // (geometries, GATE)
  const float* ratio;    // (geometries, K - 1, RATIO)
  const float* diode;    // (geometries, GATE)
  const float* window;   // (geometries, 2): centre, 1 / half
  float warp_scale;
};

struct Problem {
  Model model[2];          // n, p
  const float* switches;   // (geometries, 6 + PINCH): scale, 1/(2 Ut), lam, centre, 1/half, unused
  const float* charge;     // (nodes, CHARGE)
  const float* leak;       // (nodes, 2): nanoamperes per volt to ground, to the supply
  const float* coupling;   // femtofarads, by index
  const float* reference;  // nanoamperes drawn, by index
  const int* program;      // operations
  const int* probes;       // (probes, 4): polarity, node, device, geometry
  const float* start_v;    // (nodes)
  const int* held;         // nodes kept at their start while the bias point is found
  const int* watched;      // nodes whose voltage may not jump
  const int* watch;        // (nodes): index among the watched, or -1
  const int* driven;       // node of each waveform
  int fixed_groups;        // groups of copies of lines that never change
  const int* slot_supply;  // supply that each slot is metered on
  int nodes, devices, bases, words, operations, diodes, readouts, inputs, supplies, slots,
      held_count, watched_count, driven_count;
  float vdd, inverse_thermal, readout_v, tolerance_v, watch_limit_v, idle_v, small_na,
      long_us, surprise_v;
  int iterations, depth;
};

// Derivative by time at the end of a step: now * q(t) + last * q(t - dt) + older * q(before that).
struct Method {
  float now, last, older;
};

FN Method first_order(float dt) { return Method{1.f / dt, -1.f / dt, 0.f}; }

// When an operation was last carried out, and how fast its nodes moved then.
struct Latency {
  double time;
  float pace;
  int sweep;
};

struct Noise;

struct Lanes {  // state of one group
  Rows<V> v, before;      // (nodes): volts now and at the last point of time
  Rows<V> q, q_before, q_older;  // (nodes): charge when the node was last solved; one, two steps ago
  Rows<V> announced;      // (nodes): the value those who read a node have seen
  Rows<V> weight;         // (nodes): how much a change of the node matters
  Rows<int> stamp;        // (nodes + inputs): sweep in which that value changed
  Rows<Latency> latency;  // (operations)
  double time;            // at the end of this step
  float dt;
  int sweep;              // number of this sweep
  int accepted;           // the last sweep that was kept: what later ones did is to be done again
  bool settled;           // the bias point is found: lines out of range count
  bool may_halve, long_step, far;  // far: a watched node moved too much, or not as foreseen
  Rows<V> foreseen;       // (watched): where a node would be at the pace of the last step
  bool force;             // carry out everything: nothing is known of the sweep before
  Rows<V> base;        // (bases, BASE)
  Rows<const V> shift, gain;  // (devices): gate shift, m mulu0 exp(kd shift)
  Rows<V> injected;    // (inputs): nanoamperes now
  Rows<V> readout;     // (readouts): nanoamperes into the fixed node
  Rows<V> fixed;       // (fixed_groups, DRAIN): their polynomials
  Rows<V> slot;        // (slots): metered currents, nanoamperes, as last computed
  V flags;             // as float: bits
  Noise* noise;        // null: none
};

// A polynomial of N coefficients and its derivative (Horner).
template <int N>
FN void horner(const float* c, V x, V& value, V& slope) {
  value = set(c[N - 1]);
  slope = set(0.f);
#pragma GCC unroll 16
  for (int i = N - 2; i >= 0; i--) {
    slope = slope * x + value;
    value = value * x + c[i];
  }
}

// Gate voltage in the unit of the fits, kept inside; what is cut off continues with the slope.
struct Window {
  V u, rest;
  I above;
};
FN Window window(const float* w, V vg) {
  V u = (vg - w[0]) * w[1];
  V inside = clamp(u, 1.f);
  Window r;
  r.u = inside;
  r.rest = u - inside;
  r.above = mask(u > 1.f);
  return r;
}

// ln of the current function with two derivatives, at a gate voltage.
FN void gate_line(const float* c, const float* w, const Window& at, V& value, V& d1, V& d2) {
  V p = set(c[GATE - 1]), p1 = set(0.f), p2 = set(0.f);
#pragma GCC unroll 16
  for (int i = GATE - 2; i >= 0; i--) {
    p2 = p2 * at.u + p1;
    p1 = p1 * at.u + p;
    p = p * at.u + c[i];
  }
  value = p + p1 * at.rest;
  d1 = p1 * w[1];
  d2 = p2 * (w[1] * w[1]);  // half of the second derivative
}

// Into an array of its own or a row of Lanes.
template <class Base>
static __attribute__((noinline)) void gate_base(const Model& m, int g, V vg, Base base, V& flags) {
  const float* w = m.window + 2 * g;
  Window at = window(w, vg);
  V ln_a, d1, d2;
  gate_line(m.gate + GATE * g, w, at, ln_a, d1, d2);
  base[0] = vexp(ln_a);
  base[1] = d1;
  base[2] = d2;
  for (int k = 0; k < K - 1; k++) {
    const float* c = m.ratio + (g * (K - 1) + k) * RATIO;
    V p, p1;
    horner<RATIO>(c, at.u, p, p1);
    base[3 + k] = p;
    base[2 + K + k] = p1 * w[1];
  }
  flags = where(at.above, set((float)FLAG_RANGE), flags);
}

// The K numbers of a device whose gate is itself unknown, and d ln I / d Vg.
FN V follow(const Model& m, int g, V vg, V gain, V* sum, I& beyond) {
  const float* w = m.window + 2 * g;
  const float* c = m.gate + GATE * g;
  Window at = window(w, vg);
  V p, p1;
  horner<GATE>(c, at.u, p, p1);
  V a = gain * vexp(p + p1 * at.rest);
  beyond = at.above;
  sum[0] = a;
  for (int k = 0; k < K - 1; k++) {
    const float* r = m.ratio + (g * (K - 1) + k) * RATIO;
    V q = set(r[RATIO - 1]);
#pragma GCC unroll 8
    for (int i = RATIO - 2; i >= 0; i--) q = q * at.u + r[i];
    sum[k + 1] = a * q;
  }
  return p1 * w[1];
}

// One copy of a line: K numbers that its destination adds up. Returns the first.
template <class Base>
FN V add_copy(Base base, V shift, V gain, V* sum) {
  V y = (base[2] * shift + base[1]) * shift;
  V a = base[0] * gain * exp_small(y);
  sum[0] += a;
  for (int k = 0; k < K - 1; k++) sum[k + 1] += a * (base[2 + K + k] * shift + base[3 + k]);
  return a;
}

// The sum of copies as a polynomial of the warped drain voltage.
FN void contract(const Model& m, const V* sum, V* c) {
#pragma GCC unroll 16
  for (int j = 0; j < DRAIN; j++) {
    V p = sum[0] * m.drain[j];
    for (int k = 1; k < K; k++) p += sum[k] * m.drain[k * DRAIN + j];
    c[j] = p;
  }
}

FN void output(const Model& m, const V* c, V vd, V& current, V& slope) {
  V positive = vmax(vd, set(0.f)), negative = vmin(vd, set(0.f));
  V inverse = 1.f / (positive + WARP);
  V x = positive * inverse * m.warp_scale - 1.f;
  V p = c[DRAIN - 1], p1 = set(0.f);
#pragma GCC unroll 16
  for (int j = DRAIN - 2; j >= 0; j--) {
    p1 = p1 * x + p;
    p = p * x + c[j];
  }
  slope = p1 * (inverse * inverse * (WARP * m.warp_scale));
  current = p + slope * negative;
}

FN void diode(const Problem& s, const Model& m, int g, V v, V shift, V gain, V& current, V& slope) {
  const float* w = m.window + 2 * g;
  Window at = window(w, v + shift);
  const float* c = m.diode + GATE * g;
  V p, p1;
  horner<GATE>(c, at.u, p, p1);
  V a = gain * vexp(p + p1 * at.rest);
  // Below zero the drain's part goes on as a straight line.
  V z = vmin(v * s.inverse_thermal, set(1e6f));
  V below = vmin(z + 0.5f, set(0.f));
  z = vmax(z, set(-0.5f));
  V e3 = ((z * (1.f / 3) + 1.f) * z * 0.5f + 1.f) * z + 1.f;
  V e4 = (((z * 0.25f + 1.f) * z * (1.f / 3) + 1.f) * z * 0.5f + 1.f) * z + 1.f;
  V r = 1.f / e4;
  V grows = e3 * r * r;
  V f = 1.f - r + grows * below;
  current = a * f;
  slope = a * (p1 * w[1] * f + grows * s.inverse_thermal);
}

// ln(1 + e^x) of one terminal of a switch. Far below threshold it gives less than 1e-8 of the scale
// and far above it is x itself: neither is worth an exponential.
FN void terminal(V x, V& value, V& slope) {
  value = slope = set(0.f);
  if (!any(mask(x > -9.f))) return;
  if (any(mask(x < 12.f))) {
    softplus(x, value, slope);
  } else {
    value = x;
    slope = set(1.f);
  }
}

// A switch: current from drain to source and its derivatives by gate, drain and source.
FN void switched(const float* q, V vg, V vd, V vs, V shift, V gain, V& current, V& dg, V& dd,
                 V& ds) {
  V u = clamp((vg + shift - q[3]) * q[4], 1.2f);
  const float* c = q + 6;
  V p, p1;
  horner<PINCH>(c, u, p, p1);
  V fs, gs, fd, gd;
  terminal((p - vs) * q[1], fs, gs);
  terminal((p - vd) * q[1], fd, gd);
  V scale = gain * q[0];
  V early = vabs(vd - vs) * q[2] + 1.f;
  V difference = scale * (fs * fs - fd * fd);
  current = difference * early;
  V twice = scale * early * (2.f * q[1]);
  V forward = twice * fs * gs, back = twice * fd * gd;
  V e = difference * where(vd > vs, set(q[2]), set(-q[2]));
  dg = (forward - back) * p1 * q[4];
  dd = back + e;
  ds = -forward - e;
}

FN V charge(const float* c, V at, V& capacitance) {
  const V v = at - c[CHARGE_TERMS];
  V p, p1;
  horner<CHARGE_TERMS>(c, v, p, p1);
  capacitance = p1 * v + p;
  return p * v;
}
