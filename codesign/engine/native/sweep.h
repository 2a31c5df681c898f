// One pass over the program: everything that is not idle is solved once, in order.
#pragma once
#include "step.h"

// Largest value of a vector.
FN float peak(V x) {
#ifdef __CUDACC__
  return x;
#else
  float r = lane(x, 0);
  for (int k = 1; k < LANES; k++) r = lane(x, k) > r ? lane(x, k) : r;
  return r;
#endif
}

// How an operation is integrated: not at all when nothing it reads has changed and its own nodes
// would not have moved by idle_v since it was last carried out; over all the time it was idle when
// only its own pace calls for it; else over this step.
struct Turn {
  bool idle, changed, again;  // again: what the sweep that was given up told others was wrong
  Method method;
  float dt;
};
FN Turn turn_of(const Problem& s, Lanes& l, const int* at, int index, const Method& global) {
  Turn t{false, l.force, false, global, l.dt};
  if (l.force || l.noise) {
    t.changed = true;
    return t;
  }
  const int n = at[3];
  for (int i = 0; i < n && !t.changed; i++) t.changed = l.stamp[at[4 + i]] == l.sweep;
  const bool solved = at[0] == OP_NODE || at[0] == OP_BLOCK;
  t.again = solved && l.latency[index].sweep > l.accepted;
  if (t.again) t.changed = true;
  if (t.changed || !solved) {
    t.idle = !t.changed;
    return t;
  }
  const Latency& past = l.latency[index];
  const float elapsed = (float)(l.time - past.time);
  t.idle = past.pace * elapsed < s.idle_v;
  if (!t.idle && past.sweep != l.accepted) {
    t.method = first_order(elapsed);
    t.dt = elapsed;
  }
  return t;
}

// After an operation: its pace, and whether those who read its nodes must look again. A line that
// carries next to nothing may move: its weight is the part of small_na that it carries.
FN void settle(const Problem& s, Lanes& l, const int* nodes, int n, int index, const Turn& turn) {
  V moved = set(0.f);
  for (int i = 0; i < n; i++) {
    const int k = nodes[i];
    moved = vmax(moved, vabs(l.v[k] - l.before[k]) * l.weight[k]);
    if (l.force || turn.again ||
        any(mask(vabs(l.v[k] - l.announced[k]) * l.weight[k] > s.idle_v))) {
      l.announced[k] = l.v[k];
      l.stamp[k] = l.sweep;
    }
  }
  l.latency[index] = Latency{l.time, peak(moved) / turn.dt, l.sweep};
}

// Whether a watched node of a block moved too much, or in a long step not as foreseen.
FN bool too_far(const Problem& s, const Lanes& l, const int* nodes, int n) {
  V moved = set(0.f), surprise = set(0.f);
  for (int i = 0; i < n; i++) {
    const int k = nodes[i], w = s.watch[k];
    if (w < 0) continue;
    moved = vmax(moved, vabs(l.v[k] - l.before[k]));
    surprise = vmax(surprise, vabs(l.v[k] - l.foreseen[w]));
  }
  return any(mask(moved > s.watch_limit_v)) ||
         (l.long_step && any(mask(surprise > s.surprise_v)));
}

// Every word list starts with: operation, length, static, n, then n nodes it reads.
FN I sweep(const Problem& s, Lanes& l, const Method& method, bool first,
           const unsigned char* held) {
  I failed = mask(l.v[0] != l.v[0]);
  l.far = false;
  const int* at = s.program;
  const int* end = at + s.words;
  for (int index = 0; at < end; at += at[1], index++) {
    if (at[2] && !first && !l.noise) continue;
    const int operation = at[0];
    const Turn turn = turn_of(s, l, at, index, method);
    const int* body = at + 4 + at[3];
    if (turn.idle) {  // not solved, so it stays: without this it would go on at its last pace
      if (operation == OP_NODE) l.v[body[0]] = l.before[body[0]];
      if (operation == OP_BLOCK)
        for (int i = 1; i <= body[0]; i++) l.v[body[i]] = l.before[body[i]];
      continue;
    }
    if (operation == OP_GATE) {  // base, node, polarity, geometry
      const int p = body[2];
      V flags = l.flags;
      gate_base(s.model[p], body[3], sense(s, p, l.v[body[1]]), l.base + body[0] * BASE, flags);
      if (!held || l.settled) l.flags = flags;
    } else if (operation == OP_NODE) {
      failed |= solve_node(s, l, body, turn.method, held && held[body[0]]);
      settle(s, l, body, 1, index, turn);
    } else if (operation == OP_BLOCK) {
      failed |= solve(s, l, body, turn.method, held);
      settle(s, l, body + 1, body[0], index, turn);
      l.far |= too_far(s, l, body + 1, body[0]);
      if (l.far && l.may_halve && !held) break;
    } else {
      read_out(s, l, body);
    }
  }
  return failed;
}
