// Rows of activations in every form that the matrices they will meet want.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "product.h"

namespace ostro::OSTRO_ISA {

constexpr int kForms = 3;
// The widest row that is normalised on a thread's stack.
constexpr int64_t kMostDim = 32768;

// How closely 8-bit rows follow the floats. Twice stands for two rows: the row quantised, and what
// that lost, quantised again with finer scales; their products are added. It costs no memory
// traffic, since a weight that is read meets both, and is used where rounding shows most in the
// model's output: before attention's projections, before the head, and in small models, which take
// rounding worst and have arithmetic to spare, before gate and up.
enum class Precision { Once = 1, Twice = 2 };

constexpr int64_t rows_of(RowForm form, Precision precision) {
  return form == RowForm::Float ? 1 : static_cast<int64_t>(precision);
}

class Forms {
 public:
  // Which forms `matrices` want; they have the same number of columns.
  Forms(std::initializer_list<const ostro_matrix*> matrices, int64_t rows, Precision precision)
      : rows_(rows), columns_((*matrices.begin())->columns), precision_(precision) {
    for (const ostro_matrix* matrix : matrices) wanted_[index(row_form(type_of(*matrix)))] = true;
  }

  int64_t bytes() const {
    int64_t total = 0;
    for (int i = 0; i < kForms; ++i) total += wanted_[i] ? rows_ * size(i) : 0;
    return total;
  }

  // `buffer` has bytes() bytes.
  void place(uint8_t* buffer) {
    for (int i = 0; i < kForms; ++i) {
      data_[i] = buffer;
      buffer += wanted_[i] ? rows_ * size(i) : 0;
    }
  }

  // Columns [first, first + count) of a row that is written once; they are whole blocks.
  void write_part(const float* x, int64_t row, int64_t first, int64_t count) const {
    for (int i = 0; i < kForms; ++i) {
      if (!wanted_[i]) continue;
      const RowForm form = static_cast<RowForm>(i);
      write_form(form, x, count, data_[i] + row * size(i) + form_bytes(form, first));
    }
  }

  void write(const float* x, int64_t row) const {
    write_part(x, row, 0, columns_);
    for (int i = 0; i < kForms; ++i) {
      const RowForm form = static_cast<RowForm>(i);
      if (!wanted_[i] || rows_of(form, precision_) == 1) continue;
      uint8_t* target = data_[i] + row * size(i);
      float rest[kMostDim];
      std::copy_n(x, columns_, rest);
      subtract_form(form, target, columns_, rest);
      write_form(form, rest, columns_, target + form_bytes(form, columns_));
    }
  }

  // The row; with Precision::Twice its second part follows it at once.
  const uint8_t* at(RowForm form, int64_t row) const {
    return data_[index(form)] + row * size(index(form));
  }

  Precision precision() const { return precision_; }

 private:
  static int index(RowForm form) { return static_cast<int>(form); }
  int64_t size(int i) const {
    const RowForm form = static_cast<RowForm>(i);
    return rows_of(form, precision_) * form_bytes(form, columns_);
  }

  bool wanted_[kForms] = {};
  uint8_t* data_[kForms] = {};
  int64_t rows_, columns_;
  Precision precision_;
};

}  // namespace ostro::OSTRO_ISA
