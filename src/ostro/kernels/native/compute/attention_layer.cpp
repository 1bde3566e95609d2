// The attention half of a layer: norm, projections, rotary positions, attention, output, residual.
#include <cmath>
#include <type_traits>

#include "attend_segment.h"
#include "layers.h"
#include "linear.h"
#include "lora.h"
#include "rows.h"

namespace ostro::OSTRO_ISA {
namespace {

constexpr int64_t kTile = 4;  // Queries that share every key and value that is read.

// In the order of an adapter's additions.
constexpr int kProjections = 3, kOutput = 3;

// One call's view of everything.
struct Attention {
  ostro_context& context;
  const ostro_attention& layer;
  const ostro_step& step;
  const ostro_pages& pages;
  RowAdapters adapters;
  float *query = nullptr, *key = nullptr, *value = nullptr;  // [T, H * d], twice [T, N * d]
  float* mixed = nullptr;       // [T, H * d]
  Gathered* partial = nullptr;  // [tiles, segments, kMostQueries], where segments are shared out

  int64_t d() const { return layer.head_dim; }
  int64_t query_width() const { return layer.heads * d(); }
  int64_t kv_width() const { return layer.kv_heads * d(); }
  int64_t per_head() const { return layer.heads / layer.kv_heads; }
};

// Where in its sequence a row of the step stands.
int64_t position(const ostro_step& step, int64_t sequence, int64_t row) {
  return step.lengths[sequence] - (step.row_starts[sequence + 1] - row);
}

int64_t sequence_of(const ostro_step& step, int64_t row) {
  return std::upper_bound(step.row_starts, step.row_starts + step.sequences, row) -
         step.row_starts - 1;
}

void rotate_and_store(const Attention& a, int64_t row) {
  const ostro_step& step = a.step;
  const int64_t d = a.d(), sequence = sequence_of(step, row), at = position(step, sequence, row);
  const float* cosines = step.cosines + row * (d / 2);
  const float* sines = step.sines + row * (d / 2);
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  for (int64_t head = 0; head < a.layer.heads; ++head) {
    float* q = a.query + row * a.query_width() + head * d;
    rotate(q, d, cosines, sines);
    for (int64_t i = 0; i < d; ++i) q[i] *= scale;
  }
  for (int64_t head = 0; head < a.layer.kv_heads; ++head) {
    float* k = a.key + row * a.kv_width() + head * d;
    rotate(k, d, cosines, sines);
    const float* v = a.value + row * a.kv_width() + head * d;
    with_store(a.pages, [&](auto store) {
      HeadPage<decltype(store)> page(a.pages, step.tables[sequence][at / kSlots], head,
                                     a.layer.kv_heads, d);
      page.put(at % kSlots, k, v, d);
    });
  }
}

// A tile: up to four queries of each of some key heads. Query `index` of a sequence and key head is
// row index / G of the sequence's rows, head index % G of the group.
struct Tile {
  int64_t sequence, first_head, heads, first, count;

  int64_t queries() const { return heads * count; }
};

constexpr int64_t kMostQueries = kMostHeads * kTile;

Query query_at(const Attention& a, const Tile& tile, int64_t n) {
  const int64_t index = tile.first + n % tile.count;
  const int64_t row = a.step.row_starts[tile.sequence] + index / a.per_head();
  const int64_t key_head = tile.first_head + n / tile.count;
  const int64_t head = key_head * a.per_head() + index % a.per_head();
  const int64_t place = row * a.query_width() + head * a.d();
  const int64_t last = position(a.step, tile.sequence, row) + 1;
  const int64_t first = a.layer.window ? std::max<int64_t>(last - a.layer.window, 0) : 0;
  return {a.query + place, a.mixed + place, {first, last}};
}

void fill_queries(const Attention& a, const Tile& tile, Query* queries) {
  for (int64_t n = 0; n < tile.queries(); ++n) queries[n] = query_at(a, tile, n);
}

void attend(const Attention& a, const Tile& tile, int64_t segment, const Query* queries,
            Gathered* gathered) {
  with_store(a.pages, [&](auto store) {
    using Store = decltype(store);
    const auto run = [&](auto count) {
      attend_segment<Store, count()>(a.pages, a.step.tables[tile.sequence], segment,
                                     tile.first_head, tile.heads, a.layer.kv_heads, a.d(), queries,
                                     gathered);
    };
    switch (tile.count) {
      case 4: return run(std::integral_constant<int, 4>{});
      case 3: return run(std::integral_constant<int, 3>{});
      case 2: return run(std::integral_constant<int, 2>{});
      default: return run(std::integral_constant<int, 1>{});
    }
  });
}

// All segments of a tile, one after another, merged as they come.
void attend_tile(const Attention& a, const Tile& tile) {
  Query queries[kMostQueries];
  fill_queries(a, tile, queries);
  Gathered total[kMostQueries], next[kMostQueries];
  for (int64_t n = 0; n < tile.queries(); ++n) clear(total[n], a.d());
  const auto [first, last] = seen_by(queries, tile.queries());
  for (int64_t segment = first / kSegment; segment * kSegment < last; ++segment) {
    attend(a, tile, segment, queries, next);
    for (int64_t n = 0; n < tile.queries(); ++n) merge(total[n], next[n], a.d());
  }
  for (int64_t n = 0; n < tile.queries(); ++n) finish(total[n], a.d(), queries[n].out);
}

// How a step is cut into tiles, numbered by sequence, then key heads, then queries.
struct Tiles {
  const Attention& a;
  int64_t heads;  // Of one tile.

  int64_t head_parts() const { return (a.layer.kv_heads + heads - 1) / heads; }

  int64_t queries(int64_t sequence) const {
    return (a.step.row_starts[sequence + 1] - a.step.row_starts[sequence]) * a.per_head();
  }

  int64_t query_parts(int64_t sequence) const { return (queries(sequence) + kTile - 1) / kTile; }

  int64_t count() const {
    int64_t total = 0;
    for (int64_t s = 0; s < a.step.sequences; ++s) total += query_parts(s) * head_parts();
    return total;
  }

  Tile at(int64_t index) const {
    for (int64_t sequence = 0;; ++sequence) {
      const int64_t parts = query_parts(sequence);
      if (index < parts * head_parts()) {
        const int64_t head = index / parts * heads, first = index % parts * kTile;
        return {sequence, head, std::min(heads, a.layer.kv_heads - head), first,
                std::min(kTile, queries(sequence) - first)};
      }
      index -= parts * head_parts();
    }
  }
};

int64_t most_segments(const ostro_step& step) {
  const int64_t longest = *std::max_element(step.lengths, step.lengths + step.sequences);
  return (longest + kSegment - 1) / kSegment;
}

// Few queries read every key once, best in the order of the memory: all heads of a page together.
// Many queries read a head's keys again and again: one head alone stays in the cache.
Tiles cut(const Attention& a, int64_t segments) {
  const int64_t enough = 4 * a.context.pool.size();
  Tiles tiles{a, std::min<int64_t>(a.layer.kv_heads, kMostHeads)};
  const bool many = a.step.rows * a.per_head() > kTile * a.step.sequences;
  if (many || tiles.count() * segments < enough) tiles.heads = 1;
  return tiles;
}

// Few tiles and long sequences: segments are shared out, and merged afterwards in their order.
void attend_by_segment(const Attention& a, const Tiles& tiles, int64_t segments) {
  const int64_t count = tiles.count();
  const auto partial = [&](int64_t tile, int64_t segment) {
    return a.partial + (tile * segments + segment) * kMostQueries;
  };
  a.context.pool.run(count * segments, [&](int64_t index, int) {
    const Tile tile = tiles.at(index / segments);
    Query queries[kMostQueries];
    fill_queries(a, tile, queries);
    attend(a, tile, index % segments, queries, partial(index / segments, index % segments));
  });
  a.context.pool.run(count * kMostQueries, [&](int64_t index, int) {
    const Tile tile = tiles.at(index / kMostQueries);
    const int64_t n = index % kMostQueries;
    if (n >= tile.queries()) return;
    const Query query = query_at(a, tile, n);
    Gathered total;
    clear(total, a.d());
    for (int64_t s = query.keys.first / kSegment; s * kSegment < query.keys.last; ++s) {
      merge(total, partial(index / kMostQueries, s)[n], a.d());
    }
    finish(total, a.d(), query.out);
  });
}

// So few keys that waking the other threads would take longer.
bool is_small(const Tiles& tiles, int64_t segments) {
  constexpr int64_t kMostTiles = 4;
  return tiles.a.step.rows == 1 && segments == 1 && tiles.count() <= kMostTiles &&
         tiles.a.step.lengths[0] <= kSegment / 2;
}

bool shares_segments(const ostro_context& context, int64_t tiles, int64_t segments) {
  return segments > 1 && context.pool.size() > 1 && tiles < 4 * context.pool.size();
}

// What adapters make of x [T, columns] before matrices [first, last).
void shrink(const Attention& a, const float* x, int64_t columns, int first, int last) {
  const int64_t steps = a.adapters.steps(), a_row = (last - first) * steps;
  a.context.pool.run(a.step.rows * a_row, [&](int64_t index, int) {
    const int64_t row = index / a_row, matrix = first + index % a_row / steps;
    if (const ostro_lora* loras = a.adapters.of(row)) {
      a.adapters.shrink_step(loras[matrix], index % steps, x + row * columns, columns, row, matrix);
    }
  });
}

// What adapters add to a piece of y [T, rows of the matrix].
void expand(const Attention& a, const ostro_matrix& matrix, int64_t step, int64_t index, int number,
            float* y) {
  const Columns columns = piece_columns(matrix, step, index);
  for (int64_t row = 0; row < a.step.rows; ++row) {
    if (const ostro_lora* loras = a.adapters.of(row)) {
      a.adapters.expand(loras[number], matrix.rows, row, number, columns.first, columns.count,
                        y + row * padded_rows(matrix.rows) + columns.first);
    }
  }
}

// Queries, keys and values of all rows, in one task.
void project(const Attention& a, const Forms& normed) {
  const ostro_matrix* matrices[] = {&a.layer.query, &a.layer.key, &a.layer.value};
  float* targets[] = {a.query, a.key, a.value};
  int64_t steps[kProjections], starts[kProjections + 1] = {};
  for (int i = 0; i < kProjections; ++i) {
    steps[i] = piece_groups(*matrices[i], a.step.rows);
    starts[i + 1] = starts[i] + pieces(*matrices[i], steps[i]);
  }
  a.context.pool.run(starts[kProjections], [&](int64_t index, int) {
    const int i = index < starts[1] ? 0 : index < starts[2] ? 1 : 2;
    multiply_piece(*matrices[i], steps[i], index - starts[i], normed, 0, a.step.rows, targets[i]);
    if (a.adapters) expand(a, *matrices[i], steps[i], index - starts[i], i, targets[i]);
  });
}

// x += output * mixed.
void add_output(const Attention& a, const Forms& mixed, float* out, float* x) {
  const ostro_matrix& output = a.layer.output;
  const int64_t T = a.step.rows, D = output.rows;
  const int64_t step = piece_groups(output, T), width = step * kGroupRows;
  a.context.pool.run(pieces(output, step), [&](int64_t index, int) {
    multiply_piece(output, step, index, mixed, 0, T, out);
    if (a.adapters) expand(a, output, step, index, kOutput, out);
    const int64_t first = index * width, last = std::min(first + width, D);
    for (int64_t t = 0; t < T; ++t) {
      for (int64_t i = first; i < last; ++i) x[t * D + i] += out[t * D + i];
    }
  });
}

}  // namespace

int32_t attention_layer(ostro_context& context, const ostro_attention& layer,
                        const ostro_step& step, const ostro_pages& pages,
                        const ostro_adapters* adapters, float* x) {
  const int64_t T = step.rows, D = layer.query.columns;
  Attention a{context, layer, step, pages, {adapters, kProjections + 1}};
  const int64_t segments = most_segments(step);
  const Tiles tiles = cut(a, segments);
  const bool share = shares_segments(context, tiles.count(), segments);
  const int64_t partials = share ? tiles.count() * segments * kMostQueries : 0;
  Forms normed({&layer.query, &layer.key, &layer.value}, T, Precision::Twice);
  Forms mixed({&layer.output}, T, Precision::Once);
  uint8_t *normed_memory, *mixed_memory;
  float* out;
  if (!context.scratch.reserve({{normed_memory, normed.bytes()},
                                {mixed_memory, mixed.bytes()},
                                {a.query, T * a.query_width()},
                                {a.key, T * a.kv_width()},
                                {a.value, T * a.kv_width()},
                                {a.mixed, T * a.query_width()},
                                {out, T * D},
                                {a.adapters.memory, a.adapters.products(T)},
                                {a.partial, partials}})) {
    return -1;
  }
  normed.place(normed_memory);
  mixed.place(mixed_memory);

  context.pool.run(T, [&](int64_t t, int) {
    float row[kMostDim];
    rms_norm(x + t * D, layer.norm, D, layer.eps, row);
    normed.write(row, t);
    if (a.adapters.of(t)) std::copy_n(row, D, out + t * D);  // Nothing else needs `out` yet.
  });
  if (a.adapters) shrink(a, out, D, 0, kProjections);
  project(a, normed);
  context.pool.run(T, [&](int64_t t, int) { rotate_and_store(a, t); });
  if (share) {
    attend_by_segment(a, tiles, segments);
  } else if (is_small(tiles, segments)) {
    for (int64_t index = 0; index < tiles.count(); ++index) attend_tile(a, tiles.at(index));
  } else {
    context.pool.run(tiles.count(), [&](int64_t index, int) { attend_tile(a, tiles.at(index)); });
  }
  context.pool.run(T, [&](int64_t t, int) { mixed.write(a.mixed + t * a.query_width(), t); });
  if (a.adapters) shrink(a, a.mixed, a.query_width(), kOutput, kOutput + 1);
  add_output(a, mixed, out, x);
  return 0;
}

}  // namespace ostro::OSTRO_ISA
