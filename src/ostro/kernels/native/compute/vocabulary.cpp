// What sampling wants of a row of logits, and the angles of rotary positions.
#include <algorithm>
#include <cmath>
#include <limits>

#include "../context.h"
#include "layers.h"
#include "simd.h"

namespace ostro::OSTRO_ISA {
namespace {

// Logits of one piece. Sums are taken piece by piece, so their number must not depend on threads.
constexpr int64_t kPiece = 4096;

struct Summary {
  float most = -std::numeric_limits<float>::infinity();
  float sum = 0;
  int64_t where = 0;
  bool finite = true;
};

void find_most(const float* logits, int64_t begin, int64_t end, Summary& s) {
  s = {};
  Floats most = spread(s.most), nothing = _mm256_setzero_ps();
  int64_t i = begin;
  for (; i + 8 <= end; i += 8) {
    const Floats x = _mm256_loadu_ps(logits + i);
    most = _mm256_max_ps(most, x);
    nothing = fma(x, _mm256_setzero_ps(), nothing);  // NaN where x is infinite or NaN.
  }
  s.most = largest(most);
  float rest = sum(nothing);
  for (; i < end; ++i) {
    s.most = std::max(s.most, logits[i]);
    rest += logits[i] * 0.0f;
  }
  s.finite = rest == 0;
  s.where = std::find(logits + begin, logits + end, s.most) - logits;
}

float sum_powers(const float* logits, int64_t begin, int64_t end, float most, float inverse) {
  Floats total = _mm256_setzero_ps();
  int64_t i = begin;
  for (; i + 8 <= end; i += 8) {
    const Floats below = _mm256_sub_ps(_mm256_loadu_ps(logits + i), spread(most));
    total = _mm256_add_ps(total, exp(_mm256_mul_ps(below, spread(inverse))));
  }
  float rest = 0;
  for (; i < end; ++i) rest += std::exp((logits[i] - most) * inverse);
  return sum(total) + rest;
}

// A logit and where it stands, in one number that is larger if the logit is, or if they are equal
// and it stands further in front.
uint64_t ranked(float logit, int64_t index) {
  logit += 0.0f;  // The two zeros are equal, and have different bits.
  uint32_t bits;
  std::memcpy(&bits, &logit, 4);
  bits = bits >> 31 ? ~bits : bits | 0x80000000u;
  return static_cast<uint64_t>(bits) << 32 | (0xffffffffu - static_cast<uint32_t>(index));
}

int64_t index_of(uint64_t ranked) { return 0xffffffffu - static_cast<uint32_t>(ranked); }

}  // namespace

int32_t summarise(ostro_context& context, int64_t count, const float* logits, float temperature,
                  int64_t* where, double* log_sum) {
  const int64_t pieces = (count + kPiece - 1) / kPiece;
  Summary* parts;
  if (!context.scratch.reserve({{parts, pieces}})) return -1;
  const auto end = [&](int64_t piece) { return std::min((piece + 1) * kPiece, count); };
  context.pool.run(pieces, [&](int64_t piece, int) {
    find_most(logits, piece * kPiece, end(piece), parts[piece]);
  });
  Summary all = parts[0];
  for (int64_t piece = 1; piece < pieces; ++piece) {
    all.finite &= parts[piece].finite;
    if (parts[piece].most > all.most) all.most = parts[piece].most, all.where = parts[piece].where;
  }
  *where = all.where;
  *log_sum = std::numeric_limits<double>::quiet_NaN();
  if (!all.finite) return 0;
  const float inverse = 1.0f / temperature;
  context.pool.run(pieces, [&](int64_t piece, int) {
    parts[piece].sum = sum_powers(logits, piece * kPiece, end(piece), all.most, inverse);
  });
  double total = 0;
  for (int64_t piece = 0; piece < pieces; ++piece) total += static_cast<double>(parts[piece].sum);
  *log_sum = static_cast<double>(all.most) / static_cast<double>(temperature) + std::log(total);
  return 0;
}

int32_t largest_logits(ostro_context& context, int64_t count, const float* logits, int64_t wanted,
                       float* values, int64_t* indices) {
  // The best so far and as many candidates; whenever those are full, the worse half goes.
  uint64_t* kept;
  if (!context.scratch.reserve({{kept, 2 * wanted}})) return -1;
  int64_t size = 0;
  float least = -std::numeric_limits<float>::infinity();
  const auto keep_best = [&] {
    if (size <= wanted) return;
    std::nth_element(kept, kept + wanted - 1, kept + size, std::greater<>());
    size = wanted;
    least = logits[index_of(kept[wanted - 1])];
  };
  for (int64_t i = 0; i < count; ++i) {
    // The first `wanted` are candidates whatever they are.
    if (i >= wanted && logits[i] <= least) continue;
    if (size == 2 * wanted) keep_best();
    kept[size++] = ranked(logits[i], i);
  }
  keep_best();
  std::sort(kept, kept + size, std::greater<>());
  for (int64_t n = 0; n < size; ++n) {
    indices[n] = index_of(kept[n]);
    values[n] = logits[indices[n]];
  }
  return 0;
}

void rope_angles(ostro_context& context, int64_t rows, const int64_t* positions, int64_t pairs,
                 const float* frequencies, float* cosines, float* sines) {
  context.pool.run(rows, [&](int64_t row, int) {
    const float position = static_cast<float>(positions[row]);
    for (int64_t j = 0; j < pairs; ++j) {
      const float angle = position * frequencies[j];
      cosines[row * pairs + j] = std::cos(angle);
      sines[row * pairs + j] = std::sin(angle);
    }
  });
}

}  // namespace ostro::OSTRO_ISA
