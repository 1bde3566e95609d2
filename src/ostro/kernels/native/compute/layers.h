// The two halves of a layer and the head: one call each, for all rows of a step. And what works on
// matrices alone.
#pragma once

#include "forms.h"

namespace ostro::OSTRO_ISA {

int32_t attention_layer(ostro_context& context, const ostro_attention& layer,
                        const ostro_step& step, const ostro_pages& pages,
                        const ostro_adapters* adapters, float* x);

int32_t experts_layer(ostro_context& context, const ostro_experts& layer, int64_t rows,
                      const ostro_steering* steering, const ostro_adapters* adapters, float* x,
                      int32_t* chosen, float* weights, uint8_t* missing);

int32_t route_rows(ostro_context& context, const ostro_experts& layer, int64_t rows,
                   const ostro_steering* steering, const float* x, int32_t* chosen);

int32_t head(ostro_context& context, const float* norm, float eps, const ostro_matrix& matrix,
             int64_t rows, const float* x, float* logits);

int32_t linear(ostro_context& context, const ostro_matrix& matrix, int64_t count, const float* x,
               float* y);

void rope_angles(ostro_context& context, int64_t rows, const int64_t* positions, int64_t pairs,
                 const float* frequencies, float* cosines, float* sines);

int32_t summarise(ostro_context& context, int64_t count, const float* logits, float temperature,
                  int64_t* where, double* log_sum);

int32_t largest_logits(ostro_context& context, int64_t count, const float* logits, int64_t wanted,
                       float* values, int64_t* indices);

void read_rows(ostro_context& context, const ostro_matrix& matrix, const int64_t* rows,
               int64_t count, float* out);

int32_t quantise_rows(ostro_context& context, int32_t type, const float* source, uint8_t* target,
                      int64_t rows, int64_t columns);

}  // namespace ostro::OSTRO_ISA
