// Low-rank additions of single rows (Hu et al., 2021): y += B (scale * A x), all in float32.
//
// A row's sums are taken in one order, whatever its neighbours, threads or the vector width: over the
// columns of A in eight lanes of four sums, over the ranks of B one after another.
#pragma once

#include <algorithm>

#include "linear.h"
#include "simd.h"

namespace ostro::OSTRO_ISA {

// Ranks that one task takes.
constexpr int64_t kRankStep = 4;

// `n` is a multiple of 8.
inline float dot_floats(const float* x, const float* y, int64_t n) {
  constexpr int kSums = 4;
  Floats sums[kSums] = {};
  int64_t i = 0;
  for (; i + 8 * kSums <= n; i += 8 * kSums) {
    for (int s = 0; s < kSums; ++s) {
      sums[s] = fma(_mm256_loadu_ps(x + i + 8 * s), _mm256_loadu_ps(y + i + 8 * s), sums[s]);
    }
  }
  for (; i < n; i += 8) sums[0] = fma(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i), sums[0]);
  return sum(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])));
}

// The adapters of a step's rows in one layer, if there are any.
class RowAdapters {
 public:
  // Every row has room for the low-rank products of `matrices` matrices.
  RowAdapters(const ostro_adapters* given, int64_t matrices) : given_(given), matrices_(matrices) {}

  explicit operator bool() const { return given_ != nullptr; }

  // The low-rank additions of a row's adapter; NULL if it has none.
  const ostro_lora* of(int64_t row) const {
    const int32_t number = given_ ? given_->adapter_of_row[row] : -1;
    return number < 0 ? nullptr : given_->loras[number];
  }

  // Numbers that the products of `count` rows take.
  int64_t products(int64_t count) const { return given_ ? count * matrices_ * rank() : 0; }

  // Tasks for shrink_step(), a matrix of a row each.
  int64_t steps() const { return given_ ? (rank() + kRankStep - 1) / kRankStep : 0; }

  // Ranks of one step: product = scale * A x, for the `columns` numbers of x.
  void shrink_step(const ostro_lora& lora, int64_t step, const float* x, int64_t columns,
                   int64_t place, int64_t matrix) const {
    float* out = product(place, matrix);
    const int64_t last = std::min<int64_t>((step + 1) * kRankStep, lora.rank);
    for (int64_t k = step * kRankStep; k < last; ++k) {
      out[k] = lora.scale * dot_floats(lora.a + k * columns, x, columns);
    }
  }

  // y[j] += (B product)[first + j] for `count` numbers, a multiple of 8; B has `rows` rows.
  void expand(const ostro_lora& lora, int64_t rows, int64_t place, int64_t matrix, int64_t first,
              int64_t count, float* y) const {
    const float* in = product(place, matrix);
    for (int64_t k = 0; k < lora.rank; ++k) {
      const float* b = lora.b + k * rows + first;
      const Floats factor = spread(in[k]);
      for (int64_t j = 0; j < count; j += 8) {
        _mm256_storeu_ps(y + j, fma(_mm256_loadu_ps(b + j), factor, _mm256_loadu_ps(y + j)));
      }
    }
  }

  float* memory = nullptr;  // products() numbers.

 private:
  int64_t rank() const { return given_->most_rank; }
  float* product(int64_t place, int64_t matrix) const {
    return memory + (place * matrices_ + matrix) * rank();
  }

  const ostro_adapters* given_;
  int64_t matrices_;
};

// The columns of y that a piece of a product with `matrix` writes.
struct Columns {
  int64_t first, count;
};

inline Columns piece_columns(const ostro_matrix& matrix, int64_t step, int64_t index) {
  const int64_t first = index * step * kGroupRows;
  return {first, std::min<int64_t>(step * kGroupRows, matrix.rows - first)};
}

}  // namespace ostro::OSTRO_ISA
