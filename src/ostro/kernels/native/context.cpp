#include "context.h"

#include <cstring>
#include <new>

#include "activations.h"
#include "checksum.h"
#include "isa.h"
#include "pack.h"

namespace {

using ostro::Compute;
using ostro::WeightType;

// The functions for the best instruction set there is, or for the one that is named.
const Compute* functions(const char* wanted) {
  const auto suits = [&](const char* name) { return !*wanted || !std::strcmp(wanted, name); };
  const ostro::Isa best = ostro::best_isa();
  if (suits("avx512") && best >= ostro::Isa::avx512) return &ostro::avx512::kCompute;
  if (suits("avx2") && best >= ostro::Isa::avx2) return &ostro::avx2::kCompute;
  return nullptr;
}

}  // namespace

int32_t ostro_abi(void) { return OSTRO_ABI; }

ostro_context* ostro_context_create(int32_t threads, const char* instruction_set) {
  const Compute* compute = functions(instruction_set);
  return compute ? new (std::nothrow) ostro_context(threads, *compute) : nullptr;
}

void ostro_context_destroy(ostro_context* context) { delete context; }

const char* ostro_instruction_set(const ostro_context* context) { return context->compute.name; }

int64_t ostro_packed_bytes(int32_t type, int64_t rows, int64_t columns) {
  return ostro::packed_bytes(static_cast<WeightType>(type), rows, columns);
}

void ostro_pack(ostro_context* context, int32_t type, const void* source, int64_t rows,
                int64_t columns, void* target) {
  const WeightType kind = static_cast<WeightType>(type);
  const int64_t bytes = ostro::group_bytes(kind, columns);
  context->pool.run(ostro::group_count(rows), [&](int64_t group, int) {
    ostro::pack_group(kind, static_cast<const uint8_t*>(source), rows, columns, group,
                      static_cast<uint8_t*>(target) + group * bytes);
  });
}

int32_t ostro_quantise(ostro_context* context, int32_t type, const float* source, uint8_t* target,
                       int64_t rows, int64_t columns) {
  return context->compute.quantise_rows(*context, type, source, target, rows, columns);
}

uint64_t ostro_checksum(ostro_context* context, const void* data, int64_t bytes) {
  return ostro::checksum(context->pool, static_cast<const uint8_t*>(data), bytes);
}

void ostro_read_rows(ostro_context* context, const ostro_matrix* matrix, const int64_t* rows,
                     int64_t count, float* out) {
  context->compute.read_rows(*context, *matrix, rows, count, out);
}

int32_t ostro_linear(ostro_context* context, const ostro_matrix* matrix, int64_t count,
                     const float* x, float* y) {
  return context->compute.linear(*context, *matrix, count, x, y);
}

int32_t ostro_attention_layer(ostro_context* context, const ostro_attention* layer,
                              const ostro_step* step, const ostro_pages* pages,
                              const ostro_adapters* adapters, float* x) {
  return context->compute.attention_layer(*context, *layer, *step, *pages, adapters, x);
}

int32_t ostro_experts_layer(ostro_context* context, const ostro_experts* layer, int64_t rows,
                            const ostro_steering* steering, const ostro_adapters* adapters,
                            float* x, int32_t* chosen, float* weights, uint8_t* missing) {
  return context->compute.experts_layer(*context, *layer, rows, steering, adapters, x, chosen,
                                        weights, missing);
}

int32_t ostro_route(ostro_context* context, const ostro_experts* layer, int64_t rows,
                    const ostro_steering* steering, const float* x, int32_t* chosen) {
  return context->compute.route(*context, *layer, rows, steering, x, chosen);
}

int32_t ostro_head(ostro_context* context, const float* norm, float eps, const ostro_matrix* head,
                   int64_t rows, const float* x, float* logits) {
  return context->compute.head(*context, norm, eps, *head, rows, x, logits);
}

void ostro_rope_angles(ostro_context* context, int64_t rows, const int64_t* positions,
                       int64_t pairs, const float* frequencies, float* cosines, float* sines) {
  context->compute.rope_angles(*context, rows, positions, pairs, frequencies, cosines, sines);
}

int32_t ostro_summarise(ostro_context* context, int64_t count, const float* logits,
                        float temperature, int64_t* where, double* log_sum) {
  return context->compute.summarise(*context, count, logits, temperature, where, log_sum);
}

int32_t ostro_largest(ostro_context* context, int64_t count, const float* logits, int64_t wanted,
                      float* values, int64_t* indices) {
  return context->compute.largest(*context, count, logits, wanted, values, indices);
}
