// A matrix product spread over the threads.
#pragma once

#include <algorithm>

#include "../context.h"
#include "forms.h"

namespace ostro::OSTRO_ISA {

constexpr int64_t kMostPieceGroups = 32;

// Groups for one piece. One row of activations: about 64 KiB of weights, so that pieces are many;
// claiming them is cheap. Many rows: enough that it pays to bring a tile of them into the cache.
inline int64_t piece_groups(const ostro_matrix& matrix, int64_t rows) {
  const int64_t bytes = group_bytes(type_of(matrix), matrix.columns);
  return std::clamp<int64_t>((64 << 10) / bytes, rows > 1 ? 4 : 1, kMostPieceGroups);
}

inline int64_t pieces(const ostro_matrix& matrix, int64_t step) {
  return (group_count(matrix.rows) + step - 1) / step;
}

// Activation rows that multiply_tile() takes at once.
inline int64_t tile_rows(const ostro_matrix& matrix, const Forms& x) {
  return kRowTile / rows_of(row_form(type_of(matrix)), x.precision());
}

// out[i * stride + 16 * g + lane] for `groups` groups from `first` and `count` rows of x, of which
// the i-th is row_at(i). At most kMostPieceGroups groups and tile_rows() rows.
template <class RowAt>
void multiply_tile(const ostro_matrix& matrix, int64_t first, int64_t groups, const Forms& x,
                   int64_t count, RowAt&& row_at, float* out, int64_t stride) {
  const RowForm form = row_form(type_of(matrix));
  const int64_t parts = rows_of(form, x.precision());
  const int64_t part_bytes = form_bytes(form, matrix.columns);
  const uint8_t* rows[kRowTile];
  for (int64_t i = 0; i < count * parts; ++i) {
    rows[i] = x.at(form, row_at(i / parts)) + i % parts * part_bytes;
  }
  if (parts == 1) return multiply(matrix, first, groups, rows, count, out, stride);
  alignas(64) float sums[kRowTile * kMostPieceGroups * kGroupRows];
  const int64_t width = groups * kGroupRows;
  multiply(matrix, first, groups, rows, 2 * count, sums, width);
  for (int64_t i = 0; i < count; ++i) {
    const float *once = sums + 2 * i * width, *rest = once + width;
    for (int64_t k = 0; k < width; ++k) out[i * stride + k] = once[k] + rest[k];
  }
}

// Piece `index`, of `step` groups, of rows [begin, end) of y = x W^T. A row of y has padded_rows()
// columns; those past the matrix's rows are written with zeros.
inline void multiply_piece(const ostro_matrix& matrix, int64_t step, int64_t index, const Forms& x,
                           int64_t begin, int64_t end, float* y) {
  const int64_t stride = padded_rows(matrix.rows);
  const int64_t first = index * step, tile = tile_rows(matrix, x);
  const int64_t groups = std::min(step, group_count(matrix.rows) - first);
  for (int64_t row = begin; row < end; row += tile) {
    multiply_tile(matrix, first, groups, x, std::min(tile, end - row),
                  [row](int64_t i) { return row + i; }, y + row * stride + first * kGroupRows,
                  stride);
  }
}

}  // namespace ostro::OSTRO_ISA
