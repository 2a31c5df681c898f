// Kirchhoff's law at one node, or at the nodes of one block, solved at the end of a step of dt:
// backward Euler after an edge, then the second-order backward difference with variable steps; a
// method of zeros is the bias point.
#pragma once
#include "noise.h"

constexpr float STEP_LIMIT_V = 0.12f;  // of one Newton update
constexpr float LEAK = 1e-6f;          // nanoamperes per volt that keep every pivot away from zero

// Voltage in the sense of a polarity: from ground for n, down from the supply for p.
FN V sense(const Problem& s, int polarity, V v) { return polarity ? s.vdd - v : v; }

FN void newton_limits(const Problem& s, V& x) {
  x = vmin(vmax(x, set(-0.3f)), set(s.vdd + 0.3f));
}

// Copies of one destination on one rail: [local, polarity, slot, fixed, n, (device, base) * n], as
// the polynomial c of the warped drain voltage. Where no line changes (fixed >= 0) it is made once.
// phi_0 is near one where a device is saturated: its factor is the current that makes the noise.
static __attribute__((noinline)) const int* sum_group(const Problem& s, Lanes& l, const int* at,
                                                      int node, V* c) {
  const int n = at[4], polarity = at[1], fixed = at[3];
  const int* end = at + 5 + 2 * n;
  const Rows<V> kept = l.fixed + (long long)(fixed < 0 ? 0 : fixed) * DRAIN;
  if (fixed >= 0 && !l.force && !l.noise) {
    for (int j = 0; j < DRAIN; j++) c[j] = kept[j];
    return end;
  }
  V sum[K];
  for (int k = 0; k < K; k++) sum[k] = set(0.f);
  for (at += 5; at < end; at += 2) {
    const V a = add_copy(l.base + at[1] * BASE, l.shift[at[0]], l.gain[at[0]], sum);
    if (l.noise)
      add_noise(*l.noise, node, polarity, at[0], a * l.noise->model->saturation[polarity]);
  }
  contract(s.model[polarity], sum, c);
  if (fixed >= 0)
    for (int j = 0; j < DRAIN; j++) kept[j] = c[j];
  return end;
}

struct Group {
  int local, polarity, slot;
  V c[DRAIN];
};
constexpr int MAX_GROUPS = 12, MAX_DIODES = 8, MAX_GATED = 8, MAX_SWITCHES = 12;

// OP_NODE: node, injected input (-1) , reference (-1), groups, diodes, couplings, then
//   groups as above, diodes (local, polarity, slot, device, geometry), couplings (local, gate
//   node, index).
// OP_BLOCK: n, nodes[n], and the same with gated (gate local, drain local, polarity, slot,
//   device, geometry) and switches (device, geometry, polarity, then gate, drain, source as
//   node and local index, -1 for outside).
FN V injected(const Problem& s, const Lanes& l, int input, int reference) {
  V sum = set(0.f);
  if (input >= 0) sum += l.injected[input];
  if (reference >= 0) sum += set(s.reference[reference]);
  return sum;
}

// What is known of dq/dt of a node. A node's charge includes what gates couple into it, so that a
// line that was left alone for a while has not lost what happened meanwhile.
FN V history(const Lanes& l, const Method& t, int node) {
  return l.q_before[node] * t.last + l.q_older[node] * t.older;
}

static __attribute__((noinline)) I solve_node(const Problem& s, Lanes& l, const int* at,
                                              const Method& t, bool held) {
  const int node = at[0], groups = at[3], diodes = at[4], couplings = at[5];
  V constant = -injected(s, l, at[1], at[2]);
  if (l.noise) {
    constant += noise_current(*l.noise, node);
    clear_noise(*l.noise, node);
  }
  at += 6;
  Group g[3];
  for (int i = 0; i < groups; i++) {
    g[i].polarity = at[1];
    g[i].slot = at[2];
    at = sum_group(s, l, at, node, g[i].c);
  }
  const int* diode_at = at;
  at += 5 * diodes;
  V coupled = set(0.f);
  for (int i = 0; i < couplings; i++, at += 3) coupled += l.v[at[1]] * s.coupling[at[2]];
  V capacitance, x = l.v[node];
  const float* leak = s.leak + 2 * node;
  const V known = constant - history(l, t, node) + coupled * t.now;
  V currents[3], diode_current[2];
  I open = mask(x == x);
  for (int it = 0; it < s.iterations; it++) {
    V f = known + leak[1] * s.vdd - x * (leak[0] + leak[1]);
    V j = set(-LEAK - leak[0] - leak[1]);
    for (int i = 0; i < groups; i++) {
      V slope;
      const int p = g[i].polarity;
      output(s.model[p], g[i].c, sense(s, p, x), currents[i], slope);
      f += currents[i] * (p ? 1.f : -1.f);
      j -= slope;
    }
    for (int i = 0; i < diodes; i++) {
      const int* d = diode_at + 5 * i;
      V slope;
      diode(s, s.model[d[1]], d[4], sense(s, d[1], x), l.shift[d[3]], l.gain[d[3]],
            diode_current[i], slope);
      f += diode_current[i] * (d[1] ? 1.f : -1.f);
      j -= slope;
    }
    f -= charge(s.charge + CHARGE * node, x, capacitance) * t.now;
    j -= capacitance * t.now;
    if (held) f = set(0.f);
    V dx = clamp(f / -j, STEP_LIMIT_V);
    x += dx;
    newton_limits(s, x);
    open = mask(vabs(dx) > s.tolerance_v);
    if (!any(open)) break;
  }
  l.v[node] = x;
  l.q[node] = charge(s.charge + CHARGE * node, x, capacitance) - coupled;
  V carried = set(diodes ? 0.f : s.small_na);
  for (int i = 0; i < diodes; i++) {
    carried += diode_current[i];
    const int* d = diode_at + 5 * i;
    if (l.noise) add_noise(*l.noise, node, d[1], d[3], diode_current[i]);
  }
  l.weight[node] = vmin(vabs(carried) * (1.f / s.small_na) + 1e-4f, set(1.f));
  for (int i = 0; i < groups; i++)
    if (g[i].slot >= 0) l.slot[g[i].slot] = currents[i];
  for (int i = 0; i < diodes; i++) {
    const int* d = diode_at + 5 * i;
    if (d[2] >= 0) l.slot[d[2]] = diode_current[i];
  }
  return open;
}

template <int N>
struct System {
  V x[N], f[N], j[N][N];
};

// x += -J^-1 f without pivoting: nodes are ordered so that the feedback comes last, and J has a
// negative diagonal but for a cell at the edge of switching, where the pivot is kept negative and
// the limited step moves it over.
template <int N>
FN V eliminate(const Problem& s, System<N>& y) {
  for (int k = 0; k < N; k++) {
    V pivot = vmin(y.j[k][k], set(-1e-4f));
    V inverse = 1.f / pivot;
    y.j[k][k] = inverse;
    for (int i = k + 1; i < N; i++) {
      V r = y.j[i][k] * inverse;
      for (int m = k + 1; m < N; m++) y.j[i][m] -= r * y.j[k][m];
      y.f[i] -= r * y.f[k];
    }
  }
  V largest = set(0.f);
  for (int k = N - 1; k >= 0; k--) {
    V sum = -y.f[k];
    for (int m = k + 1; m < N; m++) sum -= y.j[k][m] * y.f[m];
    V dx = clamp(sum * y.j[k][k], STEP_LIMIT_V);
    y.f[k] = dx;
    y.x[k] += dx;
    newton_limits(s, y.x[k]);
    largest = vmax(largest, vabs(dx));
  }
  return largest;
}

template <int N>
static __attribute__((noinline)) I solve_block(const Problem& s, Lanes& l, const int* at,
                                               const Method& t, const unsigned char* held) {
  const int* nodes = at + 1;
  at += 1 + N;
  const int groups = at[0], diodes = at[1], gated = at[2], switches = at[3], couplings = at[4],
            injections = at[5];
  at += 6;
  System<N> y;
  V constant[N], coupled[N];
  for (int k = 0; k < N; k++) {
    constant[k] = -history(l, t, nodes[k]);
    coupled[k] = set(0.f);
    if (l.noise) {
      constant[k] += noise_current(*l.noise, nodes[k]);
      clear_noise(*l.noise, nodes[k]);
    }
    y.x[k] = l.v[nodes[k]];
  }
  Group g[MAX_GROUPS];
  for (int i = 0; i < groups; i++) {
    g[i].local = at[0];
    g[i].polarity = at[1];
    g[i].slot = at[2];
    at = sum_group(s, l, at, nodes[g[i].local], g[i].c);
  }
  const int* diode_at = at;
  const int* gated_at = diode_at + 5 * diodes;
  const int* switch_at = gated_at + 6 * gated;
  const int* coupling_at = switch_at + 9 * switches;
  const int* injection_at = coupling_at + 4 * couplings;
  V group_current[MAX_GROUPS], diode_current[MAX_DIODES], gated_current[MAX_GATED];
  I beyond[MAX_GATED];
  for (int i = 0; i < injections; i++) {
    const int* e = injection_at + 3 * i;
    constant[e[0]] -= injected(s, l, e[1], e[2]);
  }
  for (int i = 0; i < couplings; i++) {  // (local, gate node, gate local, index)
    const int* e = coupling_at + 4 * i;
    if (e[2] < 0) coupled[e[0]] += l.v[e[1]] * s.coupling[e[3]];
  }
  for (int k = 0; k < N; k++) constant[k] += coupled[k] * t.now;
  I open = mask(y.x[0] == y.x[0]);
  for (int it = 0; it < s.iterations; it++) {
    for (int k = 0; k < N; k++) {
      V capacitance;
      V q = charge(s.charge + CHARGE * nodes[k], y.x[k], capacitance);
      const float* leak = s.leak + 2 * nodes[k];
      y.f[k] = constant[k] - q * t.now + leak[1] * s.vdd - y.x[k] * (leak[0] + leak[1]);
      for (int m = 0; m < N; m++) y.j[k][m] = set(0.f);
      y.j[k][k] = -capacitance * t.now - (LEAK + leak[0] + leak[1]);
    }
    for (int i = 0; i < groups; i++) {
      V slope;
      const int k = g[i].local, p = g[i].polarity;
      output(s.model[p], g[i].c, sense(s, p, y.x[k]), group_current[i], slope);
      y.f[k] += p ? group_current[i] : -group_current[i];
      y.j[k][k] -= slope;
    }
    for (int i = 0; i < diodes; i++) {
      const int* d = diode_at + 5 * i;
      const int k = d[0];
      V slope;
      diode(s, s.model[d[1]], d[4], sense(s, d[1], y.x[k]), l.shift[d[3]], l.gain[d[3]],
            diode_current[i], slope);
      y.f[k] += d[1] ? diode_current[i] : -diode_current[i];
      y.j[k][k] -= slope;
    }
    for (int i = 0; i < gated; i++) {
      const int* d = gated_at + 6 * i;
      const int kg = d[0], kd = d[1], p = d[2];
      V sum[K], c[DRAIN], slope;
      V dg = follow(s.model[p], d[5], sense(s, p, y.x[kg]) + l.shift[d[4]], l.gain[d[4]], sum,
                    beyond[i]);
      contract(s.model[p], sum, c);
      output(s.model[p], c, sense(s, p, y.x[kd]), gated_current[i], slope);
      dg = dg * gated_current[i];
      y.f[kd] += p ? gated_current[i] : -gated_current[i];
      y.j[kd][kd] -= slope;
      y.j[kd][kg] -= dg;
    }
    for (int i = 0; i < switches; i++) {
      const int* d = switch_at + 9 * i;
      const int p = d[2], kg = d[4], kd = d[6], ks = d[8];
      V vg = kg >= 0 ? y.x[kg] : l.v[d[3]], vd = kd >= 0 ? y.x[kd] : l.v[d[5]],
        vs = ks >= 0 ? y.x[ks] : l.v[d[7]], current, dg, dd, ds;
      switched(s.switches + d[1] * (6 + PINCH), sense(s, p, vg), sense(s, p, vd), sense(s, p, vs),
               l.shift[d[0]], l.gain[d[0]], current, dg, dd, ds);
      V out = p ? current : -current;  // into the drain node
      if (kd >= 0) {
        y.f[kd] += out;
        y.j[kd][kd] -= dd;
        if (kg >= 0) y.j[kd][kg] -= dg;
        if (ks >= 0) y.j[kd][ks] -= ds;
      }
      if (ks >= 0) {
        y.f[ks] -= out;
        y.j[ks][ks] += ds;
        if (kg >= 0) y.j[ks][kg] += dg;
        if (kd >= 0) y.j[ks][kd] += dd;
      }
    }
    for (int i = 0; i < couplings; i++) {
      const int* e = coupling_at + 4 * i;
      if (e[2] < 0) continue;
      y.f[e[0]] += y.x[e[2]] * (t.now * s.coupling[e[3]]);
      y.j[e[0]][e[2]] += t.now * s.coupling[e[3]];
    }
    if (held)
      for (int k = 0; k < N; k++)
        if (held[nodes[k]]) {
          y.f[k] = set(0.f);
          for (int m = 0; m < N; m++) y.j[k][m] = set(0.f);
          y.j[k][k] = set(-1.f);
        }
    V largest = eliminate(s, y);
    open = mask(largest > s.tolerance_v);
    if (!any(open)) break;
  }
  for (int k = 0; k < N; k++) {
    V capacitance;
    l.v[nodes[k]] = y.x[k];
    l.q[nodes[k]] = charge(s.charge + CHARGE * nodes[k], y.x[k], capacitance) - coupled[k];
    l.weight[nodes[k]] = set(1.f);
  }
  if (l.noise) {
    for (int i = 0; i < diodes; i++) {
      const int* d = diode_at + 5 * i;
      add_noise(*l.noise, nodes[d[0]], d[1], d[3], diode_current[i]);
    }
    for (int i = 0; i < gated; i++) {
      const int* d = gated_at + 6 * i;
      add_noise(*l.noise, nodes[d[1]], d[2], d[4], gated_current[i]);
    }
  }
  for (int i = 0; i < couplings; i++) {
    const int* e = coupling_at + 4 * i;
    if (e[2] >= 0) l.q[nodes[e[0]]] -= y.x[e[2]] * s.coupling[e[3]];
  }
  for (int i = 0; i < diodes; i++)
    l.weight[nodes[diode_at[5 * i]]] =
        vmin(vabs(diode_current[i]) * (1.f / s.small_na) + 1e-4f, set(1.f));
  for (int i = 0; i < groups; i++)
    if (g[i].slot >= 0) l.slot[g[i].slot] = group_current[i];
  for (int i = 0; i < diodes; i++)
    if (diode_at[5 * i + 2] >= 0) l.slot[diode_at[5 * i + 2]] = diode_current[i];
  if (!held || l.settled)
    for (int i = 0; i < gated; i++)
      l.flags = where(beyond[i], set((float)FLAG_RANGE), l.flags);
  for (int i = 0; i < gated; i++)
    if (gated_at[6 * i + 3] >= 0) l.slot[gated_at[6 * i + 3]] = gated_current[i];
  return open;
}

FN I solve(const Problem& s, Lanes& l, const int* at, const Method& t, const unsigned char* held) {
  switch (at[0]) {
    case 1: return solve_block<1>(s, l, at, t, held);
    case 2: return solve_block<2>(s, l, at, t, held);
    case 3: return solve_block<3>(s, l, at, t, held);
    case 4: return solve_block<4>(s, l, at, t, held);
    case 5: return solve_block<5>(s, l, at, t, held);
    case 6: return solve_block<6>(s, l, at, t, held);
    case 7: return solve_block<7>(s, l, at, t, held);
    default: return solve_block<8>(s, l, at, t, held);
  }
}

// OP_READOUT: index, node, groups (local unused). The node stands still, so only the sum matters.
static __attribute__((noinline)) void read_out(const Problem& s, Lanes& l, const int* at) {
  const int index = at[0], node = at[1], groups = at[2];
  at += 3;
  V total = set(0.f);
  if (l.noise) {
    total += noise_current(*l.noise, node);
    clear_noise(*l.noise, node);
  }
  for (int i = 0; i < groups; i++) {
    const int p = at[1], slot = at[2];
    V c[DRAIN], current, slope;
    at = sum_group(s, l, at, node, c);
    output(s.model[p], c, set(p ? s.vdd - s.readout_v : s.readout_v), current, slope);
    total += p ? current : -current;
    if (slot >= 0) l.slot[slot] = current;
  }
  l.readout[index] = total;
}
