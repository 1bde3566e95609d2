// What is compiled once for each instruction set, as a table of functions.
#pragma once

#include "ostro.h"

namespace ostro {

struct Compute {
  const char* name;
  void (*read_rows)(ostro_context&, const ostro_matrix&, const int64_t* rows, int64_t count,
                    float* out);
  int32_t (*linear)(ostro_context&, const ostro_matrix&, int64_t count, const float* x, float* y);
  int32_t (*attention_layer)(ostro_context&, const ostro_attention&, const ostro_step&,
                             const ostro_pages&, float* x);
  int32_t (*experts_layer)(ostro_context&, const ostro_experts&, int64_t rows, float* x,
                           int32_t* chosen, float* weights, uint8_t* missing);
  int32_t (*head)(ostro_context&, const float* norm, float eps, const ostro_matrix&, int64_t rows,
                  const float* x, float* logits);
  int32_t (*quantise_rows)(ostro_context&, int32_t type, const float* source, uint8_t* target,
                           int64_t rows, int64_t columns);
};

namespace avx2 { extern const Compute kCompute; }
namespace avx512 { extern const Compute kCompute; }

}  // namespace ostro
