// The expert half of a layer: norm, router, the chosen experts, their weighted sum, residual.
#include "layers.h"
#include "linear.h"
#include "lora.h"
#include "router.h"
#include "rows.h"

namespace ostro::OSTRO_ISA {
namespace {

constexpr int64_t kMostHiddenStep = 256;

// Rows of gate, and as many of up, that one piece computes, in whole blocks of down's columns. For
// few tokens about 64 KiB of each; for many, little enough to stay in the nearest cache.
int64_t hidden_step(const ostro_expert& expert, int64_t tokens) {
  const int64_t unit = std::max<int64_t>(64, form_block(row_form(type_of(expert.down))));
  const int64_t bytes = tokens > kRowTile ? 16 << 10 : 64 << 10;
  const int64_t rows = bytes / row_bytes(type_of(expert.gate), expert.gate.columns);
  return std::clamp(rows / unit * unit, unit, kMostHiddenStep);
}

// The (row, slot) pairs of a step sorted by expert: pair = row * K + slot. Unused slots have none.
struct Sorted {
  int32_t* pairs;   // [T * K] the pair at each place.
  int32_t* places;  // [T * K] the place of each pair; -1 for an unused slot.
  int64_t* starts;  // [E + 1]
  int32_t* active;  // Experts that have pairs.
  int64_t count = 0;

  void sort(const int32_t* chosen, int64_t pairs_in_all, int num_experts) {
    std::fill_n(starts, num_experts + 1, 0);
    for (int64_t p = 0; p < pairs_in_all; ++p) {
      if (chosen[p] >= 0) ++starts[chosen[p] + 1];
    }
    for (int e = 0; e < num_experts; ++e) {
      if (starts[e + 1]) active[count++] = e;
      starts[e + 1] += starts[e];
    }
    // Filling moves every start to its end, which is the next one's start.
    for (int64_t p = 0; p < pairs_in_all; ++p) {
      places[p] = chosen[p] < 0 ? -1 : static_cast<int32_t>(starts[chosen[p]]++);
      if (places[p] >= 0) pairs[places[p]] = static_cast<int32_t>(p);
    }
    for (int e = num_experts; e > 0; --e) starts[e] = starts[e - 1];
    starts[0] = 0;
  }
};

// In the order of an adapter's additions to an expert.
constexpr int kGate = 0, kUp = 1, kDown = 2, kMatrices = 3;

struct Experts {
  const ostro_experts& layer;
  int64_t slots;        // K of the step.
  const Forms& normed;  // [T]
  const Forms& hidden;  // [T * K] in sorted order, as are the outputs.
  int64_t hidden_step;
  RowAdapters adapters;  // Their products are in sorted order, too.
  Sorted sorted;
  float* outputs = nullptr;        // [T * K, D]
  float* hidden_floats = nullptr;  // [T * K, F], where there are adapters.

  const ostro_expert& expert(int64_t i) const { return layer.experts[sorted.active[i]]; }
  int64_t first(int64_t i) const { return sorted.starts[sorted.active[i]]; }
  int64_t last(int64_t i) const { return sorted.starts[sorted.active[i] + 1]; }
  int64_t row_at(int64_t place) const { return sorted.pairs[place] / slots; }

  // What the adapter of a place's row adds to an expert; NULL if the row has none.
  const ostro_lora* loras(int64_t place, int64_t expert) const {
    const ostro_lora* all = adapters.of(row_at(place));
    return all ? all + expert * kMatrices : nullptr;
  }
};

// What adapters make of x before matrices [first, last) of every place's expert; x_of(place) is
// what meets them.
template <class XOf>
void shrink(ostro_context& context, const Experts& e, const int32_t* chosen, int first, int last,
            int64_t columns, XOf&& x_of) {
  const int64_t steps = e.adapters.steps(), a_place = (last - first) * steps;
  context.pool.run(e.sorted.starts[e.layer.num_experts] * a_place, [&](int64_t index, int) {
    const int64_t place = index / a_place, matrix = first + index % a_place / steps;
    if (const ostro_lora* loras = e.loras(place, chosen[e.sorted.pairs[place]])) {
      e.adapters.shrink_step(loras[matrix], index % steps, x_of(place), columns, place, matrix);
    }
  });
}

// What adapters add to `width` gates and ups from `begin`, those of the tokens at [at, at + count).
void expand_hidden(const Experts& e, int64_t expert, int64_t at, int64_t count, int64_t begin,
                   int64_t width, float* gate, float* up) {
  for (int64_t i = 0; i < count; ++i) {
    if (const ostro_lora* loras = e.loras(at + i, expert)) {
      const auto expand = [&](int matrix, float* y) {
        e.adapters.expand(loras[matrix], e.layer.ffn_dim, at + i, matrix, begin, width,
                          y + i * kMostHiddenStep);
      };
      expand(kGate, gate);
      expand(kUp, up);
    }
  }
}

// silu(gate x) * (up x) for some rows of gate and up, and all tokens of an active expert.
void hidden_piece(const Experts& e, int64_t active, int64_t piece) {
  const ostro_expert& expert = e.expert(active);
  const int64_t begin = piece * e.hidden_step;
  const int64_t width = std::min(e.hidden_step, e.layer.ffn_dim - begin);
  const int64_t group = begin / kGroupRows, groups = group_count(width);
  alignas(64) float gate[kRowTile * kMostHiddenStep], up[kRowTile * kMostHiddenStep];
  const int64_t tile = std::min(tile_rows(expert.gate, e.normed), tile_rows(expert.up, e.normed));
  for (int64_t at = e.first(active); at < e.last(active); at += tile) {
    const int64_t count = std::min(tile, e.last(active) - at);
    const auto row_at = [&](int64_t i) { return e.row_at(at + i); };
    multiply_tile(expert.gate, group, groups, e.normed, count, row_at, gate, kMostHiddenStep);
    multiply_tile(expert.up, group, groups, e.normed, count, row_at, up, kMostHiddenStep);
    if (e.adapters) {
      expand_hidden(e, e.sorted.active[active], at, count, begin, width, gate, up);
    }
    for (int64_t i = 0; i < count; ++i) {
      float* h = gate + i * kMostHiddenStep;
      silu_times(h, up + i * kMostHiddenStep, width);
      e.hidden.write_part(h, at + i, begin, width);
      if (e.adapters && e.adapters.of(e.row_at(at + i))) {
        std::copy_n(h, width, e.hidden_floats + (at + i) * e.layer.ffn_dim + begin);
      }
    }
  }
}

void down_piece(const Experts& e, int64_t active, int64_t step, int64_t piece) {
  const ostro_matrix& down = e.expert(active).down;
  multiply_piece(down, step, piece, e.hidden, e.first(active), e.last(active), e.outputs);
  if (!e.adapters) return;
  const Columns columns = piece_columns(down, step, piece);
  for (int64_t place = e.first(active); place < e.last(active); ++place) {
    if (const ostro_lora* loras = e.loras(place, e.sorted.active[active])) {
      e.adapters.expand(loras[kDown], down.rows, place, kDown, columns.first, columns.count,
                        e.outputs + place * padded_rows(down.rows) + columns.first);
    }
  }
}

// x += w_0 y_0 + w_1 y_1 + ..., in the order of the slots; those that are unused come last.
void add_outputs(const Experts& e, int64_t row, const float* weights, float* x) {
  const int64_t D = e.layer.dim;
  const int32_t* places = e.sorted.places + row * e.slots;
  const int64_t used = std::find(places, places + e.slots, -1) - places;
  const auto output = [&](int64_t k) { return e.outputs + places[k] * D; };
  weights += row * e.slots;
  x += row * D;
  for (int64_t i = 0; i < D; i += 8) {
    Floats total = _mm256_mul_ps(_mm256_loadu_ps(output(0) + i), spread(weights[0]));
    for (int64_t k = 1; k < used; ++k) {
      total = fma(_mm256_loadu_ps(output(k) + i), spread(weights[k]), total);
    }
    _mm256_storeu_ps(x + i, _mm256_add_ps(_mm256_loadu_ps(x + i), total));
  }
}

// One row's experts; a dense layer has one and no router. `logits` has padded_rows(E) places.
void route(const ostro_experts& layer, const ostro_rule& rule, int64_t slots, const float* h,
           float* logits, int32_t* chosen, float* weights) {
  if (!layer.router) {
    *chosen = 0;
    *weights = 1;
    return;
  }
  const ostro_matrix router{layer.router, static_cast<int32_t>(WeightType::F32),
                            layer.num_experts, layer.dim};
  const uint8_t* row[] = {reinterpret_cast<const uint8_t*>(h)};
  multiply(router, 0, group_count(layer.num_experts), row, 1, logits,
           padded_rows(layer.num_experts));
  choose(logits, rule, slots, chosen, weights);
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

int32_t experts_layer(ostro_context& context, const ostro_experts& layer, int64_t rows,
                      const ostro_steering* steering, const ostro_adapters* adapters, float* x,
                      int32_t* chosen, float* weights, uint8_t* missing) {
  const int64_t D = layer.dim, E = layer.num_experts, K = slots_of(layer, steering);
  const int64_t pairs = rows * K;
  const ostro_expert& any = layer.experts[0];
  Forms normed({&any.gate, &any.up}, rows, layer.precise ? Precision::Twice : Precision::Once);
  Forms hidden({&any.down}, pairs, Precision::Once);
  Experts e{layer, K, normed, hidden, hidden_step(any, rows), {adapters, kMatrices}, {}};
  uint8_t *normed_memory, *hidden_memory;
  float *logits, *own_weights;
  int32_t* own_chosen;
  if (!context.scratch.reserve({{normed_memory, normed.bytes()},
                                {hidden_memory, hidden.bytes()},
                                {logits, rows * padded_rows(E)},
                                {own_chosen, pairs},
                                {own_weights, pairs},
                                {e.sorted.pairs, pairs},
                                {e.sorted.places, pairs},
                                {e.sorted.starts, E + 1},
                                {e.sorted.active, E},
                                {e.adapters.memory, e.adapters.products(pairs)},
                                {e.hidden_floats, adapters ? pairs * layer.ffn_dim : 0},
                                {e.outputs, pairs * D}})) {
    return -1;
  }
  normed.place(normed_memory);
  hidden.place(hidden_memory);
  if (!chosen) chosen = own_chosen;
  if (!weights) weights = own_weights;

  context.pool.run(rows, [&](int64_t row, int) {
    float h[kMostDim];
    rms_norm(x + row * D, layer.norm, D, layer.eps, h);
    normed.write(h, row);
    route(layer, rule_of(layer, steering, row), K, h, logits + row * padded_rows(E),
          chosen + row * K, weights + row * K);
    if (e.adapters.of(row)) std::copy_n(h, D, e.outputs + row * D);  // There are no outputs yet.
  });
  e.sorted.sort(chosen, pairs, layer.num_experts);
  if (const int absent = count_missing(layer, e.sorted, missing)) return absent;

  if (adapters) {
    shrink(context, e, chosen, kGate, kUp + 1, D,
           [&](int64_t place) { return e.outputs + e.row_at(place) * D; });
  }
  const int64_t parts = (layer.ffn_dim + e.hidden_step - 1) / e.hidden_step;
  context.pool.run(e.sorted.count * parts, [&](int64_t index, int) {
    hidden_piece(e, index / parts, index % parts);
  });
  if (adapters) {
    shrink(context, e, chosen, kDown, kDown + 1, layer.ffn_dim,
           [&](int64_t place) { return e.hidden_floats + place * layer.ffn_dim; });
  }
  const int64_t down_step = piece_groups(any.down, rows);
  const int64_t down_parts = pieces(any.down, down_step);
  context.pool.run(e.sorted.count * down_parts, [&](int64_t index, int) {
    down_piece(e, index / down_parts, down_step, index % down_parts);
  });
  context.pool.run(rows, [&](int64_t row, int) { add_outputs(e, row, weights, x); });
  return 0;
}

int32_t route_rows(ostro_context& context, const ostro_experts& layer, int64_t rows,
                   const ostro_steering* steering, const float* x, int32_t* chosen) {
  const int64_t D = layer.dim, E = layer.num_experts, K = slots_of(layer, steering);
  float *logits, *weights;
  if (!context.scratch.reserve({{logits, rows * padded_rows(E)}, {weights, rows * K}})) return -1;
  context.pool.run(rows, [&](int64_t row, int) {
    float h[kMostDim];
    rms_norm(x + row * D, layer.norm, D, layer.eps, h);
    route(layer, rule_of(layer, steering, row), K, h, logits + row * padded_rows(E),
          chosen + row * K, weights + row * K);
  });
  return 0;
}

}  // namespace ostro::OSTRO_ISA
