// The expert half of a layer: norm, router, the chosen experts, their weighted sum, residual.
#include "layers.h"
#include "linear.h"
#include "router.h"
#include "rows.h"

namespace ostro::OSTRO_ISA {
namespace {

// Rows of gate and up that one piece computes: whole blocks of down's columns.
int64_t hidden_step(const ostro_matrix& down) {
  return std::max<int64_t>(64, form_block(row_form(type_of(down))));
}
constexpr int64_t kMostHiddenStep = 256;

// The (row, slot) pairs of a step sorted by expert: pair = row * K + slot.
struct Sorted {
  int32_t* pairs;   // [T * K]
  int64_t* starts;  // [E + 1]
  int32_t* active;  // Experts that have pairs.
  int64_t count = 0;

  void sort(const int32_t* chosen, int64_t pairs_in_all, int num_experts) {
    std::fill_n(starts, num_experts + 1, 0);
    for (int64_t p = 0; p < pairs_in_all; ++p) ++starts[chosen[p] + 1];
    for (int e = 0; e < num_experts; ++e) {
      if (starts[e + 1]) active[count++] = e;
      starts[e + 1] += starts[e];
    }
    // Filling moves every start to its end, which is the next one's start.
    for (int64_t p = 0; p < pairs_in_all; ++p) pairs[starts[chosen[p]]++] = static_cast<int32_t>(p);
    for (int e = num_experts; e > 0; --e) starts[e] = starts[e - 1];
    starts[0] = 0;
  }
};

struct Experts {
  const ostro_experts& layer;
  const Forms& normed;
  Sorted sorted;
  uint8_t* hidden;  // [T * K] rows in the form that down wants.
  float* outputs;   // [T * K, D padded]
  int64_t output_stride;

  const ostro_expert& expert(int64_t i) const { return layer.experts[sorted.active[i]]; }
  int64_t first(int64_t i) const { return sorted.starts[sorted.active[i]]; }
  int64_t last(int64_t i) const { return sorted.starts[sorted.active[i] + 1]; }
  RowForm hidden_form() const { return row_form(type_of(layer.experts[0].down)); }
  int64_t hidden_size() const { return form_bytes(hidden_form(), layer.ffn_dim); }
};

// silu(gate x) * (up x) for some rows of gate and up, and all tokens of an active expert.
void hidden_piece(const Experts& e, int64_t active, int64_t piece) {
  const ostro_expert& expert = e.expert(active);
  const int64_t step = hidden_step(expert.down), begin = piece * step;
  const int64_t width = std::min(step, e.layer.ffn_dim - begin);
  const int64_t group = begin / kGroupRows, groups = group_count(width);
  alignas(32) float gate[kRowTile * kMostHiddenStep], up[kRowTile * kMostHiddenStep];
  const int64_t tile = std::min(tile_rows(expert.gate, e.normed), tile_rows(expert.up, e.normed));
  for (int64_t at = e.first(active); at < e.last(active); at += tile) {
    const int64_t count = std::min(tile, e.last(active) - at);
    const auto row_at = [&](int64_t i) { return e.sorted.pairs[at + i] / e.layer.top_k; };
    multiply_tile(expert.gate, group, groups, e.normed, count, row_at, gate, kMostHiddenStep);
    multiply_tile(expert.up, group, groups, e.normed, count, row_at, up, kMostHiddenStep);
    for (int64_t i = 0; i < count; ++i) {
      float* h = gate + i * kMostHiddenStep;
      silu_times(h, up + i * kMostHiddenStep, width);
      uint8_t* target = e.hidden + e.sorted.pairs[at + i] * e.hidden_size();
      write_form(e.hidden_form(), h, width, target + form_bytes(e.hidden_form(), begin));
    }
  }
}

void down_piece(const Experts& e, int64_t active, int64_t piece) {
  const ostro_matrix& down = e.expert(active).down;
  const int64_t step = piece_groups(down), group = piece * step;
  const int64_t groups = std::min(step, group_count(down.rows) - group);
  for (int64_t at = e.first(active); at < e.last(active); at += kRowTile) {
    const int64_t count = std::min(kRowTile, e.last(active) - at);
    const uint8_t* rows[kRowTile];
    for (int64_t i = 0; i < count; ++i) rows[i] = e.hidden + e.sorted.pairs[at + i] * e.hidden_size();
    float results[kRowTile * kGroupRows * kMostPieceGroups];
    multiply(down, group, groups, rows, count, results, groups * kGroupRows);
    for (int64_t i = 0; i < count; ++i) {
      float* target = e.outputs + e.sorted.pairs[at + i] * e.output_stride + group * kGroupRows;
      std::copy_n(results + i * groups * kGroupRows, groups * kGroupRows, target);
    }
  }
}

// x += w_0 y_0 + w_1 y_1 + ..., in the order of the slots.
void add_outputs(const Experts& e, int64_t row, const float* weights, float* x) {
  const int64_t top_k = e.layer.top_k;
  const float* outputs = e.outputs + row * top_k * e.output_stride;
  for (int64_t i = 0; i < e.layer.dim; i += 8) {
    Floats total = _mm256_mul_ps(_mm256_loadu_ps(outputs + i), spread(weights[row * top_k]));
    for (int64_t k = 1; k < top_k; ++k) {
      const Floats y = _mm256_loadu_ps(outputs + k * e.output_stride + i);
      total = fma(y, spread(weights[row * top_k + k]), total);
    }
    float* place = x + row * e.layer.dim + i;
    _mm256_storeu_ps(place, _mm256_add_ps(_mm256_loadu_ps(place), total));
  }
}

int count_missing(const ostro_experts& layer, const Sorted& sorted, uint8_t* missing) {
  int total = 0;
  for (int64_t i = 0; i < sorted.count; ++i) {
    const ostro_expert& expert = layer.experts[sorted.active[i]];
    if (expert.gate.data && expert.up.data && expert.down.data) continue;
    missing[sorted.active[i]] = 1;
    ++total;
  }
  return total;
}

}  // namespace

int32_t experts_layer(ostro_context& context, const ostro_experts& layer, int64_t rows, float* x,
                      int32_t* chosen, float* weights, uint8_t* missing) {
  const int64_t D = layer.dim, E = layer.num_experts, K = layer.top_k, pairs = rows * K;
  const ostro_matrix router{layer.router, static_cast<int32_t>(WeightType::F32),
                            layer.num_experts, layer.dim};
  const ostro_expert& any = layer.experts[0];
  const Precision precision = layer.precise ? Precision::Twice : Precision::Once;
  Forms normed({&any.gate, &any.up}, rows, precision);
  const int64_t logits_stride = group_count(E) * kGroupRows;
  const int64_t output_stride = group_count(D) * kGroupRows;
  const int64_t hidden = pairs * form_bytes(row_form(type_of(any.down)), layer.ffn_dim);
  Scratch& scratch = context.scratch;
  if (!scratch.begin({normed.bytes(), rows * logits_stride * 4, pairs * 4, pairs * 4, pairs * 4,
                      (E + 1) * 8, E * 4, hidden, pairs * output_stride * 4})) {
    return -1;
  }
  normed.place(scratch.take<uint8_t>(normed.bytes()));
  float* logits = scratch.take<float>(rows * logits_stride * 4);
  auto* own_chosen = scratch.take<int32_t>(pairs * 4);
  auto* own_weights = scratch.take<float>(pairs * 4);
  if (!chosen) chosen = own_chosen;
  if (!weights) weights = own_weights;
  Experts e{layer, normed, {}, nullptr, nullptr, output_stride};
  e.sorted.pairs = scratch.take<int32_t>(pairs * 4);
  e.sorted.starts = scratch.take<int64_t>((E + 1) * 8);
  e.sorted.active = scratch.take<int32_t>(E * 4);
  e.hidden = scratch.take<uint8_t>(hidden);
  e.outputs = scratch.take<float>(pairs * output_stride * 4);

  context.pool.run(rows, [&](int64_t row, int) {
    float h[kMostDim];
    rms_norm(x + row * D, layer.norm, D, layer.eps, h);
    normed.write(h, row);
    if (layer.router) {
      const uint8_t* one[] = {reinterpret_cast<const uint8_t*>(h)};
      multiply(router, 0, group_count(E), one, 1, logits + row * logits_stride, logits_stride);
      choose(logits + row * logits_stride, layer.num_experts, layer.top_k, chosen + row * K,
             weights + row * K);
    } else {
      chosen[row] = 0;
      weights[row] = 1;
    }
  });
  e.sorted.sort(chosen, pairs, layer.num_experts);
  if (const int absent = count_missing(layer, e.sorted, missing)) return absent;

  const int64_t step = hidden_step(any.down), parts = (layer.ffn_dim + step - 1) / step;
  context.pool.run(e.sorted.count * parts, [&](int64_t index, int) {
    hidden_piece(e, index / parts, index % parts);
  });
  const int64_t down_parts = pieces(any.down);
  context.pool.run(e.sorted.count * down_parts, [&](int64_t index, int) {
    down_piece(e, index / down_parts, index % down_parts);
  });
  context.pool.run(rows, [&](int64_t row, int) { add_outputs(e, row, weights, x); });
  return 0;
}

}  // namespace ostro::OSTRO_ISA
