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
                             const ostro_pages&, const ostro_adapters*, float* x);
  int32_t (*experts_layer)(ostro_context&, const ostro_experts&, int64_t rows,
                           const ostro_steering*, const ostro_adapters*, float* x, int32_t* chosen, float* weights, uint8_t* missing);
  int32_t (*route)(ostro_context&, const ostro_experts&, int64_t rows, const ostro_steering*,
                   const float* x, int32_t* chosen);
  int32_t (*head)(ostro_context&, const float* norm, float eps, const ostro_matrix&, int64_t rows,
                  const float* x, float* logits);
  void (*rope_angles)(ostro_context&, int64_t rows, const int64_t* positions, int64_t pairs,
                      const float* frequencies, float* cosines, float* sines);
  int32_t (*summarise)(ostro_context&, int64_t count, const float* logits, float temperature,
                       int64_t* where, double* log_sum);
  int32_t (*largest)(ostro_context&, int64_t count, const float* logits, int64_t wanted,
                     float* values, int64_t* indices);
  int32_t (*quantise_rows)(ostro_context&, int32_t type, const float* source, uint8_t* target,
                           int64_t rows, int64_t columns);
};

namespace avx2 { extern const Compute kCompute; }
namespace avx512 { extern const Compute kCompute; }

}  // namespace ostro
