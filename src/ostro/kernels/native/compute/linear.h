// A matrix product spread over the threads.
#pragma once

#include <algorithm>

#include "../context.h"
#include "product.h"

namespace ostro::OSTRO_ISA {

// Rows of activations that stay in the cache while the groups of one piece pass by.
constexpr int64_t kRowTile = 8;

// Groups for one piece: about 16 KiB of weights, so that pieces are many and claiming them is cheap.
inline int64_t piece_groups(const ostro_matrix& matrix) {
  const int64_t bytes = group_bytes(type_of(matrix), matrix.columns);
  return std::clamp<int64_t>((16 << 10) / bytes, 1, 64);
}

inline int64_t pieces(const ostro_matrix& matrix) {
  const int64_t step = piece_groups(matrix);
  return (group_count(matrix.rows) + step - 1) / step;
}

// Piece `index` of y [count, stride] = x W^T, for rows in the form that W wants, `row_size` bytes
// apart. Columns of y past the matrix's rows are written with zeros if its rows do not fill the
// last group, so `stride` is at least 8 * group_count.
inline void multiply_piece(const ostro_matrix& matrix, int64_t index, const uint8_t* x,
                           int64_t row_size, int64_t count, float* y, int64_t stride) {
  const int64_t step = piece_groups(matrix), first = index * step;
  const int64_t groups = std::min(step, group_count(matrix.rows) - first);
  for (int64_t row = 0; row < count; row += kRowTile) {
    const int64_t taken = std::min(kRowTile, count - row);
    const uint8_t* rows[kRowTile];
    for (int64_t i = 0; i < taken; ++i) rows[i] = x + (row + i) * row_size;
    multiply(matrix, first, groups, rows, taken, y + row * stride + first * kGroupRows, stride);
  }
}

}  // namespace ostro::OSTRO_ISA
