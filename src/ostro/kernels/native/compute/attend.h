// Causal attention of a few queries over the pages of one sequence and one key head.
//
// Softmax runs online (Milakov and Gimelshein, 2018) over pages, in segments that begin at fixed
// absolute positions; segments are merged in order. So a query's result depends neither on how many
// queries come together, nor on which thread took which segment, nor on how a prompt was cut.
#pragma once

#include <algorithm>

#include "pages.h"

namespace ostro::OSTRO_ISA {

constexpr int64_t kSegmentPages = 16;
constexpr int64_t kSegment = kSegmentPages * kSlots;
constexpr int64_t kMostHeadDim = 256;
constexpr float kNothing = -1e30f;  // A score that no softmax sees, and still a number.

// Keys from `first` to before `last`.
struct Range {
  int64_t first, last;
};

// A query, and the keys that it may see.
struct Query {
  const float* q;  // [d], scaled by 1 / sqrt(d) already.
  float* out;      // [d]
  Range keys;
};

// The keys that some of the queries see.
inline Range seen_by(const Query* queries, int64_t count) {
  Range all = {INT64_MAX, 0};
  for (int64_t n = 0; n < count; ++n) {
    all.first = std::min(all.first, queries[n].keys.first);
    all.last = std::max(all.last, queries[n].keys.last);
  }
  return all;
}

// What a query has gathered: sum over keys of e^(score - most), and of that times the values.
struct Gathered {
  float most = kNothing, weight = 0;
  float mixed[kMostHeadDim];
};

inline void clear(Gathered& g, int64_t d) {
  g.most = kNothing;
  g.weight = 0;
  std::fill_n(g.mixed, d, 0.0f);
}

// total becomes total and then next.
inline void merge(Gathered& total, const Gathered& next, int64_t d) {
  const float most = std::max(total.most, next.most);
  const Floats old_factor = exp(spread(total.most - most));
  const Floats new_factor = exp(spread(next.most - most));
  for (int64_t i = 0; i < d; i += 8) {
    const Floats old = _mm256_mul_ps(_mm256_loadu_ps(total.mixed + i), old_factor);
    _mm256_storeu_ps(total.mixed + i, fma(_mm256_loadu_ps(next.mixed + i), new_factor, old));
  }
  total.weight = total.weight * _mm256_cvtss_f32(old_factor) +
                 next.weight * _mm256_cvtss_f32(new_factor);
  total.most = most;
}

inline void finish(const Gathered& g, int64_t d, float* out) {
  const Floats factor = spread(1.0f / g.weight);
  for (int64_t i = 0; i < d; i += 8) {
    _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_loadu_ps(g.mixed + i), factor));
  }
}

// Scores of Q queries with the 32 keys of a page, [Q, 32].
template <class Store, int Q>
inline void page_scores(const HeadPage<Store>& page, const Query* queries, int64_t d,
                        float* scores) {
  for (int half = 0; half < 2; ++half) {
    Floats total[Q][2];
    for (auto& pair : total) pair[0] = pair[1] = _mm256_setzero_ps();
    for (int64_t i = 0; i < d; ++i) {
      const auto* keys = page.keys + i * kSlots + 16 * half;
      const Floats low = Store::read(keys), high = Store::read(keys + 8);
      for (int n = 0; n < Q; ++n) {
        const Floats q = spread(queries[n].q[i]);
        total[n][0] = fma(q, low, total[n][0]);
        total[n][1] = fma(q, high, total[n][1]);
      }
    }
    for (int n = 0; n < Q; ++n) {
      for (int part = 0; part < 2; ++part) {
        const int64_t slot = 16 * half + 8 * part;
        Floats score = total[n][part];
        if constexpr (Store::kScaled) {
          score = _mm256_mul_ps(score, _mm256_loadu_ps(page.key_scales + slot));
        }
        _mm256_storeu_ps(scores + n * kSlots + slot, score);
      }
    }
  }
}

// Scores [32] of keys from `start` on become e^(score - most), zero where the query must not see.
inline void page_weights(const Query& query, int64_t start, float* scores, Gathered& g, int64_t d) {
  const Floats slots = _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
  const Floats first = spread(static_cast<float>(std::max<int64_t>(query.keys.first - start, 0)));
  const int64_t end = std::clamp<int64_t>(query.keys.last - start, 0, kSlots);
  const Floats last = spread(static_cast<float>(end));
  Floats seen[4], most = spread(g.most);
  for (int part = 0; part < 4; ++part) {
    const Floats slot = _mm256_add_ps(slots, spread(8.0f * static_cast<float>(part)));
    seen[part] = _mm256_and_ps(_mm256_cmp_ps(slot, first, _CMP_GE_OQ),
                               _mm256_cmp_ps(slot, last, _CMP_LT_OQ));
    const Floats score = _mm256_loadu_ps(scores + 8 * part);
    most = _mm256_max_ps(most, _mm256_blendv_ps(spread(kNothing), score, seen[part]));
  }
  const float new_most = largest(most);
  Floats total = _mm256_setzero_ps();
  for (int part = 0; part < 4; ++part) {
    const Floats score = _mm256_loadu_ps(scores + 8 * part);
    const Floats weight =
        _mm256_and_ps(exp(_mm256_sub_ps(score, spread(new_most))), seen[part]);
    _mm256_storeu_ps(scores + 8 * part, weight);
    total = _mm256_add_ps(total, weight);
  }
  if (new_most != g.most) {
    const Floats factor = exp(spread(g.most - new_most));
    for (int64_t i = 0; i < d; i += 8) {
      _mm256_storeu_ps(g.mixed + i, _mm256_mul_ps(_mm256_loadu_ps(g.mixed + i), factor));
    }
    g.weight *= _mm256_cvtss_f32(factor);
    g.most = new_most;
  }
  g.weight += sum(total);
}

// mixed += weights [Q, 32] times the values of slots [from, to).
template <class Store, int Q>
inline void mix_values(const HeadPage<Store>& page, float* weights, int64_t from, int64_t to,
                       int64_t d, Gathered* gathered) {
  if constexpr (Store::kScaled) {
    for (int n = 0; n < Q; ++n) {
      for (int64_t slot = from; slot < to; ++slot) {
        weights[n * kSlots + slot] *= page.value_scales[slot];
      }
    }
  }
  for (int64_t i = 0; i < d; i += 16) {
    Floats total[Q][2];
    for (int n = 0; n < Q; ++n) {
      total[n][0] = _mm256_loadu_ps(gathered[n].mixed + i);
      total[n][1] = _mm256_loadu_ps(gathered[n].mixed + i + 8);
    }
    for (int64_t slot = from; slot < to; ++slot) {
      const auto* values = page.values + slot * d + i;
      const Floats low = Store::read(values), high = Store::read(values + 8);
      for (int n = 0; n < Q; ++n) {
        const Floats weight = spread(weights[n * kSlots + slot]);
        total[n][0] = fma(weight, low, total[n][0]);
        total[n][1] = fma(weight, high, total[n][1]);
      }
    }
    for (int n = 0; n < Q; ++n) {
      _mm256_storeu_ps(gathered[n].mixed + i, total[n][0]);
      _mm256_storeu_ps(gathered[n].mixed + i + 8, total[n][1]);
    }
  }
}

// One segment of a sequence, for Q queries of one key head.
template <class Store, int Q>
inline void attend_segment(const ostro_pages& pages, const int64_t* table, int64_t segment,
                           int64_t head, int64_t kv_heads, int64_t d, const Query* queries,
                           Gathered* gathered) {
  const auto [first, last] = seen_by(queries, Q);
  for (int n = 0; n < Q; ++n) clear(gathered[n], d);
  const int64_t begin = std::max(first / kSlots, segment * kSegmentPages);
  const int64_t end = std::min((last + kSlots - 1) / kSlots, (segment + 1) * kSegmentPages);
  alignas(32) float scores[Q * kSlots];
  for (int64_t index = begin; index < end; ++index) {
    const int64_t start = index * kSlots;
    const HeadPage<Store> page(pages, table[index], head, kv_heads, d);
    page_scores<Store, Q>(page, queries, d, scores);
    for (int n = 0; n < Q; ++n) {
      page_weights(queries[n], start, scores + n * kSlots, gathered[n], d);
    }
    mix_values<Store, Q>(page, scores, std::max<int64_t>(first - start, 0),
                         std::min(last - start, kSlots), d, gathered);
  }
}

}  // namespace ostro::OSTRO_ISA
