// Products of packed matrices with rows of activations, whatever the type.
#pragma once

#include "../activations.h"
#include "../ostro.h"
#include "simd.h"

namespace ostro::OSTRO_ISA {

// Rows of activations that meet a weight at once: their sums and eight quads of weights should stay
// in registers.
constexpr int kRowTile = kVectorRegisters >= 32 ? 16 : 4;

inline WeightType type_of(const ostro_matrix& matrix) {
  return static_cast<WeightType>(matrix.type);
}

// out[r * stride + 16 * g + lane] = row 16 * (first + g) + lane of the matrix times rows[r], for
// `groups` groups from `first` and `count` activation rows, which have the form that the type wants.
void multiply(const ostro_matrix& matrix, int64_t first, int64_t groups,
              const uint8_t* const* rows, int64_t count, float* out, int64_t stride);

// One row of the matrix as floats.
void read_row(const ostro_matrix& matrix, int64_t row, float* out);

// Floats to the form that a matrix type wants; `target` has form_bytes(form, columns) bytes.
void write_form(RowForm form, const float* x, int64_t columns, uint8_t* target);

// x becomes what write_form() lost of it.
void subtract_form(RowForm form, const uint8_t* written, int64_t columns, float* x);

}  // namespace ostro::OSTRO_ISA
