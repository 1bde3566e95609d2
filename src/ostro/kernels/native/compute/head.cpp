// The head, a product on its own, and rows of the embedding.
#include "layers.h"
#include "linear.h"
#include "rows.h"

namespace ostro::OSTRO_ISA {
namespace {

// y [count, rows] from rows that `write` makes: rows in the matrix's form.
template <class Write>
int32_t product(ostro_context& context, const ostro_matrix& matrix, int64_t count,
                Precision precision, float* y, Write&& write) {
  Forms forms({&matrix}, count, precision);
  const int64_t stride = padded_rows(matrix.rows);
  const bool exact = stride == matrix.rows;  // Else the last group needs more room than y has.
  uint8_t* form_memory;
  float* out;
  if (!context.scratch.reserve({{form_memory, forms.bytes()}, {out, exact ? 0 : count * stride}})) {
    return -1;
  }
  forms.place(form_memory);
  if (exact) out = y;
  context.pool.run(count, [&](int64_t row, int) { write(forms, row); });
  const int64_t step = piece_groups(matrix, count);
  context.pool.run(pieces(matrix, step), [&](int64_t index, int) {
    multiply_piece(matrix, step, index, forms, 0, count, out);
  });
  for (int64_t row = 0; !exact && row < count; ++row) {
    std::copy_n(out + row * stride, matrix.rows, y + row * matrix.rows);
  }
  return 0;
}

}  // namespace

int32_t head(ostro_context& context, const float* norm, float eps, const ostro_matrix& matrix,
             int64_t rows, const float* x, float* logits) {
  const int64_t D = matrix.columns;
  const auto write = [&](const Forms& forms, int64_t row) {
    float h[kMostDim];
    rms_norm(x + row * D, norm, D, eps, h);
    forms.write(h, row);
  };
  return product(context, matrix, rows, Precision::Twice, logits, write);
}

int32_t linear(ostro_context& context, const ostro_matrix& matrix, int64_t count, const float* x,
               float* y) {
  const auto write = [&](const Forms& forms, int64_t row) {
    forms.write(x + row * matrix.columns, row);
  };
  return product(context, matrix, count, Precision::Once, y, write);
}

void read_rows(ostro_context& context, const ostro_matrix& matrix, const int64_t* rows,
               int64_t count, float* out) {
  context.pool.run(count, [&](int64_t i, int) {
    read_row(matrix, rows[i], out + i * matrix.columns);
  });
}

}  // namespace ostro::OSTRO_ISA
