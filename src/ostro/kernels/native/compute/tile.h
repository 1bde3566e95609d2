// The inner loop: 8 rows of a packed matrix times M rows of activations.
//
// The same loop serves one row and many, and each output takes the same float operations in the
// same order whatever M is: that is why a row's result does not depend on its neighbours.
#pragma once

#include "../activations.h"
#include "formats.h"

namespace ostro::OSTRO_ISA {

// How many products of pairs fit into a signed 16-bit sum: |sum| <= pairs * 2 * largest * 127.
constexpr int pairs_that_fit(int largest) {
  const int fit = 32767 / (2 * 127 * largest);
  return fit >= 8 ? 8 : fit >= 4 ? 4 : fit >= 2 ? 2 : 1;
}

// total + the sum over quads [first, last) of weight * q, in two chains: one would keep the
// processor waiting for its own last sum.
inline Ints dots(Ints total, const Quads& w, const int8_t* q, int first, int last) {
  Ints other = _mm256_setzero_si256();
  for (int j = first; j < last; j += 2) {
    total = dot(total, w.at[j], q + 4 * j);
    other = dot(other, w.at[j + 1], q + 4 * j + 4);
  }
  return _mm256_add_epi32(total, other);
}

// Sum over quads [first, last) of weight * q, each lane one row: exact. `scale` holds two equal
// 16-bit factors a lane.
template <int Largest>
inline Ints scaled_dot(const Quads& w, const int8_t* q, int first, int last, Ints scale) {
  static_assert(Largest <= 63);
  constexpr int kRun = pairs_that_fit(Largest);
  Ints total = _mm256_setzero_si256();
  if constexpr (kHasDot) {
    // The factor as a 32-bit number: both its halves are the same 16 bits.
    return _mm256_mullo_epi32(dots(total, w, q, first, last), _mm256_srai_epi32(scale, 16));
  } else {
    for (int j = first; j < last; j += kRun) {
      Ints run = _mm256_maddubs_epi16(w.at[j], spread(q + 4 * j));
      for (int i = j + 1; i < j + kRun && i < last; ++i) {
        run = _mm256_add_epi16(run, _mm256_maddubs_epi16(w.at[i], spread(q + 4 * i)));
      }
      total = _mm256_add_epi32(total, _mm256_madd_epi16(run, scale));
    }
    return total;
  }
}

// What Block32::minus8 is shifted by for the offsets 8, 16 and 128.
template <int Offset>
constexpr int kOffsetShift = Offset == 16 ? 1 : Offset == 128 ? 4 : 0;

// Minus the offset times the sum of a block's q.
template <int Offset>
inline Ints minus_offset(const Block32& block) {
  if constexpr (Offset == 0) return _mm256_setzero_si256();
  return _mm256_slli_epi32(_mm256_set1_epi32(block.minus8), kOffsetShift<Offset>);
}

// Four products of pairs as 32-bit sums. Bytes of 8 bits overflow the 16-bit sum of two products;
// signed again, w q = |w| (sign(w) q), whose pairs just fit: 2 * 128 * 127.
inline Ints wide_dot(Ints total, Bytes weights, const int8_t* four) {
  const Bytes weight = _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
  const Bytes q = _mm256_sign_epi8(spread(four), weight);
  const Ints pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weight), q);
  return _mm256_add_epi32(total, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// Sums over 32 columns of (w - offset) q, exact, for M rows, where there is no instruction for it:
// half the quads meet all rows and then the other half, which leaves registers for the rows' sums.
template <class Format, int M>
inline void block_dots(const Quads& w, const uint8_t* const* rows, int64_t b, Ints* sums) {
  constexpr int kLargest = Format::kLargest, kOffset = Format::kOffset;
  const auto block = [&](int m) -> const Block32& {
    return reinterpret_cast<const Block32*>(rows[m])[b];
  };
  if constexpr (kLargest > 127) {
    OSTRO_UNROLL
    for (int m = 0; m < M; ++m) sums[m] = _mm256_setzero_si256();
    for (int half = 0; half < 8; half += 4) {
      OSTRO_UNROLL
      for (int m = 0; m < M; ++m) {
        for (int j = half; j < half + 4; ++j) {
          sums[m] = wide_dot(sums[m], w.at[j], block(m).q + 4 * j);
        }
      }
    }
  } else {
    const Ints ones = _mm256_set1_epi16(1);
    OSTRO_UNROLL
    for (int m = 0; m < M; ++m) sums[m] = minus_offset<kOffset>(block(m));
    for (int half = 0; half < 8; half += 4) {
      OSTRO_UNROLL
      for (int m = 0; m < M; ++m) {
        const Ints part = scaled_dot<kLargest>(w, block(m).q, half, half + 4, ones);
        sums[m] = _mm256_add_epi32(sums[m], part);
      }
    }
  }
}

// Ask for what stands some way behind a chunk of weights: the processor's own guesses end with each
// page of 4 KiB, and what it computes for several rows keeps it from looking further ahead.
template <int Bytes>
inline void prefetch_ahead(const uint8_t* chunk) {
  constexpr int kAhead = 8192;
  for (int line = 0; line < Bytes; line += 64) prefetch(chunk + kAhead + line);
}

// For a row alone even that costs more than it brings. The processor follows it within a page; of
// the next page it is shown the first lines, and of the one after that where it begins.
inline void prefetch_pages(const uint8_t* chunk) {
  constexpr uintptr_t kPage = 4096, kLines = 4;
  const uintptr_t at = reinterpret_cast<uintptr_t>(chunk), next = (at | (kPage - 1)) + 1;
  const uintptr_t line = at % kPage / (kPage / kLines);
  prefetch(reinterpret_cast<const uint8_t*>(next + 64 * line));
  prefetch(reinterpret_cast<const uint8_t*>(next + kPage));
}

// out[m * stride + lane] for M rows; `chunks` are the group's blocks.
template <class Format, int M>
inline void tile32(const uint8_t* chunk, int64_t columns, const uint8_t* const* rows, float* out,
                   int64_t stride) {
  Floats total[M];
  OSTRO_UNROLL
  for (int m = 0; m < M; ++m) total[m] = _mm256_setzero_ps();
  const int64_t blocks = columns / 32;
  for (int64_t b = 0; b < blocks; ++b, chunk += Format::kBytes) {
    if constexpr (M >= 2) prefetch_ahead<Format::kBytes>(chunk); else prefetch_pages(chunk);
    Quads w;
    Format::unpack(chunk, w);
    const Floats d = load_halves(chunk);
    Ints sums[M];
    if constexpr (!kHasDot) block_dots<Format, M>(w, rows, b, sums);
    OSTRO_UNROLL
    for (int m = 0; m < M; ++m) {
      const Block32& block = reinterpret_cast<const Block32*>(rows[m])[b];
      if constexpr (kHasDot) {
        sums[m] = dots(minus_offset<Format::kOffset>(block), w, block.q, 0, 8);
      }
      const Floats scale = _mm256_mul_ps(d, spread(block.scale));
      total[m] = fma(to_floats(sums[m]), scale, total[m]);
      if constexpr (Format::kMinimum) {
        total[m] = fma(load_halves(chunk + 16), spread(block.scaled_sum), total[m]);
      }
    }
  }
  OSTRO_UNROLL
  for (int m = 0; m < M; ++m) _mm256_storeu_ps(out + m * stride, total[m]);
}

inline Ints sum_pair(const Block256& block, int pair) {
  int32_t word;
  std::memcpy(&word, block.sums + 2 * pair, 4);
  return _mm256_set1_epi32(word);
}

// Factors of sub-blocks 2 * pair and 2 * pair + 1 beside each other, to meet sum_pair().
inline Ints paired(Ints even, Ints odd) { return _mm256_blend_epi16(even, odd, 0xaa); }

// What the sums of two runs of 16 columns are multiplied by: minimums, or scales, which an offset
// is taken away with.
template <class Format, class Scales>
inline Ints minimum_pair(const Scales& scales, int sub) {
  if constexpr (Format::kScaled == 32) return scales.minimum_at(sub);
  else if constexpr (Format::kMinimum) {
    return paired(scales.minimum_at(2 * sub), scales.minimum_at(2 * sub + 1));
  } else {
    return paired(scales.scale_at(2 * sub), scales.scale_at(2 * sub + 1));
  }
}

template <class Format, int M>
inline void tile256(const uint8_t* chunk, int64_t columns, const uint8_t* const* rows, float* out,
                    int64_t stride) {
  Floats total[M];
  for (Floats& t : total) t = _mm256_setzero_ps();
  const int64_t blocks = columns / 256;
  for (int64_t b = 0; b < blocks; ++b, chunk += Format::kBytes) {
    if constexpr (M >= 4) prefetch_ahead<Format::kBytes>(chunk); else prefetch_pages(chunk);
    Ints sums[M];
    OSTRO_UNROLL
    for (int m = 0; m < M; ++m) sums[m] = _mm256_setzero_si256();
    const auto scales = Format::scales(chunk);
    const auto block = [&](int m) -> const Block256& {
      return reinterpret_cast<const Block256*>(rows[m])[b];
    };
    for (int sub = 0; sub < 8; ++sub) {
      Quads w;
      Format::unpack(chunk, sub, w);
      constexpr bool kHalves = Format::kScaled == 16;
      const Ints first = scales.scale_at(kHalves ? 2 * sub : sub);
      const Ints second = kHalves ? scales.scale_at(2 * sub + 1) : first;
      OSTRO_UNROLL
      for (int m = 0; m < M; ++m) {
        const int8_t* q = block(m).q + 32 * sub;
        if constexpr (kHalves) {
          const Ints low = scaled_dot<Format::kLargest>(w, q, 0, 4, first);
          const Ints high = scaled_dot<Format::kLargest>(w, q, 4, 8, second);
          sums[m] = _mm256_add_epi32(sums[m], _mm256_add_epi32(low, high));
        } else {
          sums[m] = _mm256_add_epi32(sums[m], scaled_dot<Format::kLargest>(w, q, 0, 8, first));
        }
      }
    }
    Ints minimums[8];
    for (int sub = 0; sub < 8; ++sub) minimums[sub] = minimum_pair<Format>(scales, sub);
    const Floats d = load_halves(chunk);
    for (int m = 0; m < M; ++m) {
      Ints shift = _mm256_setzero_si256();
      for (int sub = 0; sub < 8; ++sub) {
        const Ints part = _mm256_madd_epi16(minimums[sub], sum_pair(block(m), sub));
        shift = _mm256_add_epi32(shift, part);
      }
      const Floats factor = spread(block(m).scale);
      Ints whole = sums[m];
      if constexpr (!Format::kMinimum) {
        const Ints offset = _mm256_set1_epi32(Format::kOffset);
        whole = _mm256_sub_epi32(whole, _mm256_mullo_epi32(shift, offset));
      }
      total[m] = fma(to_floats(whole), _mm256_mul_ps(d, factor), total[m]);
      if constexpr (Format::kMinimum) {
        const Floats lowest = _mm256_mul_ps(load_halves(chunk + 16), factor);
        total[m] = _mm256_fnmadd_ps(to_floats(shift), lowest, total[m]);
      }
    }
  }
  for (int m = 0; m < M; ++m) _mm256_storeu_ps(out + m * stride, total[m]);
}

// Dense types: N groups at once, so that one row of activations still keeps several sums going.
// Sums run over 512 columns and are then added up, which keeps their rounding small.
template <class Format, int M, int N>
inline void tile_dense(const uint8_t* group, int64_t columns, const uint8_t* const* rows,
                       float* out, int64_t stride) {
  constexpr int64_t kRun = 512;
  const int64_t group_size = columns * Format::kBytes;
  for (int64_t start = 0; start < columns; start += kRun) {
    const int64_t end = start + kRun < columns ? start + kRun : columns;
    Floats total[M][N];
    for (auto& row : total) for (Floats& t : row) t = _mm256_setzero_ps();
    for (int64_t k = start; k < end; ++k) {
      Floats w[N];
      for (int n = 0; n < N; ++n) w[n] = Format::read(group + n * group_size + k * Format::kBytes);
      for (int m = 0; m < M; ++m) {
        const Floats x = spread(reinterpret_cast<const float*>(rows[m])[k]);
        for (int n = 0; n < N; ++n) total[m][n] = fma(w[n], x, total[m][n]);
      }
    }
    for (int m = 0; m < M; ++m) {
      for (int n = 0; n < N; ++n) {
        float* place = out + m * stride + 8 * n;
        const Floats before = start ? _mm256_loadu_ps(place) : _mm256_setzero_ps();
        _mm256_storeu_ps(place, _mm256_add_ps(before, total[m][n]));
      }
    }
  }
}

}  // namespace ostro::OSTRO_ISA
