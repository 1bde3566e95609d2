#include "product.h"

#include <algorithm>
#include <cmath>

#include "tile.h"

namespace ostro::OSTRO_ISA {
namespace {

// All groups for M rows.
template <class Format, int M>
void sweep(const uint8_t* group, int64_t groups, int64_t columns, const uint8_t* const* rows,
           float* out, int64_t stride) {
  const int64_t size = columns / Format::kBlock * Format::kBytes;
  if constexpr (Format::kBlock == 1) {
    constexpr int kTogether = M == 1 ? 2 : 1;
    for (; groups >= kTogether; groups -= kTogether, out += kGroupRows * kTogether) {
      tile_dense<Format, M, kTogether>(group, columns, rows, out, stride);
      group += kTogether * size;
    }
  }
  for (; groups > 0; --groups, group += size, out += kGroupRows) {
    if constexpr (Format::kBlock == 1) tile_dense<Format, M, 1>(group, columns, rows, out, stride);
    else tile<Format, M>(group, columns, rows, out, stride);
  }
}

template <class Format>
void multiply_as(const uint8_t* group, int64_t groups, int64_t columns, const uint8_t* const* rows,
                 int64_t count, float* out, int64_t stride) {
  for (; count >= kRowTile; count -= kRowTile, rows += kRowTile, out += kRowTile * stride) {
    sweep<Format, kRowTile>(group, groups, columns, rows, out, stride);
  }
  if (kRowTile > 8 && count >= 8) {
    sweep<Format, 8>(group, groups, columns, rows, out, stride);
    count -= 8, rows += 8, out += 8 * stride;
  }
  if (kRowTile > 4 && count >= 4) {
    sweep<Format, 4>(group, groups, columns, rows, out, stride);
    count -= 4, rows += 4, out += 4 * stride;
  }
  if (count >= 2) {
    sweep<Format, 2>(group, groups, columns, rows, out, stride);
    count -= 2, rows += 2, out += 2 * stride;
  }
  if (count) sweep<Format, 1>(group, groups, columns, rows, out, stride);
}

// Call `use` with the format of a type: the only place that lists them.
template <class Use>
auto with_format(WeightType type, Use&& use) {
  switch (type) {
    case WeightType::F32: return use(F32{});
    case WeightType::F16: return use(F16{});
    case WeightType::BF16: return use(BF16{});
    case WeightType::Q4_0: return use(Q4_0{});
    case WeightType::Q4_1: return use(Q4_1{});
    case WeightType::Q5_0: return use(Q5_0{});
    case WeightType::Q5_1: return use(Q5_1{});
    case WeightType::Q8_0: return use(Q8_0{});
    case WeightType::IQ4_NL: return use(IQ4_NL{});
    case WeightType::Q2_K: return use(Q2_K{});
    case WeightType::Q3_K: return use(Q3_K{});
    case WeightType::Q4_K: return use(Q4_K{});
    case WeightType::Q5_K: return use(Q5_K{});
    case WeightType::Q6_K: return use(Q6_K{});
  }
  __builtin_unreachable();
}

float lane_of(Reals x, int lane) {
  float lanes[kLanes];
  store(lanes, x);
  return lanes[lane];
}

// Columns [from, to) of one lane of unpacked quads, times a factor and plus a shift.
void read_quads(const Quads& quads, int lane, int from, int to, int offset, float factor,
                float shift, float* out) {
  for (int k = from; k < to; ++k) {
    uint8_t bytes[sizeof(Words)];
    std::memcpy(bytes, &quads.at[k / 4], sizeof(Words));
    out[k] = factor * static_cast<float>(bytes[4 * lane + k % 4] - offset) + shift;
  }
}

template <class Format>
void read_big_block(const uint8_t* chunk, int half, int lane, float d, float lowest, float* out) {
  const uint8_t* scale_words = chunk + Format::kScales + half_offset(half, 4);
  const typename Format::Scales scales = Format::scales(scale_words);
  typename Format::Scales minimums = scales;
  if constexpr (Format::kMinimum) minimums = Format::minimums(scale_words);
  for (int i = 0; i < 256 / Format::kScaled; ++i) {
    const int first = i * Format::kScaled, sub = first / 32;
    const Quads quads = Format::unpack(chunk + Format::kPlanes + half_offset(half, 4) +
                                       sub * Format::kSubBytes);
    const float shift = Format::kMinimum ? -lowest * lane_of(to_reals(minimums.word(i)), lane) : 0;
    read_quads(quads, lane, first % 32, first % 32 + Format::kScaled, Format::kOffset,
               d * lane_of(to_reals(scales.word(i)), lane), shift, out + 32 * sub);
  }
}

template <class Format>
void read_block(const uint8_t* chunk, int row, float* out) {
  const int half = row / kLanes, lane = row % kLanes;
  if constexpr (Format::kBlock == 1) {
    *out = lane_of(Format::read(chunk + half_offset(half, Format::kWidth)), lane);
  } else {
    const uint8_t* halves = chunk + half_offset(half, 2);
    const float d = lane_of(load_half_reals(halves), lane);
    float lowest = 0;
    if constexpr (Format::kMinimum) lowest = lane_of(load_half_reals(halves + kVectorBytes / 2), lane);
    if constexpr (Format::kBlock == 32) {
      const Quads quads = Format::unpack(chunk + Format::kPlanes + half_offset(half, 4));
      read_quads(quads, lane, 0, 32, Format::kOffset, d, lowest, out);
    } else {
      read_big_block<Format>(chunk, half, lane, d, lowest, out);
    }
  }
}

// The largest magnitude of 8 n numbers.
float magnitude(const float* x, int64_t n) {
  const Floats sign = spread(-0.0f);
  Floats most = _mm256_setzero_ps();
  for (int64_t i = 0; i < n; i += 8) {
    most = _mm256_max_ps(most, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
  }
  return largest(most);
}

// 8 n numbers to bytes, rounded to nearest even; returns the sum of each 8 in `sums`.
void to_bytes(const float* x, int64_t n, float inverse, int8_t* q) {
  for (int64_t i = 0; i < n; i += 8) {
    const Ints wide = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), spread(inverse)));
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(wide),
                                          _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(q + i), _mm_packs_epi16(words, words));
  }
}

int byte_sum(const int8_t* q, int n) {
  int total = 0;
  for (int i = 0; i < n; ++i) total += q[i];
  return total;
}

void write_block(const float* x, Block32& block) {
  const float most = magnitude(x, 32);
  block.scale = most / 127.0f;
  to_bytes(x, 32, most > 0 ? 127.0f / most : 0.0f, block.q);
  const int total = byte_sum(block.q, 32);
  block.scaled_sum = block.scale * static_cast<float>(total);
  block.minus8 = -8 * total;
}

void write_block(const float* x, Block256& block) {
  const float most = magnitude(x, 256);
  block.scale = most / 127.0f;
  to_bytes(x, 256, most > 0 ? 127.0f / most : 0.0f, block.q);
  for (int i = 0; i < 16; ++i) {
    block.sums[i] = static_cast<int16_t>(byte_sum(block.q + 16 * i, 16));
  }
}

template <class Block, int64_t Columns>
void subtract_blocks(const uint8_t* written, int64_t columns, float* x) {
  const Block* block = reinterpret_cast<const Block*>(written);
  for (int64_t k = 0; k < columns; k += Columns, ++block) {
    for (int64_t i = 0; i < Columns; ++i) {
      x[k + i] -= block->scale * static_cast<float>(block->q[i]);
    }
  }
}

}  // namespace

void multiply(const ostro_matrix& matrix, int64_t first, int64_t groups,
              const uint8_t* const* rows, int64_t count, float* out, int64_t stride) {
  const WeightType type = type_of(matrix);
  const uint8_t* group =
      static_cast<const uint8_t*>(matrix.data) + first * group_bytes(type, matrix.columns);
  with_format(type, [&](auto format) {
    multiply_as<decltype(format)>(group, groups, matrix.columns, rows, count, out, stride);
  });
}

void read_row(const ostro_matrix& matrix, int64_t row, float* out) {
  const WeightType type = type_of(matrix);
  const int within = static_cast<int>(row % kGroupRows);
  const uint8_t* chunk = static_cast<const uint8_t*>(matrix.data) +
                         row / kGroupRows * group_bytes(type, matrix.columns);
  with_format(type, [&](auto format) {
    using Format = decltype(format);
    for (int64_t k = 0; k < matrix.columns; k += Format::kBlock, chunk += Format::kBytes) {
      read_block<Format>(chunk, within, out + k);
    }
  });
}

void write_form(RowForm form, const float* x, int64_t columns, uint8_t* target) {
  switch (form) {
    case RowForm::Float:
      std::memcpy(target, x, static_cast<size_t>(columns) * sizeof(float));
      return;
    case RowForm::Blocks32:
      for (int64_t b = 0; b < columns / 32; ++b) {
        write_block(x + 32 * b, reinterpret_cast<Block32*>(target)[b]);
      }
      return;
    case RowForm::Blocks256:
      for (int64_t b = 0; b < columns / 256; ++b) {
        write_block(x + 256 * b, reinterpret_cast<Block256*>(target)[b]);
      }
  }
}

void subtract_form(RowForm form, const uint8_t* written, int64_t columns, float* x) {
  switch (form) {
    case RowForm::Float: std::fill_n(x, columns, 0.0f); return;
    case RowForm::Blocks32: return subtract_blocks<Block32, 32>(written, columns, x);
    case RowForm::Blocks256: return subtract_blocks<Block256, 256>(written, columns, x);
  }
}

}  // namespace ostro::OSTRO_ISA
