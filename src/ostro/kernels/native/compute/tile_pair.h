// The inner loop for two groups at once, where registers hold 16 numbers: one activation that is
// spread over a register meets 16 rows of weights instead of 8. Each lane takes the float operations
// of tile32() in the same order, so the bits are the same.
#pragma once

#include "tile.h"

#if defined(__AVX512VNNI__)

namespace ostro::OSTRO_ISA {

constexpr bool kHasPairs = true;

using WideInts = __m512i;
using WideFloats = __m512;

inline WideInts beside(Ints first, Ints second) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
}

inline WideFloats beside(Floats first, Floats second) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(first), second, 1);
}

// As dot() in simd.h.
inline WideInts dot(WideInts total, WideInts weights, const int8_t* four) {
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(total)
      : "v"(weights), "m"(*reinterpret_cast<const int8_t(*)[4]>(four)));
  return total;
}

// out[m * stride + lane] for M rows and the 16 rows of two groups that are `size` bytes apart.
template <class Format, int M>
inline void tile32_pair(const uint8_t* chunk, int64_t size, int64_t columns,
                        const uint8_t* const* rows, float* out, int64_t stride) {
  WideFloats total[M];
  OSTRO_UNROLL
  for (int m = 0; m < M; ++m) total[m] = _mm512_setzero_ps();
  const int64_t blocks = columns / 32;
  for (int64_t b = 0; b < blocks; ++b, chunk += Format::kBytes) {
    prefetch_ahead<Format::kBytes>(chunk);
    prefetch_ahead<Format::kBytes>(chunk + size);
    Quads first, second;
    Format::unpack(chunk, first);
    Format::unpack(chunk + size, second);
    WideInts w[8];
    for (int j = 0; j < 8; ++j) w[j] = beside(first.at[j], second.at[j]);
    const WideFloats d = beside(load_halves(chunk), load_halves(chunk + size));
    OSTRO_UNROLL
    for (int m = 0; m < M; ++m) {
      const Block32& block = reinterpret_cast<const Block32*>(rows[m])[b];
      WideInts even = _mm512_setzero_si512(), odd = even;
      if constexpr (Format::kOffset != 0) {
        even = _mm512_slli_epi32(_mm512_set1_epi32(block.minus8), kOffsetShift<Format::kOffset>);
      }
      for (int j = 0; j < 8; j += 2) {
        even = dot(even, w[j], block.q + 4 * j);
        odd = dot(odd, w[j + 1], block.q + 4 * j + 4);
      }
      const WideFloats sums = _mm512_cvtepi32_ps(_mm512_add_epi32(even, odd));
      const WideFloats scale = _mm512_mul_ps(d, _mm512_set1_ps(block.scale));
      total[m] = _mm512_fmadd_ps(sums, scale, total[m]);
      if constexpr (Format::kMinimum) {
        const WideFloats least = beside(load_halves(chunk + 16), load_halves(chunk + size + 16));
        total[m] = _mm512_fmadd_ps(least, _mm512_set1_ps(block.scaled_sum), total[m]);
      }
    }
  }
  OSTRO_UNROLL
  for (int m = 0; m < M; ++m) _mm512_storeu_ps(out + m * stride, total[m]);
}

}  // namespace ostro::OSTRO_ISA

#else

namespace ostro::OSTRO_ISA {

constexpr bool kHasPairs = false;

}  // namespace ostro::OSTRO_ISA

#endif
