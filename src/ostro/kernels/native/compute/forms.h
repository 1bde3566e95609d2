// Rows of activations in every form that the matrices they will meet want.
#pragma once

#include <initializer_list>

#include "product.h"

namespace ostro::OSTRO_ISA {

constexpr int kForms = 3;
// The widest row that is normalised on a thread's stack.
constexpr int64_t kMostDim = 32768;

class Forms {
 public:
  // Which forms `matrices` want; they have the same number of columns.
  explicit Forms(std::initializer_list<const ostro_matrix*> matrices, int64_t rows)
      : rows_(rows), columns_((*matrices.begin())->columns) {
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

  void write(const float* x, int64_t row) const {
    for (int i = 0; i < kForms; ++i) {
      if (wanted_[i]) write_form(static_cast<RowForm>(i), x, columns_, data_[i] + row * size(i));
    }
  }

  const uint8_t* at(RowForm form, int64_t row) const {
    return data_[index(form)] + row * size(index(form));
  }

 private:
  static int index(RowForm form) { return static_cast<int>(form); }
  int64_t size(int i) const { return form_bytes(static_cast<RowForm>(i), columns_); }

  bool wanted_[kForms] = {};
  uint8_t* data_[kForms] = {};
  int64_t rows_, columns_;
};

}  // namespace ostro::OSTRO_ISA
