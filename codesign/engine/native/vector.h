// Lanes: sixteen samples side by side in one vector value, or one sample per thread on a GPU.
// GCC and Clang turn these vectors into AVX-512, AVX2 or NEON; nothing here names a processor.
// CODESIGN_SCALAR builds what a GPU thread runs for the processor, where it can be tested.
#pragma once

#if defined(__CUDACC__) || defined(CODESIGN_SCALAR)

#ifdef __CUDACC__
#define FN static __device__ __forceinline__
FN float from_bits(int n) { return __int_as_float(n); }
FN int to_bits(float x) { return __float_as_int(x); }
FN float vsqrt(float x) { return sqrtf(x); }
#else
#define FN static inline __attribute__((always_inline))
FN float from_bits(int n) {
  float x;
  __builtin_memcpy(&x, &n, sizeof x);
  return x;
}
FN int to_bits(float x) {
  int n;
  __builtin_memcpy(&n, &x, sizeof n);
  return n;
}
FN float vsqrt(float x) { return __builtin_sqrtf(x); }
#endif

constexpr int LANES = 1;
// Neighbouring threads take neighbouring samples: rows of this many columns, one for each thread.
constexpr int COLUMNS = 32;
typedef float V;
typedef int I;
FN V set(float x) { return x; }
FN I truncate(V x) { return (int)x; }
FN V convert(I n) { return (float)n; }
FN bool any(I m) { return m != 0; }
FN I mask(bool m) { return m ? -1 : 0; }
FN V where(I m, V a, V b) { return m ? a : b; }
// A 32-bit finaliser (lowbias32, C. Wellons).
FN I hash(I x) {
  unsigned h = (unsigned)x;
  h ^= h >> 16;
  h *= 0x7feb352du;
  h ^= h >> 15;
  h *= 0x846ca68bu;
  return (I)(h ^ (h >> 16));
}
FN float lane(V x, int) { return x; }
FN void set_lane(V& x, int, float y) { x = y; }
FN void set_lane(I& x, int, int y) { x = y; }

// One thread's column of an array.
template <class T>
struct Rows {
  T* at;
#ifdef __CUDACC__
  __device__
#endif
      T& operator[](long long i) const {
    return at[i * COLUMNS];
  }
};
template <class T>
FN Rows<T> operator+(Rows<T> rows, long long i) {
  return Rows<T>{rows.at + i * COLUMNS};
}

#else

#define FN static inline __attribute__((always_inline))
#ifdef __AVX512F__
#define BYTES 64
#else
#define BYTES 32
#endif
typedef float Reals __attribute__((vector_size(BYTES)));
typedef int Integers __attribute__((vector_size(BYTES)));
typedef long long Wide __attribute__((vector_size(BYTES)));
#ifndef PACKS
#define PACKS (64 / BYTES)
#endif
constexpr int LANES = 16;
constexpr int COLUMNS = 1;
template <class T>
using Rows = T*;
// Several machine vectors at once: while one waits for a result, another is computed.
struct I {
  Integers p[PACKS];
};
struct V {
  Reals p[PACKS];
};
#define EACH for (int k_ = 0; k_ < PACKS; k_++)
FN V set(float x) {
  V r;
  EACH r.p[k_] = x - (Reals){};
  return r;
}
#define OPERATOR(o)                                                                       \
  FN V operator o(V a, V b) { V r; EACH r.p[k_] = a.p[k_] o b.p[k_]; return r; }           \
  FN V operator o(V a, float b) { V r; EACH r.p[k_] = a.p[k_] o b; return r; }             \
  FN V operator o(float a, V b) { V r; EACH r.p[k_] = a o b.p[k_]; return r; }             \
  FN V& operator o##=(V& a, V b) { a = a o b; return a; }                                  \
  FN V& operator o##=(V& a, float b) { a = a o b; return a; }
OPERATOR(+)
OPERATOR(-)
OPERATOR(*)
OPERATOR(/)
#define COMPARISON(o)                                                                     \
  FN I operator o(V a, V b) { I r; EACH r.p[k_] = a.p[k_] o b.p[k_]; return r; }           \
  FN I operator o(V a, float b) { I r; EACH r.p[k_] = a.p[k_] o b; return r; }
COMPARISON(<)
COMPARISON(>)
COMPARISON(==)
COMPARISON(!=)
FN V operator-(V a) { V r; EACH r.p[k_] = -a.p[k_]; return r; }
FN I operator&(I a, int b) { I r; EACH r.p[k_] = a.p[k_] & b; return r; }
FN I operator+(I a, int b) { I r; EACH r.p[k_] = a.p[k_] + b; return r; }
FN I operator<<(I a, int b) { I r; EACH r.p[k_] = a.p[k_] << b; return r; }
FN I& operator|=(I& a, I b) { EACH a.p[k_] |= b.p[k_]; return a; }
FN V where(I m, V a, V b) { V r; EACH r.p[k_] = m.p[k_] ? a.p[k_] : b.p[k_]; return r; }
FN V convert(I n) { V r; EACH r.p[k_] = __builtin_convertvector(n.p[k_], Reals); return r; }
FN I truncate(V x) { I r; EACH r.p[k_] = __builtin_convertvector(x.p[k_], Integers); return r; }
FN V from_bits(I n) { V r; EACH r.p[k_] = (Reals)n.p[k_]; return r; }
FN I to_bits(V x) { I r; EACH r.p[k_] = (Integers)x.p[k_]; return r; }
typedef unsigned Words __attribute__((vector_size(BYTES)));
FN V vsqrt(V x) {
  V r;
  for (int k = 0; k < LANES; k++) r.p[k / (BYTES / 4)][k % (BYTES / 4)] = __builtin_sqrtf(x.p[k / (BYTES / 4)][k % (BYTES / 4)]);
  return r;
}
// A 32-bit finaliser (lowbias32, C. Wellons) on every lane.
FN I hash(I x) {
  I r;
  EACH {
    Words h = (Words)x.p[k_];
    h ^= h >> 16;
    h *= 0x7feb352du;
    h ^= h >> 15;
    h *= 0x846ca68bu;
    r.p[k_] = (Integers)(h ^ (h >> 16));
  }
  return r;
}
FN I operator^(I a, I b) { I r; EACH r.p[k_] = a.p[k_] ^ b.p[k_]; return r; }
FN I operator^(I a, int b) { I r; EACH r.p[k_] = a.p[k_] ^ b; return r; }
FN float lane(const V& x, int k) { return x.p[k / (BYTES / 4)][k % (BYTES / 4)]; }
FN void set_lane(V& x, int k, float y) { x.p[k / (BYTES / 4)][k % (BYTES / 4)] = y; }
FN void set_lane(I& x, int k, int y) { x.p[k / (BYTES / 4)][k % (BYTES / 4)] = y; }
FN bool any(I m) {
  Wide w = (Wide)m.p[0];
  for (int k = 1; k < PACKS; k++) w |= (Wide)m.p[k];
  long long r = 0;
  for (int k = 0; k < BYTES / 8; k++) r |= w[k];
  return r != 0;
}
FN I mask(I m) { return m; }

#endif

// Samples side by side in the caller's arrays: (groups, ..., WIDTH).
constexpr int WIDTH = LANES * COLUMNS;
// What rows of n values begin with: the first value of one thread's column.
template <class T>
FN Rows<T> rows_at(T* column) {
#if defined(__CUDACC__) || defined(CODESIGN_SCALAR)
  return Rows<T>{column};
#else
  return column;
#endif
}

FN V vmin(V a, V b) { return where(a < b, a, b); }
FN V vmax(V a, V b) { return where(a > b, a, b); }
FN V vabs(V a) { return from_bits(to_bits(a) & 0x7fffffff); }
FN V clamp(V a, float limit) { return vmin(vmax(a, set(-limit)), set(limit)); }

// e^x to 2e-7 relative, saturating far outside float's range (coefficients: Cephes expf).
FN V vexp(V x) {
  x = clamp(x, 80.f);
  V y = x * 1.44269504f;
  I whole = truncate(y + where(y > 0.f, set(0.5f), set(-0.5f)));
  V n = convert(whole);
  V r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = (p * r) * r + (r + 1.f);
  return p * from_bits((whole + 127) << 23);
}

// e^x for moderate x: Taylor of a quarter, squared twice; 1e-5 at |x| = 1.5.
FN V exp_small(V x) {
  V q = clamp(x, 3.f) * 0.25f;
  V p = q * (1.f / 120) + (1.f / 24);
  p = p * q + (1.f / 6);
  p = p * q + 0.5f;
  p = p * q + 1.f;
  p = p * q + 1.f;
  p = p * p;
  return p * p;
}

// ln(1 + e^x) and its derivative (the logistic function), relative error 1e-5 however small.
FN void softplus(V x, V& value, V& slope) {
  V e = vexp(-vabs(x));
  V q = e * -0.0064535442f + 0.0360884937f;
  q = q * e - 0.0953293897f;
  q = q * e + 0.1676540711f;
  q = q * e - 0.2407338084f;
  q = q * e + 0.3317990258f;
  q = q * e - 0.4998741238f;
  q = q * e + 0.9999964239f;
  value = e * q + vmax(x, set(0.f));
  slope = where(x > 0.f, set(1.f), e) / (e + 1.f);
}

// ln x for positive normal x (Cephes logf), to 1e-7.
FN V vlog(V x) {
  I bits = to_bits(x);
  V e = convert(bits & 0x7f800000) * (1.f / 8388608) - 126.f;
  V m = from_bits((bits & 0x007fffff) + 0x3f000000);
  I low = mask(m < 0.707106781f);
  e = e - where(low, set(1.f), set(0.f));
  m = where(low, m + m, m) - 1.f;
  V p = m * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  V z = m * m;
  return m + (p * m * z - z * 0.5f) + e * 0.693147180f;
}

// sin(pi x) for x in [-1, 1], to 4e-6.
FN V sin_pi(V x) {
  V folded = where(x > 0.5f, 1.f - x, where(x < -0.5f, -1.f - x, x));
  V y = folded * 3.14159265f, z = y * y;
  V p = z * (1.f / 362880) - (1.f / 5040);
  p = p * z + (1.f / 120);
  p = p * z - (1.f / 6);
  return (p * z + 1.f) * y;
}
