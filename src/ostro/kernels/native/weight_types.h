// Weight types, by the numbers that GGUF gives them, and the sizes of their packed form.
//
// A packed matrix is a sequence of groups of 16 rows (the last one padded with zeros); a group is a
// sequence of chunks, one for each block of columns; a chunk takes 16 times the bytes of a block.
// Inside a chunk the rows are interleaved so that one 64-byte load brings 4 columns of all 16 rows:
// one multiply-add feeds 16 sums, and no sum is ever taken across a register.
#pragma once

#include <cstdint>

namespace ostro {

enum class WeightType : int32_t {
  F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8,
  Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14, IQ4_NL = 20, BF16 = 30,
};

constexpr int kGroupRows = 16;
constexpr int kVectorBytes = 4 * kGroupRows;  // Four columns of bytes of each row.

struct BlockShape {
  int columns;
  int bytes;  // Of one row's block; 0 for a type that is not computed here.
};

constexpr BlockShape block_shape(WeightType type) {
  switch (type) {
    case WeightType::F32: return {1, 4};
    case WeightType::F16:
    case WeightType::BF16: return {1, 2};
    case WeightType::Q4_0:
    case WeightType::IQ4_NL: return {32, 18};
    case WeightType::Q4_1: return {32, 20};
    case WeightType::Q5_0: return {32, 22};
    case WeightType::Q5_1: return {32, 24};
    case WeightType::Q8_0: return {32, 34};
    case WeightType::Q2_K: return {256, 84};
    case WeightType::Q3_K: return {256, 110};
    case WeightType::Q4_K: return {256, 144};
    case WeightType::Q5_K: return {256, 176};
    case WeightType::Q6_K: return {256, 210};
  }
  return {1, 0};
}

constexpr int64_t row_bytes(WeightType type, int64_t columns) {
  return columns / block_shape(type).columns * block_shape(type).bytes;
}

constexpr int64_t group_count(int64_t rows) { return (rows + kGroupRows - 1) / kGroupRows; }

// Rows with the padding of the last group.
constexpr int64_t padded_rows(int64_t rows) { return group_count(rows) * kGroupRows; }

constexpr int64_t group_bytes(WeightType type, int64_t columns) {
  return kGroupRows * row_bytes(type, columns);
}

constexpr int64_t packed_bytes(WeightType type, int64_t rows, int64_t columns) {
  return group_count(rows) * group_bytes(type, columns);
}

}  // namespace ostro
