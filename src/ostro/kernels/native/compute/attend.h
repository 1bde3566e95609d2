// What a query of causal attention has gathered, and how parts of it are merged.
//
// A sequence is cut into segments at fixed absolute positions; each has a softmax of its own, and
// segments are merged in order (Milakov and Gimelshein, 2018). So a query's result depends neither
// on how many queries come together, nor on which thread took which segment, nor on how a prompt
// was cut.
#pragma once

#include <algorithm>

#include "pages.h"

namespace ostro::OSTRO_ISA {

constexpr int64_t kSegmentPages = 8;
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

// What a query has gathered: sum over keys of e^(score - most), and of that times the values. Nothing
// is set before clear(): there are many of them on the stack, and few are used.
struct Gathered {
  float most, weight;
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

}  // namespace ostro::OSTRO_ISA
