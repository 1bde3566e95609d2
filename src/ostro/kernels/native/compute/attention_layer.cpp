// The attention half of a layer: norm, projections, rotary positions, attention, output, residual.
#include <cmath>

#include "attend.h"
#include "layers.h"
#include "linear.h"
#include "rows.h"

namespace ostro::OSTRO_ISA {
namespace {

constexpr int64_t kTile = 4;  // Queries that share every key and value that is read.

// One call's view of everything.
struct Attention {
  ostro_context& context;
  const ostro_attention& layer;
  const ostro_step& step;
  const ostro_pages& pages;
  float *query = nullptr, *key = nullptr, *value = nullptr;  // [T, rows, padded to groups]
  int64_t query_stride = 0, kv_stride = 0;
  float* mixed = nullptr;       // [T, H * d]
  Gathered* partial = nullptr;  // [tiles, segments, 4], where segments are shared out

  int64_t d() const { return layer.head_dim; }
  int64_t per_head() const { return layer.heads / layer.kv_heads; }
};

int64_t padded(int64_t rows) { return group_count(rows) * kGroupRows; }

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
    float* q = a.query + row * a.query_stride + head * d;
    rotate(q, d, cosines, sines);
    for (int64_t i = 0; i < d; ++i) q[i] *= scale;
  }
  for (int64_t head = 0; head < a.layer.kv_heads; ++head) {
    float* k = a.key + row * a.kv_stride + head * d;
    rotate(k, d, cosines, sines);
    const float* v = a.value + row * a.kv_stride + head * d;
    with_store(a.pages, [&](auto store) {
      HeadPage<decltype(store)> page(a.pages, step.tables[sequence][at / kSlots], head,
                                     a.layer.kv_heads, d);
      page.put(at % kSlots, k, v, d);
    });
  }
}

// A tile: up to four queries of one key head. Query `index` of a sequence and key head is row
// index / G of the sequence's rows, head index % G of the group.
struct Tile {
  int64_t sequence, head, first, count;
};

Query query_at(const Attention& a, const Tile& tile, int64_t n, int64_t& row, int64_t& head) {
  const int64_t index = tile.first + n;
  row = a.step.row_starts[tile.sequence] + index / a.per_head();
  head = tile.head * a.per_head() + index % a.per_head();
  const int64_t last = position(a.step, tile.sequence, row) + 1;
  const int64_t first = a.layer.window ? std::max<int64_t>(last - a.layer.window, 0) : 0;
  return {a.query + row * a.query_stride + head * a.d(), first, last};
}

template <class Store>
void attend(const Attention& a, const Tile& tile, int64_t segment, const Query* queries,
            Gathered* gathered) {
  const int64_t* table = a.step.tables[tile.sequence];
  const int64_t kv_heads = a.layer.kv_heads, d = a.d();
  switch (tile.count) {
    case 4: return attend_segment<Store, 4>(a.pages, table, segment, tile.head, kv_heads, d, queries, gathered);
    case 3: return attend_segment<Store, 3>(a.pages, table, segment, tile.head, kv_heads, d, queries, gathered);
    case 2: return attend_segment<Store, 2>(a.pages, table, segment, tile.head, kv_heads, d, queries, gathered);
    default: return attend_segment<Store, 1>(a.pages, table, segment, tile.head, kv_heads, d, queries, gathered);
  }
}

// All segments of a tile, one after another, merged as they come.
void attend_tile(const Attention& a, const Tile& tile) {
  Query queries[kTile];
  int64_t rows[kTile], heads[kTile];
  int64_t first = INT64_MAX, last = 0;
  for (int64_t n = 0; n < tile.count; ++n) {
    queries[n] = query_at(a, tile, n, rows[n], heads[n]);
    first = std::min(first, queries[n].first);
    last = std::max(last, queries[n].last);
  }
  Gathered total[kTile], next[kTile];
  for (int64_t n = 0; n < tile.count; ++n) clear(total[n], a.d());
  for (int64_t segment = first / kSegment; segment * kSegment < last; ++segment) {
    with_store(a.pages, [&](auto store) {
      attend<decltype(store)>(a, tile, segment, queries, next);
    });
    for (int64_t n = 0; n < tile.count; ++n) merge(total[n], next[n], a.d());
  }
  for (int64_t n = 0; n < tile.count; ++n) {
    finish(total[n], a.d(), a.mixed + rows[n] * a.layer.heads * a.d() + heads[n] * a.d());
  }
}

int64_t tiles_of(const Attention& a, int64_t sequence) {
  const int64_t rows = a.step.row_starts[sequence + 1] - a.step.row_starts[sequence];
  return (rows * a.per_head() + kTile - 1) / kTile;
}

Tile tile_at(const Attention& a, int64_t index) {
  // Tiles are numbered by sequence, then key head, then place.
  for (int64_t sequence = 0;; ++sequence) {
    const int64_t tiles = tiles_of(a, sequence);
    if (index < tiles * a.layer.kv_heads) {
      const int64_t rows = a.step.row_starts[sequence + 1] - a.step.row_starts[sequence];
      const int64_t first = index % tiles * kTile;
      return {sequence, index / tiles, first, std::min(kTile, rows * a.per_head() - first)};
    }
    index -= tiles * a.layer.kv_heads;
  }
}

int64_t all_tiles(const Attention& a) {
  int64_t total = 0;
  for (int64_t s = 0; s < a.step.sequences; ++s) total += tiles_of(a, s) * a.layer.kv_heads;
  return total;
}

int64_t most_segments(const ostro_step& step) {
  const int64_t longest = *std::max_element(step.lengths, step.lengths + step.sequences);
  return (longest + kSegment - 1) / kSegment;
}

// Few tiles and long sequences: segments are shared out, and merged afterwards in their order.
void attend_by_segment(const Attention& a, int64_t tiles, int64_t segments) {
  a.context.pool.run(tiles * segments, [&](int64_t index, int) {
    const Tile tile = tile_at(a, index / segments);
    Query queries[kTile];
    int64_t row, head;
    for (int64_t n = 0; n < tile.count; ++n) queries[n] = query_at(a, tile, n, row, head);
    Gathered* gathered = a.partial + index * kTile;
    with_store(a.pages, [&](auto store) {
      attend<decltype(store)>(a, tile, index % segments, queries, gathered);
    });
  });
  for (int64_t t = 0; t < tiles; ++t) {
    const Tile tile = tile_at(a, t);
    for (int64_t n = 0; n < tile.count; ++n) {
      int64_t row, head;
      const Query query = query_at(a, tile, n, row, head);
      Gathered total;
      clear(total, a.d());
      for (int64_t s = query.first / kSegment; s * kSegment < query.last; ++s) {
        merge(total, a.partial[(t * segments + s) * kTile + n], a.d());
      }
      finish(total, a.d(), a.mixed + row * a.layer.heads * a.d() + head * a.d());
    }
  }
}

bool shares_segments(const ostro_context& context, int64_t tiles, int64_t segments) {
  return segments > 1 && context.pool.size() > 1 && tiles < 4 * context.pool.size();
}

}  // namespace

int32_t attention_layer(ostro_context& context, const ostro_attention& layer,
                        const ostro_step& step, const ostro_pages& pages, float* x) {
  const int64_t T = step.rows, D = layer.query.columns, width = layer.output.columns;
  Attention a{context, layer, step, pages};
  a.query_stride = padded(layer.query.rows);
  a.kv_stride = padded(layer.key.rows);
  const int64_t tiles = all_tiles(a), segments = most_segments(step);
  const bool share = shares_segments(context, tiles, segments);
  const int64_t floats = sizeof(float);
  Forms normed({&layer.query, &layer.key, &layer.value}, T, Precision::Twice);
  Forms mixed({&layer.output}, T, Precision::Once);
  const int64_t partial = share ? tiles * segments * kTile * static_cast<int64_t>(sizeof(Gathered)) : 0;
  const int64_t out_stride = padded(layer.output.rows);
  if (!context.scratch.begin({normed.bytes(), T * a.query_stride * floats, T * a.kv_stride * floats,
                              T * a.kv_stride * floats, T * width * floats, mixed.bytes(),
                              T * out_stride * floats, partial})) {
    return -1;
  }
  normed.place(context.scratch.take<uint8_t>(normed.bytes()));
  a.query = context.scratch.take<float>(T * a.query_stride * floats);
  a.key = context.scratch.take<float>(T * a.kv_stride * floats);
  a.value = context.scratch.take<float>(T * a.kv_stride * floats);
  a.mixed = context.scratch.take<float>(T * width * floats);
  mixed.place(context.scratch.take<uint8_t>(mixed.bytes()));
  auto* out = context.scratch.take<float>(T * out_stride * floats);
  a.partial = context.scratch.take<Gathered>(partial);

  context.pool.run(T, [&](int64_t t, int) {
    float row[kMostDim];
    rms_norm(x + t * D, layer.norm, D, layer.eps, row);
    normed.write(row, t);
  });
  const ostro_matrix* matrices[] = {&layer.query, &layer.key, &layer.value};
  float* targets[] = {a.query, a.key, a.value};
  const int64_t strides[] = {a.query_stride, a.kv_stride, a.kv_stride};
  int64_t ends[3];
  for (int i = 0; i < 3; ++i) ends[i] = (i ? ends[i - 1] : 0) + pieces(*matrices[i]);
  context.pool.run(ends[2], [&](int64_t index, int) {
    const int i = index < ends[0] ? 0 : index < ends[1] ? 1 : 2;
    multiply_piece(*matrices[i], index - (i ? ends[i - 1] : 0), normed, T, targets[i], strides[i]);
  });
  context.pool.run(T, [&](int64_t t, int) { rotate_and_store(a, t); });
  if (share) {
    attend_by_segment(a, tiles, segments);
  } else {
    context.pool.run(tiles, [&](int64_t index, int) { attend_tile(a, tile_at(a, index)); });
  }
  context.pool.run(T, [&](int64_t t, int) { mixed.write(a.mixed + t * width, t); });
  context.pool.run(pieces(layer.output), [&](int64_t index, int) {
    multiply_piece(layer.output, index, mixed, T, out, out_stride);
    const int64_t first = index * piece_groups(layer.output) * kGroupRows;
    const int64_t last = std::min(first + piece_groups(layer.output) * kGroupRows, D);
    for (int64_t t = 0; t < T; ++t) {
      for (int64_t i = first; i < last; ++i) x[t * D + i] += out[t * out_stride + i];
    }
  });
  return 0;
}

}  // namespace ostro::OSTRO_ISA
