// The best scale, or scale and offset, of a block: weighted least squares over candidates.
//
// With the codes fixed, the best scale follows from two sums; with the scale fixed, the best codes
// are the nearest ones. The candidates put the block's extreme numbers at, or a fraction of a step
// beside, the ends of the codes' range, so that some of them clip what stands out. The best
// candidate is then improved by taking turns. A lane is a block of its own throughout.
#pragma once

#include "lanes.h"

namespace ostro::OSTRO_ISA::quantise {

// Eight blocks of N numbers, and how much an error of each number counts.
template <int N>
struct Blocks {
  Floats x[N], weight[N];

  // `numbers`: the eight blocks one after another.
  OSTRO_INLINE explicit Blocks(const float* numbers) {
    for (int lane = 0; lane < kLanes; ++lane) {
      for (int i = 0; i < N; ++i) x[i][lane] = numbers[lane * N + i];
    }
    // Halfway between plain squares and squares relative to the number: large weights matter more
    // than their share, and this lessens both kinds of error against other weightings.
    Floats squares{};
    for (int i = 0; i < N; ++i) squares += x[i] * x[i];
    Floats deviation;
    for (int lane = 0; lane < kLanes; ++lane) {
      deviation[lane] = __builtin_sqrtf(squares[lane] / static_cast<float>(N));
    }
    for (int i = 0; i < N; ++i) weight[i] = deviation + abs(x[i]);
  }

  // The number furthest from zero, with its sign.
  OSTRO_INLINE Floats extreme() const {
    Floats result{};
    for (int i = 0; i < N; ++i) result = select(abs(x[i]) > abs(result), x[i], result);
    return result;
  }
};

// The values that codes stand for before scaling: here all whole numbers from low to high.
struct WholeNumbers {
  float low, high;
  static constexpr float kStep = 1;

  OSTRO_INLINE Floats operator()(Floats v) const { return nearest(v, low, high); }
};

// What a fit found. `gain`: by how much it lessens the block's weighted sum of squares.
struct Scale {
  Floats scale{}, gain{};

  OSTRO_INLINE void keep_better(const Scale& other) {
    const Ints better = other.gain > gain;
    scale = select(better, other.scale, scale);
    gain = select(better, other.gain, gain);
  }
};

// The scale that suits the values nearest to x * multiplier.
template <int N, class Values>
OSTRO_INLINE Scale fit_scale(const Blocks<N>& blocks, const Values& values, Floats multiplier) {
  Floats xv{}, vv{};
  for (int i = 0; i < N; ++i) {
    const Floats value = values(blocks.x[i] * multiplier);
    const Floats weighed = blocks.weight[i] * value;
    xv += weighed * blocks.x[i];
    vv += weighed * value;
  }
  const Floats scale = ratio(xv, vv);
  return {scale, scale * xv};
}

// The best scale, which may be negative: the two ends of `values` differ.
template <int N, class Values>
OSTRO_INLINE Floats best_scale(const Blocks<N>& blocks, const Values& values) {
  constexpr int kShifts = 10, kTurns = 3;
  const Floats unit = inverse(blocks.extreme());
  Scale best;
  for (int step = -kShifts; step <= kShifts; ++step) {
    const float shift = static_cast<float>(step) / kShifts * Values::kStep;
    best.keep_better(fit_scale(blocks, values, unit * (values.low + shift)));
    best.keep_better(fit_scale(blocks, values, unit * (values.high + shift)));
  }
  for (int turn = 0; turn < kTurns; ++turn) {
    best.keep_better(fit_scale(blocks, values, inverse(best.scale)));
  }
  return best.scale;
}

// x ~ scale * code + offset.
struct Affine {
  Floats scale{}, offset{}, gain{};

  OSTRO_INLINE void keep_better(const Affine& other) {
    const Ints better = (other.gain > gain) & (other.scale > 0.0f);
    scale = select(better, other.scale, scale);
    offset = select(better, other.offset, offset);
    gain = select(better, other.gain, gain);
  }
};

// Which offsets a type can store.
enum class Offset { kAny, kNotPositive };

// The scale and offset that suit the codes nearest to (x - offset) * multiplier.
template <Offset kOffset, int N>
OSTRO_INLINE Affine fit_affine(const Blocks<N>& blocks, float high, Floats multiplier,
                               Floats offset) {
  Floats one{}, code{}, code_code{}, x{}, x_code{};
  for (int i = 0; i < N; ++i) {
    const Floats c = nearest((blocks.x[i] - offset) * multiplier, 0, high);
    const Floats weighed = blocks.weight[i] * c, weighed_x = blocks.weight[i] * blocks.x[i];
    one += blocks.weight[i];
    code += weighed;
    code_code += weighed * c;
    x += weighed_x;
    x_code += weighed_x * c;
  }
  Affine fit;
  fit.scale = ratio(one * x_code - code * x, one * code_code - code * code);
  fit.offset = ratio(x - fit.scale * code, one);
  if (kOffset == Offset::kNotPositive) {
    const Ints above = fit.offset > 0.0f;
    fit.offset = select(above, all(0), fit.offset);
    fit.scale = select(above, ratio(x_code, code_code), fit.scale);
  }
  fit.gain = fit.scale * x_code + fit.offset * x;
  return fit;
}

// The scale and offset that put the lowest number at code 0 and the highest at `high`.
template <Offset kOffset, int N>
OSTRO_INLINE Affine plain_affine(const Blocks<N>& blocks, float high) {
  Floats low = blocks.x[0], top = blocks.x[0];
  for (int i = 1; i < N; ++i) {
    low = min(low, blocks.x[i]);
    top = max(top, blocks.x[i]);
  }
  if (kOffset == Offset::kNotPositive) {
    low = min(low, all(0));
    top = max(top, all(0));
  }
  return {(top - low) / high, low};
}

// The best scale >= 0 and offset for codes from 0 to high.
template <Offset kOffset, int N>
OSTRO_INLINE Affine best_affine(const Blocks<N>& blocks, float high) {
  constexpr float kFraction = 0.25f;
  constexpr int kTurns = 3;
  const Affine plain = plain_affine<kOffset>(blocks, high);
  const Floats unit = inverse(plain.scale);
  // With all codes 0: the best that can be done where all numbers are one and the same.
  Affine best = fit_affine<kOffset>(blocks, high, all(0), plain.offset);
  for (int grow = -2; grow <= 6; ++grow) {
    const Floats multiplier = unit * (1 + kFraction / high * static_cast<float>(grow));
    for (int shift = -1; shift <= 3; ++shift) {
      const Floats away = ratio(all(kFraction * static_cast<float>(shift)), multiplier);
      const Floats offset = plain.offset + away;
      best.keep_better(fit_affine<kOffset>(blocks, high, multiplier, offset));
    }
  }
  for (int turn = 0; turn < kTurns; ++turn) {
    best.keep_better(fit_affine<kOffset>(blocks, high, inverse(best.scale), best.offset));
  }
  return best;
}

}  // namespace ostro::OSTRO_ISA::quantise
