// One segment of a sequence, for up to four queries of each of some key heads.
//
// Keys of all pages and heads come first, then their values: both lie one after another in memory
// where a sequence's pages do, and are read in that order.
#pragma once

#include "attend.h"

namespace ostro::OSTRO_ISA {

constexpr int64_t kMostHeads = 8;  // Key heads that are read together.

// Registers of eight numbers that one query takes at a time: with all queries' they should hide the
// latency of a multiplication, and fit.
template <int Q>
constexpr int kAbreast = kVectorRegisters >= 32 || Q <= 2 ? 4 : 2;

// Ask for as much of the next page as one step of a loop reads of this one, in the order of the
// memory: a page is too short for the processor to guess what follows it.
template <int kNumbers, class Number>
inline void prefetch_step(const Number* page, int64_t step) {
  constexpr int64_t kBytes = kNumbers * sizeof(Number);
  const char* from = reinterpret_cast<const char*>(page) + step * kBytes;
  for (int64_t line = 0; line < kBytes; line += 64) prefetch(from + line);
}

// Scores of Q queries with the 32 keys of a page, at [Q, kSegment].
template <class Store, int Q>
inline void page_scores(const HeadPage<Store>& page, const HeadPage<Store>& next,
                        const Query* queries, int64_t d, float* scores) {
  constexpr int kParts = kAbreast<Q>, kWidth = 8 * kParts;
  for (int64_t first = 0; first < kSlots; first += kWidth) {
    Floats total[Q][kParts];
    for (auto& parts : total) {
      for (Floats& part : parts) part = _mm256_setzero_ps();
    }
    for (int64_t i = 0; i < d; ++i) {
      const auto* keys = page.keys + i * kSlots + first;
      prefetch_step<kWidth>(next.keys, first / kWidth * d + i);
      Floats read[kParts];
      for (int part = 0; part < kParts; ++part) read[part] = Store::read(keys + 8 * part);
      for (int n = 0; n < Q; ++n) {
        const Floats q = spread(queries[n].q[i]);
        for (int part = 0; part < kParts; ++part) {
          total[n][part] = fma(q, read[part], total[n][part]);
        }
      }
    }
    for (int n = 0; n < Q; ++n) {
      for (int part = 0; part < kParts; ++part) {
        const int64_t slot = first + 8 * part;
        Floats score = total[n][part];
        if constexpr (Store::kScaled) {
          score = _mm256_mul_ps(score, _mm256_loadu_ps(page.key_scales + slot));
        }
        _mm256_storeu_ps(scores + n * kSegment + slot, score);
      }
    }
  }
}

// Scores [slots] of keys from `start` on become e^(score - most), zero where the query must not
// see; `slots` is a multiple of 8.
inline void segment_weights(const Query& query, int64_t start, int64_t slots, float* scores,
                            Gathered& g) {
  const int64_t last = std::clamp<int64_t>(query.keys.last - start, 0, slots);
  const int64_t first = std::clamp<int64_t>(query.keys.first - start, 0, last);
  std::fill(scores, scores + first, kNothing);
  std::fill(scores + last, scores + slots, kNothing);
  Floats most = spread(kNothing), total = _mm256_setzero_ps();
  for (int64_t i = 0; i < slots; i += 8) most = _mm256_max_ps(most, _mm256_loadu_ps(scores + i));
  g.most = largest(most);
  for (int64_t i = 0; i < slots; i += 8) {
    const Floats below = _mm256_sub_ps(_mm256_loadu_ps(scores + i), spread(g.most));
    // exp() is not 0 far below, and a key that is not seen must weigh nothing.
    const Floats seen = _mm256_cmp_ps(_mm256_loadu_ps(scores + i), spread(kNothing), _CMP_NEQ_UQ);
    const Floats weight = _mm256_and_ps(exp(below), seen);
    _mm256_storeu_ps(scores + i, weight);
    total = _mm256_add_ps(total, weight);
  }
  g.weight = sum(total);
}

// mixed += weights times the values of slots [from, to), for `kParts` times 8 columns.
template <class Store, int Q, int kParts>
inline void mix_columns(const HeadPage<Store>& page, const HeadPage<Store>& next,
                        const float* weights, int64_t from, int64_t to, int64_t d, int64_t first,
                        Gathered* gathered) {
  Floats total[Q][kParts];
  for (int n = 0; n < Q; ++n) {
    for (int part = 0; part < kParts; ++part) {
      total[n][part] = _mm256_loadu_ps(gathered[n].mixed + first + 8 * part);
    }
  }
  for (int64_t slot = from; slot < to; ++slot) {
    const auto* values = page.values + slot * d + first;
    prefetch_step<8 * kParts>(next.values, first / (8 * kParts) * kSlots + slot);
    Floats read[kParts];
    for (int part = 0; part < kParts; ++part) read[part] = Store::read(values + 8 * part);
    for (int n = 0; n < Q; ++n) {
      const Floats weight = spread(weights[n * kSegment + slot]);
      for (int part = 0; part < kParts; ++part) {
        total[n][part] = fma(weight, read[part], total[n][part]);
      }
    }
  }
  for (int n = 0; n < Q; ++n) {
    for (int part = 0; part < kParts; ++part) {
      _mm256_storeu_ps(gathered[n].mixed + first + 8 * part, total[n][part]);
    }
  }
}

template <class Store, int Q>
inline void mix_values(const HeadPage<Store>& page, const HeadPage<Store>& next, float* weights,
                       int64_t from, int64_t to, int64_t d, Gathered* gathered) {
  if constexpr (Store::kScaled) {
    for (int n = 0; n < Q; ++n) {
      for (int64_t slot = from; slot < to; ++slot) {
        weights[n * kSegment + slot] *= page.value_scales[slot];
      }
    }
  }
  constexpr int kParts = kAbreast<Q>;
  int64_t first = 0;
  for (; first + 8 * kParts <= d; first += 8 * kParts) {
    mix_columns<Store, Q, kParts>(page, next, weights, from, to, d, first, gathered);
  }
  for (; first < d; first += 16) {
    mix_columns<Store, Q, 2>(page, next, weights, from, to, d, first, gathered);
  }
}

// `queries` and `gathered` are [heads, Q] for the key heads from `first_head`, at most kMostHeads.
template <class Store, int Q>
void attend_segment(const ostro_pages& pages, const int64_t* table, int64_t segment,
                    int64_t first_head, int64_t heads, int64_t kv_heads, int64_t d,
                    const Query* queries, Gathered* gathered) {
  const auto [first, last] = seen_by(queries, Q);
  for (int64_t n = 0; n < heads * Q; ++n) clear(gathered[n], d);
  const int64_t begin = std::max(first / kSlots, segment * kSegmentPages);
  const int64_t end = std::min((last + kSlots - 1) / kSlots, (segment + 1) * kSegmentPages);
  if (begin >= end) return;
  alignas(32) float scores[kMostHeads * Q * kSegment];
  const auto page_at = [&](int64_t index, int64_t head) {
    return HeadPage<Store>(pages, table[std::min(index, end - 1)], first_head + head, kv_heads, d);
  };
  const auto scores_of = [&](int64_t index, int64_t head) {
    return scores + head * Q * kSegment + (index - begin) * kSlots;
  };
  for (int64_t index = begin; index < end; ++index) {
    for (int64_t head = 0; head < heads; ++head) {
      page_scores<Store, Q>(page_at(index, head), page_at(index + 1, head), queries + head * Q, d,
                            scores_of(index, head));
    }
  }
  for (int64_t n = 0; n < heads * Q; ++n) {
    segment_weights(queries[n], begin * kSlots, (end - begin) * kSlots, scores + n * kSegment,
                    gathered[n]);
  }
  for (int64_t index = begin; index < end; ++index) {
    const int64_t from = std::max<int64_t>(first - index * kSlots, 0);
    const int64_t to = std::min(last - index * kSlots, kSlots);
    for (int64_t head = 0; head < heads; ++head) {
      mix_values<Store, Q>(page_at(index, head), page_at(index + 1, head), scores_of(index, head),
                           from, to, d, gathered + head * Q);
    }
  }
}

}  // namespace ostro::OSTRO_ISA
