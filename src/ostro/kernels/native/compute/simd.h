// Vector primitives, once for each instruction set that the library is compiled for.
//
// The file that includes this is compiled with OSTRO_ISA naming the set, and everything it defines
// lies in that namespace. Integer sums are exact, and float operations come in the same order
// everywhere, so that all sets give the same bits.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace ostro::OSTRO_ISA {

#if defined(__AVX512VL__)
constexpr int kVectorRegisters = 32;
#else
constexpr int kVectorRegisters = 16;
#endif

// Before a loop over the rows of a tile: only what is unrolled keeps its sums in registers.
#define OSTRO_UNROLL _Pragma("GCC unroll 16")

// 8 x 32-bit integers or floats: one number of each of 8 rows.
using Ints = __m256i;
using Floats = __m256;

inline Floats load_halves(const void* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}

inline Floats load_bf16(const void* p) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

inline Floats spread(float x) { return _mm256_set1_ps(x); }
inline Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
inline Floats to_floats(Ints x) { return _mm256_cvtepi32_ps(x); }

// The sum of the 8 lanes, always in the same order.
inline float sum(Floats x) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

inline float largest(Floats x) {
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

// e^x to about 1 ulp for x in [-87, 88], clamped outside: x = n ln 2 + r, e^r by its Taylor series
// to degree 7 with |r| <= ln 2 / 2. e^0 is exactly 1.
inline Floats exp(Floats x) {
  x = _mm256_min_ps(_mm256_max_ps(x, spread(-87.0f)), spread(88.0f));
  const Floats n = _mm256_round_ps(_mm256_mul_ps(x, spread(1.44269504f)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  Floats r = _mm256_fnmadd_ps(n, spread(0.693145752f), x);
  r = _mm256_fnmadd_ps(n, spread(1.42860677e-6f), r);
  Floats y = spread(1.0f / 5040);
  for (float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) {
    y = fma(y, r, spread(c));
  }
  const Ints power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n),
                                                        _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(y, _mm256_castsi256_ps(power));
}

}  // namespace ostro::OSTRO_ISA
