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

// Sum over quads [first, last) of weight * q, each lane one row: exact. `scale` holds two equal
// 16-bit factors a lane.
template <int Largest>
inline Ints scaled_dot(const Quads& w, const int8_t* q, int first, int last, Ints scale) {
  static_assert(Largest <= 63);
  constexpr int kRun = pairs_that_fit(Largest);
  Ints total = _mm256_setzero_si256();
  if constexpr (kHasDot) {
    for (int j = first; j < last; ++j) total = dot(total, w.at[j], spread(q + 4 * j));
    // The factor as a 32-bit number: both its halves are the same 16 bits.
    return _mm256_mullo_epi32(total, _mm256_srai_epi32(scale, 16));
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

// The same over 32 columns without a factor, less the offset times the sum of q.
template <int Largest, int Offset>
inline Ints offset_dot(const Quads& w, const Block32& block) {
  // minus8 times 1, 2 or 16; an offset of zero takes nothing away.
  constexpr int kShift = Offset == 16 ? 1 : Offset == 128 ? 4 : 0;
  Ints total = _mm256_setzero_si256();
  if constexpr (Offset != 0) {
    total = _mm256_slli_epi32(_mm256_set1_epi32(block.minus8), kShift);
  }
  if constexpr (kHasDot) {
    for (int j = 0; j < 8; ++j) total = dot(total, w.at[j], spread(block.q + 4 * j));
    return total;
  } else if constexpr (Largest > 127) {
    // Bytes of 8 bits overflow the 16-bit sum of two products. Signed again, w q = |w| (sign(w) q),
    // whose pairs just fit: 2 * 128 * 127.
    const Ints ones = _mm256_set1_epi16(1);
    total = _mm256_setzero_si256();
    for (int j = 0; j < 8; ++j) {
      const Bytes weight = _mm256_xor_si256(w.at[j], _mm256_set1_epi8(-128));
      const Bytes q = _mm256_sign_epi8(spread(block.q + 4 * j), weight);
      const Ints pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weight), q);
      total = _mm256_add_epi32(total, _mm256_madd_epi16(pairs, ones));
    }
    return total;
  } else {
    return _mm256_add_epi32(
        total, scaled_dot<Largest>(w, block.q, 0, 8, _mm256_set1_epi16(1)));
  }
}

// out[m * stride + lane] for M rows; `chunks` are the group's blocks.
template <class Format, int M>
inline void tile32(const uint8_t* chunk, int64_t columns, const uint8_t* const* rows, float* out,
                   int64_t stride) {
  Floats total[M];
  for (Floats& t : total) t = _mm256_setzero_ps();
  const int64_t blocks = columns / 32;
  for (int64_t b = 0; b < blocks; ++b, chunk += Format::kBytes) {
    Quads w;
    Format::unpack(chunk, w);
    const Floats d = load_halves(chunk);
    for (int m = 0; m < M; ++m) {
      const Block32& block = reinterpret_cast<const Block32*>(rows[m])[b];
      const Ints sums = offset_dot<Format::kLargest, Format::kOffset>(w, block);
      const Floats scale = _mm256_mul_ps(d, spread(block.scale));
      total[m] = fma(to_floats(sums), scale, total[m]);
      if constexpr (Format::kMinimum) {
        total[m] = fma(load_halves(chunk + 16), spread(block.scaled_sum), total[m]);
      }
    }
  }
  for (int m = 0; m < M; ++m) _mm256_storeu_ps(out + m * stride, total[m]);
}

inline Ints sum_pair(const Block256& block, int pair) {
  int32_t word;
  std::memcpy(&word, block.sums + 2 * pair, 4);
  return _mm256_set1_epi32(word);
}

// Factors of sub-blocks 2 * pair and 2 * pair + 1 beside each other, to meet sum_pair().
inline Ints paired(Ints even, Ints odd) { return _mm256_blend_epi16(even, odd, 0xaa); }

template <class Format, int M>
inline void tile256(const uint8_t* chunk, int64_t columns, const uint8_t* const* rows, float* out,
                    int64_t stride) {
  Floats total[M];
  for (Floats& t : total) t = _mm256_setzero_ps();
  const int64_t blocks = columns / 256;
  for (int64_t b = 0; b < blocks; ++b, chunk += Format::kBytes) {
    Ints sums[M], shift[M];
    for (int m = 0; m < M; ++m) sums[m] = shift[m] = _mm256_setzero_si256();
    const auto scales = Format::scales(chunk);
    const auto block = [&](int m) -> const Block256& {
      return reinterpret_cast<const Block256*>(rows[m])[b];
    };
    for (int sub = 0; sub < 8; ++sub) {
      Quads w;
      Format::unpack(chunk, sub, w);
      Ints first, second, minimum;
      if constexpr (Format::kScaled == 16) {
        first = scales.scale_at(2 * sub);
        second = scales.scale_at(2 * sub + 1);
        minimum = paired(first, second);
        if constexpr (Format::kMinimum) {
          minimum = paired(scales.minimum_at(2 * sub), scales.minimum_at(2 * sub + 1));
        }
      } else {
        first = second = scales.scale_at(sub);
        minimum = scales.minimum_at(sub);
      }
      for (int m = 0; m < M; ++m) {
        const int8_t* q = block(m).q + 32 * sub;
        if constexpr (Format::kScaled == 16) {
          const Ints low = scaled_dot<Format::kLargest>(w, q, 0, 4, first);
          const Ints high = scaled_dot<Format::kLargest>(w, q, 4, 8, second);
          sums[m] = _mm256_add_epi32(sums[m], _mm256_add_epi32(low, high));
        } else {
          sums[m] = _mm256_add_epi32(sums[m], scaled_dot<Format::kLargest>(w, q, 0, 8, first));
        }
        shift[m] = _mm256_add_epi32(shift[m], _mm256_madd_epi16(minimum, sum_pair(block(m), sub)));
      }
    }
    const Floats d = load_halves(chunk);
    for (int m = 0; m < M; ++m) {
      const Floats factor = spread(block(m).scale);
      Ints whole = sums[m];
      if constexpr (!Format::kMinimum) {
        whole = _mm256_sub_epi32(whole, _mm256_mullo_epi32(shift[m],
                                                           _mm256_set1_epi32(Format::kOffset)));
      }
      total[m] = fma(to_floats(whole), _mm256_mul_ps(d, factor), total[m]);
      if constexpr (Format::kMinimum) {
        const Floats lowest = _mm256_mul_ps(load_halves(chunk + 16), factor);
        total[m] = _mm256_fnmadd_ps(to_floats(shift[m]), lowest, total[m]);
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
