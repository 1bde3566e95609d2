// Activations as the products read them: one row after another, in one of three forms.
//
// Beside a quantised matrix a row is quantised to 8 bits, a scale for each block of as many columns
// as the matrix has in its own blocks; never across rows. Beside a dense matrix it stays float32.
#pragma once

#include <cstdint>

#include "weight_types.h"

namespace ostro {

// 32 columns: x[k] ~ scale * q[k].
struct Block32 {
  float scale;
  float scaled_sum;  // scale * sum of q: what a weight type with a minimum multiplies by it.
  int32_t minus8;    // -8 * sum of q: what takes the offset of unsigned weights away again.
  int8_t q[32];
};

// 256 columns, with the sums of q over every 16 of them.
struct Block256 {
  float scale;
  int16_t sums[16];
  int8_t q[256];
};

enum class RowForm { Float, Blocks32, Blocks256 };

constexpr RowForm row_form(WeightType type) {
  switch (block_shape(type).columns) {
    case 32: return RowForm::Blocks32;
    case 256: return RowForm::Blocks256;
    default: return RowForm::Float;
  }
}

// Columns that share a scale.
constexpr int64_t form_block(RowForm form) {
  return form == RowForm::Float ? 1 : form == RowForm::Blocks32 ? 32 : 256;
}

constexpr int64_t form_bytes(RowForm form, int64_t columns) {
  switch (form) {
    case RowForm::Float: return columns * static_cast<int64_t>(sizeof(float));
    case RowForm::Blocks32: return columns / 32 * static_cast<int64_t>(sizeof(Block32));
    case RowForm::Blocks256: return columns / 256 * static_cast<int64_t>(sizeof(Block256));
  }
  return 0;
}

}  // namespace ostro
