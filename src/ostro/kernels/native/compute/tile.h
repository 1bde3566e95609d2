// The inner loop: 16 rows of a packed matrix times M rows of activations.
//
// The same loop serves one row and many, and each output takes the same float operations in the
// same order whatever M is: that is why a row's result does not depend on its neighbours.
#pragma once

#include <atomic>

#include "../activations.h"
#include "formats.h"
#include "product.h"

namespace ostro::OSTRO_ISA {

// What Block32::minus8 is shifted by for the offsets 8, 16 and 128.
template <int Offset>
constexpr int kOffsetShift = Offset == 16 ? 1 : Offset == 128 ? 4 : 0;

// Minus the offset times the sum of a block's q.
template <int Offset>
inline Words minus_offset(const Block32& block) {
  if constexpr (Offset == 0) return spread_word(0);
  else return shift_left32<kOffsetShift<Offset>>(spread_word(block.minus8));
}

// Ask for what stands some way behind a chunk of weights: what is computed for several rows keeps
// the processor from looking that far ahead. For a row alone it follows the memory by itself.
template <class Format, int M>
inline void prefetch_ahead(const uint8_t* chunk) {
  constexpr int kAhead = 8192;
  if constexpr (M > 1) {
    for (int line = 0; line < Format::kBytes; line += 64) prefetch(chunk + kAhead + line);
  }
}

#if defined(__AVX512VNNI__)

// total + the sum over four quads from `first` of weight * q.
inline Words four_dots(Words total, const Quads& w, const int8_t* q, int first) {
  for (int j = first; j < first + 4; ++j) total = dot(total, w.at[j], q + 4 * j);
  return total;
}

// total + the sum over all quads of weight * q, in two chains: one would keep the processor waiting
// for its own last sum.
inline Words dots(Words total, const Quads& w, const int8_t* q) {
  Words other = spread_word(0);
  for (int j = 0; j < 8; j += 2) {
    total = dot(total, w.at[j], q + 4 * j);
    other = dot(other, w.at[j + 1], q + 4 * j + 4);
  }
  return add32(total, other);
}

// Sums over 32 columns of (w - offset) q, exact, for M rows.
template <class Format, int M, class BlockOf>
inline void block_dots(const Quads& w, BlockOf&& block, Words* sums) {
  OSTRO_UNROLL
  for (int m = 0; m < M; ++m) {
    sums[m] = dots(minus_offset<Format::kOffset>(block(m)), w, block(m).q);
  }
}

// sums += the sum over sub-block `sub` of scale * w * q, exact, for M rows.
template <class Format, int M, class QOf>
inline void scaled_dots(const Quads& w, const typename Format::Scales& scales, int sub, QOf&& q,
                        Words* sums) {
  if constexpr (Format::kScaled == 32) {
    const Words scale = scales.word(sub);
    OSTRO_UNROLL
    for (int m = 0; m < M; ++m) {
      sums[m] = add32(sums[m], times32(dots(spread_word(0), w, q(m)), scale));
    }
  } else if constexpr (Format::kLargest * 127 * 16 < 32768) {
    // The sums of both halves fit 16 bits, and meet their scales together.
    const Words pair = scales.pair(sub);
    OSTRO_UNROLL
    for (int m = 0; m < M; ++m) {
      const Words low = four_dots(spread_word(0), w, q(m), 0);
      const Words high = four_dots(spread_word(0), w, q(m), 4);
      sums[m] = dot16(sums[m], beside16(low, high), pair);
    }
  } else {
    const Words first = scales.word(2 * sub), second = scales.word(2 * sub + 1);
    OSTRO_UNROLL
    for (int m = 0; m < M; ++m) {
      const Words low = times32(four_dots(spread_word(0), w, q(m), 0), first);
      const Words high = times32(four_dots(spread_word(0), w, q(m), 4), second);
      sums[m] = add32(sums[m], add32(low, high));
    }
  }
}

inline void load_anew() {}

#else

// Both halves of a group meet the same activations. Compilers would spread those once, which is more
// than there are registers for, and keep them on the stack: storing 32 vectors takes longer than
// spreading them again.
inline void load_anew() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// Four products of pairs as 32-bit sums. Bytes of 8 bits overflow the 16-bit sum of two products;
// signed again, w q = |w| (sign(w) q), whose pairs just fit: 2 * 128 * 127.
inline Words wide_dot(Words total, Words weights, const int8_t* four) {
  const Words weight = differ(weights, spread_byte(-128));
  const Words q = _mm256_sign_epi8(spread(four), weight);
  return dot16(total, _mm256_maddubs_epi16(_mm256_abs_epi8(weight), q), _mm256_set1_epi16(1));
}

// How many products of pairs fit into a signed 16-bit sum: |sum| <= pairs * 2 * largest * 127.
constexpr int pairs_that_fit(int largest) {
  const int fit = 32767 / (2 * 127 * largest);
  return fit >= 8 ? 8 : fit >= 4 ? 4 : fit >= 2 ? 2 : 1;
}

// total + the sum over quads [first, last) of weight * q times `scale`, two equal 16-bit factors.
template <int Largest>
inline Words scaled_dot(Words total, const Quads& w, const int8_t* q, int first, int last,
                        Words scale) {
  static_assert(Largest <= 63);
  constexpr int kRun = pairs_that_fit(Largest);
  for (int j = first; j < last; j += kRun) {
    Words run = _mm256_maddubs_epi16(w.at[j], spread(q + 4 * j));
    for (int i = j + 1; i < j + kRun && i < last; ++i) {
      run = _mm256_add_epi16(run, _mm256_maddubs_epi16(w.at[i], spread(q + 4 * i)));
    }
    total = dot16(total, run, scale);
  }
  return total;
}

// As above. Half the quads meet all rows and then the other half, which leaves registers for the
// rows' sums.
template <class Format, int M, class BlockOf>
inline void block_dots(const Quads& w, BlockOf&& block, Words* sums) {
  const Words ones = _mm256_set1_epi16(1);
  constexpr bool kWide = Format::kLargest > 127;
  OSTRO_UNROLL
  for (int m = 0; m < M; ++m) {
    sums[m] = kWide ? spread_word(0) : minus_offset<Format::kOffset>(block(m));
  }
  for (int half = 0; half < 8; half += 4) {
    OSTRO_UNROLL
    for (int m = 0; m < M; ++m) {
      if constexpr (kWide) {
        for (int j = half; j < half + 4; ++j) {
          sums[m] = wide_dot(sums[m], w.at[j], block(m).q + 4 * j);
        }
      } else {
        sums[m] = scaled_dot<Format::kLargest>(sums[m], w, block(m).q, half, half + 4, ones);
      }
    }
  }
}

template <class Format, int M, class QOf>
inline void scaled_dots(const Quads& w, const typename Format::Scales& scales, int sub, QOf&& q,
                        Words* sums) {
  constexpr bool kSixteen = Format::kScaled == 16;
  const Words first = scales.doubled(kSixteen ? 2 * sub : sub);
  const Words second = kSixteen ? scales.doubled(2 * sub + 1) : first;
  OSTRO_UNROLL
  for (int m = 0; m < M; ++m) {
    sums[m] = scaled_dot<Format::kLargest>(sums[m], w, q(m), 0, 4, first);
    sums[m] = scaled_dot<Format::kLargest>(sums[m], w, q(m), 4, 8, second);
  }
}

#endif

// One half of a block of 32 columns: total += d (w - offset) q, and the minimum's part.
template <class Format, int M>
inline void add_block(const uint8_t* chunk, int half, const uint8_t* const* rows, int64_t b,
                      Reals* total) {
  const auto block = [&](int m) -> const Block32& {
    return reinterpret_cast<const Block32*>(rows[m])[b];
  };
  const uint8_t* halves = chunk + half_offset(half, 2);
  const Quads w = Format::unpack(chunk + Format::kPlanes + half_offset(half, 4));
  const Reals d = load_half_reals(halves);
  Words sums[M];
  block_dots<Format, M>(w, block, sums);
  OSTRO_UNROLL
  for (int m = 0; m < M; ++m) {
    const Reals scale = times(d, spread_real(block(m).scale));
    total[m] = times_add(to_reals(sums[m]), scale, total[m]);
    if constexpr (Format::kMinimum) {
      const Reals minimum = load_half_reals(halves + kVectorBytes / 2);
      total[m] = times_add(minimum, spread_real(block(m).scaled_sum), total[m]);
    }
  }
}

// Two sums of 16 columns' q beside each other.
inline Words sum_pair(const Block256& block, int pair) {
  int32_t word;
  std::memcpy(&word, block.sums + 2 * pair, 4);
  return spread_word(word);
}

// What the sums of q are multiplied by, two at once: minimums, or scales, which an offset is taken
// away with.
template <class Format>
inline Words shift_factors(const typename Format::Scales& factors, int pair) {
  return Format::kScaled == 32 ? factors.doubled(pair) : factors.pair(pair);
}

// One half of a block of 256 columns.
template <class Format, int M>
inline void add_big_block(const uint8_t* chunk, int half, const uint8_t* const* rows, int64_t b,
                          Reals* total) {
  const auto block = [&](int m) -> const Block256& {
    return reinterpret_cast<const Block256*>(rows[m])[b];
  };
  const uint8_t* halves = chunk + half_offset(half, 2);
  const uint8_t* scale_words = chunk + Format::kScales + half_offset(half, 4);
  const uint8_t* planes = chunk + Format::kPlanes + half_offset(half, 4);
  const typename Format::Scales scales = Format::scales(scale_words);
  Words sums[M];
  OSTRO_UNROLL
  for (int m = 0; m < M; ++m) sums[m] = spread_word(0);
  for (int sub = 0; sub < 8; ++sub) {
    const Quads w = Format::unpack(planes + sub * Format::kSubBytes);
    const auto q = [&](int m) { return block(m).q + 32 * sub; };
    scaled_dots<Format, M>(w, scales, sub, q, sums);
  }

  typename Format::Scales shifts = scales;
  if constexpr (Format::kMinimum) shifts = Format::minimums(scale_words);
  Words factors[8];
  for (int pair = 0; pair < 8; ++pair) factors[pair] = shift_factors<Format>(shifts, pair);
  const Reals d = load_half_reals(halves);
  for (int m = 0; m < M; ++m) {
    Words shift = spread_word(0);
    for (int i = 0; i < 8; ++i) shift = dot16(shift, factors[i], sum_pair(block(m), i));
    const Reals scale = spread_real(block(m).scale);
    if constexpr (Format::kMinimum) {
      const Reals lowest = load_half_reals(halves + kVectorBytes / 2);
      total[m] = times_add(to_reals(sums[m]), times(d, scale), total[m]);
      total[m] = times_subtract(to_reals(shift), times(lowest, scale), total[m]);
    } else {
      const Words whole = subtract32(sums[m], times32(shift, spread_word(Format::kOffset)));
      total[m] = times_add(to_reals(whole), times(d, scale), total[m]);
    }
  }
}

// out[m * stride + lane] for M rows; `chunk` is the group's first.
template <class Format, int M>
inline void tile(const uint8_t* chunk, int64_t columns, const uint8_t* const* rows, float* out,
                 int64_t stride) {
  Reals total[kHalves][M];
  for (auto& half : total) for (Reals& t : half) t = spread_real(0);
  const int64_t blocks = columns / Format::kBlock;
  for (int64_t b = 0; b < blocks; ++b, chunk += Format::kBytes) {
    prefetch_ahead<Format, M>(chunk);
    for (int half = 0; half < kHalves; ++half) {
      load_anew();
      if constexpr (Format::kBlock == 32) add_block<Format, M>(chunk, half, rows, b, total[half]);
      else add_big_block<Format, M>(chunk, half, rows, b, total[half]);
    }
  }
  for (int half = 0; half < kHalves; ++half) {
    for (int m = 0; m < M; ++m) store(out + m * stride + kLanes * half, total[half][m]);
  }
}

// Dense types: N groups at once, so that one row of activations still keeps several sums going.
// Sums run over 512 columns and are then added up, which keeps their rounding small.
template <class Format, int M, int N>
inline void tile_dense(const uint8_t* group, int64_t columns, const uint8_t* const* rows,
                       float* out, int64_t stride) {
  constexpr int64_t kRun = 512;
  constexpr int kVectors = N * kHalves;
  const int64_t group_size = columns * Format::kBytes;
  for (int64_t start = 0; start < columns; start += kRun) {
    const int64_t end = start + kRun < columns ? start + kRun : columns;
    Reals total[M][kVectors];
    for (auto& row : total) for (Reals& t : row) t = spread_real(0);
    for (int64_t k = start; k < end; ++k) {
      Reals w[kVectors];
      for (int n = 0; n < kVectors; ++n) {
        w[n] = Format::read(group + n / kHalves * group_size + k * Format::kBytes +
                            half_offset(n % kHalves, Format::kWidth));
      }
      for (int m = 0; m < M; ++m) {
        const Reals x = spread_real(reinterpret_cast<const float*>(rows[m])[k]);
        for (int n = 0; n < kVectors; ++n) total[m][n] = times_add(w[n], x, total[m][n]);
      }
    }
    for (int m = 0; m < M; ++m) {
      for (int n = 0; n < kVectors; ++n) {
        float* place = out + m * stride + kLanes * n;
        store(place, add(start ? load_reals(place) : spread_real(0), total[m][n]));
      }
    }
  }
}

}  // namespace ostro::OSTRO_ISA
