// Forward and backward of the first-quadrant network over whole clips, many networks at once.
//
// The lanes of a vector are clips, so every product of a weight with a current is one multiply-add
// of a vector by a scalar, and a block of clips stays in the cache from the first layer to the last.
// Memory order of everything within a block: [frame][node][unit][lane].
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

template <typename T> struct Lanes;
template <> struct Lanes<float> {
  typedef float V __attribute__((vector_size(64)));
  static constexpr int count = 16;
};
template <> struct Lanes<double> {
  typedef double V __attribute__((vector_size(64)));
  static constexpr int count = 8;
};

struct Shape {
  int64_t networks, clips, frames, inputs, units, layers, classes, memory;
};

// Offsets of one network's parameters in its row, in the order of the network's state_dict.
struct Row {
  int64_t n, d, k, layers;
  int64_t projection() const { return 0; }
  int64_t projection_bias() const { return n * d; }
  int64_t layer(int64_t l) const { return n * d + d + l * (2 * d * d + 5 * d); }
  int64_t candidate_bias(int64_t l) const { return layer(l) + d * d; }
  int64_t beta_hi(int64_t l) const { return candidate_bias(l) + d; }
  int64_t width(int64_t l) const { return beta_hi(l) + d; }
  int64_t alpha(int64_t l) const { return width(l) + d; }
  int64_t output(int64_t l) const { return alpha(l) + d; }
  int64_t output_bias(int64_t l) const { return output(l) + d * d; }
  int64_t readout() const { return layer(layers); }
  int64_t readout_bias() const { return readout() + k * d; }
  int64_t size() const { return readout_bias() + k; }
};

// Vectors of one frame: projection, then candidate, state and output of each layer.
struct Frame {
  int64_t d, layers;
  int64_t candidate(int64_t l) const { return d * (1 + 3 * l); }
  int64_t state(int64_t l) const { return d * (2 + 3 * l); }
  int64_t output(int64_t l) const { return d * (3 + 3 * l); }
  int64_t size() const { return d * (1 + 3 * layers); }
};

template <typename T> using V = typename Lanes<T>::V;

template <typename T> inline V<T> relu(V<T> x) { return x > 0 ? x : V<T>{}; }

template <typename T> inline V<T> step(V<T> x) {
  const V<T> one = T(1) - V<T>{};
  return x > 0 ? one : V<T>{};
}

// y[i] = bias[i] + sum_j w[i, j] x[j] for N rows.
template <typename T, int N>
inline void rows_of(const T *w, const T *bias, const V<T> *x, int64_t columns, V<T> *y) {
  V<T> total[N];
  for (int i = 0; i < N; i++) total[i] = bias[i] - V<T>{};
  for (int64_t j = 0; j < columns; j++)
    for (int i = 0; i < N; i++) total[i] += w[i * columns + j] * x[j];
  for (int i = 0; i < N; i++) y[i] = total[i];
}

template <typename T>
inline void linear(const T *w, const T *bias, const V<T> *x, int64_t rows, int64_t columns, V<T> *y) {
  int64_t i = 0;
  for (; i + 8 <= rows; i += 8) rows_of<T, 8>(w + i * columns, bias + i, x, columns, y + i);
  for (; i + 4 <= rows; i += 4) rows_of<T, 4>(w + i * columns, bias + i, x, columns, y + i);
  for (; i < rows; i++) rows_of<T, 1>(w + i * columns, bias + i, x, columns, y + i);
}

// x[j] += sum_i w[i, j] y[i] for N columns.
template <typename T, int N>
inline void columns_of(const T *w, const V<T> *y, int64_t rows, int64_t columns, V<T> *x) {
  V<T> total[N];
  for (int j = 0; j < N; j++) total[j] = x[j];
  for (int64_t i = 0; i < rows; i++)
    for (int j = 0; j < N; j++) total[j] += w[i * columns + j] * y[i];
  for (int j = 0; j < N; j++) x[j] = total[j];
}

template <typename T>
inline void transposed(const T *w, const V<T> *y, int64_t rows, int64_t columns, V<T> *x) {
  int64_t j = 0;
  for (; j + 8 <= columns; j += 8) columns_of<T, 8>(w + j, y, rows, columns, x + j);
  for (; j + 4 <= columns; j += 4) columns_of<T, 4>(w + j, y, rows, columns, x + j);
  for (; j < columns; j++) columns_of<T, 1>(w + j, y, rows, columns, x + j);
}

template <typename T> inline T sum(V<T> x) {
  T total = 0;
  for (int lane = 0; lane < Lanes<T>::count; lane++) total += x[lane];
  return total;
}

// w[i, j] += sum over frames and lanes of y[t][i] x[t][j], for R x C entries.
template <typename T, int R, int C>
inline void outer_tile(const V<T> *y, int64_t y_step, const V<T> *x, int64_t x_step, int64_t frames,
                       int64_t columns, T *w) {
  V<T> total[R][C] = {};
  for (int64_t t = 0; t < frames; t++, y += y_step, x += x_step)
    for (int i = 0; i < R; i++)
      for (int j = 0; j < C; j++) total[i][j] += y[i] * x[j];
  for (int i = 0; i < R; i++)
    for (int j = 0; j < C; j++) w[i * columns + j] += sum<T>(total[i][j]);
}

template <typename T, int R>
inline void outer_rows(const V<T> *y, int64_t y_step, const V<T> *x, int64_t x_step, int64_t frames,
                       int64_t columns, T *w) {
  int64_t j = 0;
  for (; j + 4 <= columns; j += 4)
    outer_tile<T, R, 4>(y, y_step, x + j, x_step, frames, columns, w + j);
  for (; j < columns; j++) outer_tile<T, R, 1>(y, y_step, x + j, x_step, frames, columns, w + j);
}

template <typename T>
inline void outer(const V<T> *y, int64_t y_step, const V<T> *x, int64_t x_step, int64_t frames,
                  int64_t rows, int64_t columns, T *w) {
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4)
    outer_rows<T, 4>(y + i, y_step, x, x_step, frames, columns, w + i * columns);
  for (; i < rows; i++)
    outer_rows<T, 1>(y + i, y_step, x, x_step, frames, columns, w + i * columns);
}

template <typename T>
inline void column_sums(const V<T> *y, int64_t step, int64_t frames, int64_t rows, T *bias) {
  for (int64_t i = 0; i < rows; i++) {
    V<T> total = {};
    for (int64_t t = 0; t < frames; t++) total += y[t * step + i];
    bias[i] += sum<T>(total);
  }
}

template <typename T> struct Network {
  Shape shape;
  Row row;
  Frame frame;
  T leak, sharpness, margin, memory;

  Network(const Shape &s, T leak_, T sharpness_, T margin_)
      : shape(s), row{s.inputs, s.units, s.classes, s.layers}, frame{s.units, s.layers}, leak(leak_),
        sharpness(sharpness_), margin(margin_), memory(T(s.memory)) {}

  static constexpr int lanes = Lanes<T>::count;
  int64_t blocks() const { return (shape.clips + lanes - 1) / lanes; }

  // [block][frame][input][lane] from [clip][frame][input]; clips that are not there are 0.
  void arrange(const T *inputs, V<T> *arranged) const {
    for (int64_t b = 0; b < blocks(); b++)
      for (int64_t t = 0; t < shape.frames; t++)
        for (int64_t j = 0; j < shape.inputs; j++) {
          V<T> x = {};
          for (int lane = 0; lane < lanes && b * lanes + lane < shape.clips; lane++)
            x[lane] = inputs[((b * lanes + lane) * shape.frames + t) * shape.inputs + j];
          arranged[(b * shape.frames + t) * shape.inputs + j] = x;
        }
  }

  // 1 in the lanes of a block that hold a clip.
  V<T> present(int64_t block) const {
    V<T> x = {};
    for (int lane = 0; lane < lanes && block * lanes + lane < shape.clips; lane++) x[lane] = 1;
    return x;
  }

  // The means are over clips and frames: of x before each layer and after the last, [layers + 1, d],
  // and of the states, [layers, d].
  void forward(const T *p, const T *stray, const V<T> *inputs, int64_t block, V<T> *nodes, T *logits,
               T *means, T *penalty) const {
    const int64_t d = shape.units, k = shape.classes, L = shape.layers;
    const V<T> there = present(block);
    V<T> x[d], y[k], total_x[(L + 1) * d], total_h[L * d], intrusion = {};
    std::memset(total_x, 0, sizeof total_x);
    std::memset(total_h, 0, sizeof total_h);
    for (int64_t t = 0; t < shape.frames; t++) {
      V<T> *at = nodes + t * frame.size();
      const V<T> *before = at - frame.size();
      linear<T>(p + row.projection(), p + row.projection_bias(), inputs + t * shape.inputs, d,
                shape.inputs, at);
      for (int64_t i = 0; i < d; i++) {
        x[i] = at[i] = relu<T>(at[i]);
        total_x[i] += x[i];
      }
      for (int64_t l = 0; l < L; l++) {
        V<T> *c = at + frame.candidate(l), *h = at + frame.state(l), *v = at + frame.output(l);
        linear<T>(p + row.layer(l), p + row.candidate_bias(l), x, d, d, c);
        const T *hi = p + row.beta_hi(l), *width = p + row.width(l), *alpha = p + row.alpha(l);
        for (int64_t i = 0; i < d; i++) {
          c[i] += stray[l * d + i];
          const V<T> was = t ? before[frame.state(l) + i] : V<T>{};
          const T lo = hi[i] - width[i];
          const V<T> one = T(1) - V<T>{}, above = step<T>(c[i] - hi[i]);
          const V<T> hold = memory * step<T>(c[i] - lo) * (1 - above);
          h[i] = (hold + (1 - hold) * leak) * was + (1 - leak) * above * alpha[i];
          total_h[l * d + i] += h[i];
          if (margin > 0) {
            V<T> on = was / alpha[i];
            on = on > 1 ? one : on;
            const V<T> drawn = relu<T>(c[i]);
            V<T> far_hi = drawn - hi[i], far_lo = drawn - lo;
            far_hi = far_hi < 0 ? -far_hi : far_hi;
            far_lo = far_lo < 0 ? -far_lo : far_lo;
            intrusion += there * ((1 - on) * relu<T>(margin - far_hi) + on * relu<T>(margin - far_lo));
          }
        }
        linear<T>(p + row.output(l), p + row.output_bias(l), h, d, d, v);
        for (int64_t i = 0; i < d; i++) {
          v[i] = relu<T>(v[i]);
          x[i] += v[i];
          total_x[(l + 1) * d + i] += x[i];
        }
      }
      linear<T>(p + row.readout(), p + row.readout_bias(), x, k, d, y);
      for (int64_t j = 0; j < k; j++)
        for (int lane = 0; lane < lanes && block * lanes + lane < shape.clips; lane++)
          logits[((block * lanes + lane) * shape.frames + t) * k + j] = y[j][lane];
    }
    const T share = T(1) / (T(shape.clips) * T(shape.frames));
    for (int64_t i = 0; i < (L + 1) * d; i++) means[i] += sum<T>(there * total_x[i]) * share;
    for (int64_t i = 0; i < L * d; i++) means[(L + 1) * d + i] += sum<T>(there * total_h[i]) * share;
    *penalty += sum<T>(intrusion) * share / T(d);
  }

  // `nodes` is overwritten: projections and candidates and outputs by the gradients that arrive there.
  void backward(const T *p, const V<T> *inputs, int64_t block, V<T> *nodes, V<T> *running,
                const T *to_logits, const T *to_means, T to_penalty, T *gradient) const {
    const int64_t d = shape.units, k = shape.classes, L = shape.layers, F = frame.size();
    const V<T> there = present(block);
    const T share = T(1) / (T(shape.clips) * T(shape.frames));
    const T per_candidate = to_penalty * share / T(d), pi = T(3.14159265358979323846);
    const T steep = (pi * sharpness) * (pi * sharpness);
    V<T> arriving[L * d], to_x[d], to_hi[L * d], to_width[L * d], to_alpha[L * d];
    std::memset(arriving, 0, sizeof arriving);
    std::memset(to_hi, 0, sizeof to_hi);
    std::memset(to_width, 0, sizeof to_width);
    std::memset(to_alpha, 0, sizeof to_alpha);
    // running[t]: logit gradients [k], x before each layer [L d] and after the last [d], and the
    // gradient at the projection [d].
    const int64_t R = k + (L + 2) * d;
    for (int64_t t = shape.frames - 1; t >= 0; t--) {
      V<T> *at = nodes + t * F, *keep = running + t * R;
      const V<T> *before = at - F;
      for (int64_t j = 0; j < k; j++) {
        V<T> g = {};
        for (int lane = 0; lane < lanes && block * lanes + lane < shape.clips; lane++)
          g[lane] = to_logits[((block * lanes + lane) * shape.frames + t) * k + j];
        keep[j] = g;
      }
      V<T> *xs = keep + k;
      for (int64_t i = 0; i < d; i++) xs[i] = at[i];
      for (int64_t l = 0; l < L; l++)
        for (int64_t i = 0; i < d; i++)
          xs[(l + 1) * d + i] = xs[l * d + i] + at[frame.output(l) + i];
      for (int64_t i = 0; i < d; i++) to_x[i] = there * (to_means[L * d + i] * share);
      transposed<T>(p + row.readout(), keep, k, d, to_x);
      for (int64_t l = L - 1; l >= 0; l--) {
        V<T> *c = at + frame.candidate(l), *v = at + frame.output(l);
        V<T> *to_h = arriving + l * d;
        for (int64_t i = 0; i < d; i++) {
          v[i] = v[i] > 0 ? to_x[i] : V<T>{};
          to_h[i] += there * (to_means[(L + 1 + l) * d + i] * share);
        }
        transposed<T>(p + row.output(l), v, d, d, to_h);
        const T *hi = p + row.beta_hi(l), *width = p + row.width(l), *alpha = p + row.alpha(l);
        for (int64_t i = 0; i < d; i++) {
          const V<T> was = t ? before[frame.state(l) + i] : V<T>{};
          const V<T> one = T(1) - V<T>{};
          const T lo = hi[i] - width[i];
          const V<T> over = c[i] - hi[i], under = c[i] - lo;
          const V<T> above = step<T>(over), reached = memory * step<T>(under);
          const V<T> hold = reached * (1 - above);
          const V<T> g = to_h[i], to_hold = g * was * ((1 - leak) * memory);
          const V<T> to_above = g * ((1 - leak) * alpha[i]) - to_hold * reached;
          const V<T> q_hi = 1 + steep * over * over, q_lo = 1 + steep * under * under;
          const V<T> inverse = sharpness / (q_hi * q_lo);
          const V<T> g_hi = to_above * inverse * q_lo;
          const V<T> g_lo = to_hold * (1 - above) * inverse * q_hi;
          to_alpha[l * d + i] += g * above * (1 - leak);
          V<T> pull_hi = {}, pull_lo = {};
          if (margin > 0) {
            V<T> on = was / alpha[i];
            on = on > 1 ? one : on;
            const V<T> drawn = relu<T>(c[i]), a = drawn - hi[i], b = drawn - lo;
            const V<T> weight = per_candidate * there;
            // Towards the threshold the penalty grows: its slope is -sign(distance).
            pull_hi = a > 0 ? (a < margin ? -weight : V<T>{})
                            : (a < 0 ? (a > -margin ? weight : V<T>{}) : V<T>{});
            pull_lo = b > 0 ? (b < margin ? -weight : V<T>{})
                            : (b < 0 ? (b > -margin ? weight : V<T>{}) : V<T>{});
            pull_hi *= 1 - on;
            pull_lo *= on;
          }
          to_hi[l * d + i] -= g_hi + g_lo + pull_hi + pull_lo;
          to_width[l * d + i] += g_lo + pull_lo;
          const V<T> pull = pull_hi + pull_lo;
          to_h[i] = g * (hold + (1 - hold) * leak);
          c[i] = g_hi + g_lo + (c[i] > 0 ? pull : V<T>{});
        }
        for (int64_t i = 0; i < d; i++) to_x[i] += there * (to_means[l * d + i] * share);
        transposed<T>(p + row.layer(l), c, d, d, to_x);
      }
      for (int64_t i = 0; i < d; i++) keep[k + (L + 1) * d + i] = at[i] > 0 ? to_x[i] : V<T>{};
    }
    const int64_t n = shape.inputs, frames = shape.frames;
    outer<T>(running + k + (L + 1) * d, R, inputs, n, frames, d, n, gradient + row.projection());
    column_sums<T>(running + k + (L + 1) * d, R, frames, d, gradient + row.projection_bias());
    for (int64_t l = 0; l < L; l++) {
      outer<T>(nodes + frame.candidate(l), F, running + k + l * d, R, frames, d, d,
               gradient + row.layer(l));
      column_sums<T>(nodes + frame.candidate(l), F, frames, d, gradient + row.candidate_bias(l));
      outer<T>(nodes + frame.output(l), F, nodes + frame.state(l), F, frames, d, d,
               gradient + row.output(l));
      column_sums<T>(nodes + frame.output(l), F, frames, d, gradient + row.output_bias(l));
      for (int64_t i = 0; i < d; i++) {
        gradient[row.beta_hi(l) + i] += sum<T>(to_hi[l * d + i]);
        gradient[row.width(l) + i] += sum<T>(to_width[l * d + i]);
        gradient[row.alpha(l) + i] += sum<T>(to_alpha[l * d + i]);
      }
    }
    outer<T>(running, R, running + k + L * d, R, frames, k, d, gradient + row.readout());
    column_sums<T>(running, R, frames, k, gradient + row.readout_bias());
  }
};

// `nodes` holds what backward needs: every block of every network, or one block where `keep` is 0.
template <typename T>
void forward(const Shape &s, const T *rows, const T *stray, const T *inputs, double leak,
             double margin, int64_t keep, T *arranged, T *nodes, T *logits, T *means, T *penalty) {
  const Network<T> net(s, T(leak), T(0), T(margin));
  net.arrange(inputs, reinterpret_cast<V<T> *>(arranged));
  const int64_t block = s.frames * net.frame.size();
  for (int64_t n = 0; n < s.networks; n++)
    for (int64_t b = 0; b < net.blocks(); b++)
      net.forward(rows + n * net.row.size(), stray + n * s.layers * s.units,
                  reinterpret_cast<V<T> *>(arranged) + b * s.frames * s.inputs, b,
                  reinterpret_cast<V<T> *>(nodes) + keep * (n * net.blocks() + b) * block,
                  logits + n * s.clips * s.frames * s.classes,
                  means + n * (2 * s.layers + 1) * s.units, penalty + n);
}

template <typename T>
void backward(const Shape &s, const T *rows, const T *arranged, double leak, double sharpness,
              double margin, T *nodes, T *running, const T *to_logits, const T *to_means,
              const T *to_penalty, T *gradient) {
  const Network<T> net(s, T(leak), T(sharpness), T(margin));
  const int64_t block = s.frames * net.frame.size();
  for (int64_t n = 0; n < s.networks; n++)
    for (int64_t b = 0; b < net.blocks(); b++)
      net.backward(rows + n * net.row.size(),
                   reinterpret_cast<const V<T> *>(arranged) + b * s.frames * s.inputs, b,
                   reinterpret_cast<V<T> *>(nodes) + (n * net.blocks() + b) * block,
                   reinterpret_cast<V<T> *>(running),
                   to_logits + n * s.clips * s.frames * s.classes,
                   to_means + n * (2 * s.layers + 1) * s.units, to_penalty[n],
                   gradient + n * net.row.size());
}

}  // namespace

#define FUNCTIONS(T, name)                                                                        \
  extern "C" void forward_##name(const Shape *s, const T *rows, const T *stray, const T *inputs,  \
                                 double leak, double margin, int64_t keep, T *arranged, T *nodes, \
                                 T *logits, T *means, T *penalty) {                               \
    forward<T>(*s, rows, stray, inputs, leak, margin, keep, arranged, nodes, logits, means,       \
               penalty);                                                                          \
  }                                                                                               \
  extern "C" void backward_##name(const Shape *s, const T *rows, const T *arranged, double leak,  \
                                  double sharpness, double margin, T *nodes, T *running,          \
                                  const T *to_logits, const T *to_means, const T *to_penalty,     \
                                  T *gradient) {                                                  \
    backward<T>(*s, rows, arranged, leak, sharpness, margin, nodes, running, to_logits, to_means, \
                to_penalty, gradient);                                                            \
  }

FUNCTIONS(float, float32)
FUNCTIONS(double, float64)
