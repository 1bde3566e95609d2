// Super-blocks of 256: sub-blocks whose scales are themselves whole numbers times a shared scale.
//
// Rounding the scales that best_scale found costs more than it must. So from there three turns
// are taken: every sub-block tries the whole numbers beside its own against the shared scale as
// it is stored, then the shared scale is fitted anew to the codes. The best turn is kept.
#pragma once

#include <cmath>
#include <initializer_list>

#include "half.h"
#include "search.h"

namespace ostro::quantise {

constexpr int kTurns = 3;

// x ~ scale * s * code, for G groups of eight sub-blocks of N.
template <int N, int G>
class ScaledSuperBlock {
 public:
  float scale = 0;
  Floats s[G]{};

  // `values`: the codes; `scales`: what s may be.
  OSTRO_INLINE ScaledSuperBlock(const Blocks<N> (&groups)[G], WholeNumbers values,
                                WholeNumbers scales)
      : groups_(groups), values_(values), scales_(scales) {
    Floats wanted[G];
    float extreme = 0;
    for (int g = 0; g < G; ++g) {
      wanted[g] = best_scale(groups[g], values);
      const float found = furthest(wanted[g]);
      extreme = std::fabs(found) > std::fabs(extreme) ? found : extreme;
    }
    scale = rounded_to_half(extreme / scales.low);
    for (int g = 0; g < G; ++g) s[g] = scales(ratio(wanted[g], all(scale)));
    take_turns();
  }

  // The 256 codes, less the lowest so that none is negative.
  OSTRO_INLINE void write_codes(uint8_t* codes) const {
    for (int g = 0; g < G; ++g) {
      const Floats multiplier = inverse(scale * s[g]);
      for (int i = 0; i < N; ++i) {
        const Floats code = values_(groups_[g].x[i] * multiplier) - values_.low;
        store_codes(codes + g * kLanes * N, N, i, code);
      }
    }
  }

 private:
  OSTRO_INLINE void take_turns() {
    float least = improve(), best = scale;
    Floats kept[G];
    for (int g = 0; g < G; ++g) kept[g] = s[g];
    for (int turn = 1; turn < kTurns; ++turn) {
      refit();
      const float error = improve();
      if (!(error < least)) continue;
      least = error;
      best = scale;
      for (int g = 0; g < G; ++g) kept[g] = s[g];
    }
    scale = best;
    for (int g = 0; g < G; ++g) s[g] = kept[g];
  }

  OSTRO_INLINE Floats error(const Blocks<N>& group, Floats step) const {
    const Floats multiplier = inverse(step);
    Floats total{};
    for (int i = 0; i < N; ++i) {
      const Floats off = group.x[i] - step * values_(group.x[i] * multiplier);
      total += group.weight[i] * off * off;
    }
    return total;
  }

  // Move every s to its better neighbour; the error that is left.
  OSTRO_INLINE float improve() {
    float total = 0;
    for (int g = 0; g < G; ++g) {
      const Floats before = s[g];
      Floats least = error(groups_[g], scale * before);
      for (float move : {-1.0f, 1.0f}) {
        const Floats other = clamp(before + move, scales_.low, scales_.high);
        const Floats found = error(groups_[g], scale * other);
        s[g] = select(found < least, other, s[g]);
        least = min(found, least);
      }
      total += sum(least);
    }
    return total;
  }

  // The best shared scale for the codes and s as they are.
  OSTRO_INLINE void refit() {
    Floats xv{}, vv{};
    for (int g = 0; g < G; ++g) {
      const Floats multiplier = inverse(scale * s[g]);
      for (int i = 0; i < N; ++i) {
        const Floats value = s[g] * values_(groups_[g].x[i] * multiplier);
        const Floats weighed = groups_[g].weight[i] * value;
        xv += weighed * groups_[g].x[i];
        vv += weighed * value;
      }
    }
    const float below = sum(vv);
    if (below > 0) scale = rounded_to_half(sum(xv) / below);
  }

  const Blocks<N> (&groups_)[G];
  const WholeNumbers values_, scales_;
};

// x ~ scale * s * code - minimum * m, with codes from 0 to `high`, s and m from 0 to `most`.
template <int N, int G>
class AffineSuperBlock {
 public:
  float scale = 0, minimum = 0;
  Floats s[G]{}, m[G]{};

  OSTRO_INLINE AffineSuperBlock(const Blocks<N> (&groups)[G], float high, float most)
      : groups_(groups), high_(high), most_(most) {
    Affine wanted[G];
    float largest_scale = 0, largest_minimum = 0;
    for (int g = 0; g < G; ++g) {
      wanted[g] = best_affine<Offset::kNotPositive>(groups[g], high);
      largest_scale = std::fmax(largest_scale, largest(wanted[g].scale));
      largest_minimum = std::fmax(largest_minimum, largest(-wanted[g].offset));
    }
    scale = rounded_to_half(largest_scale / most);
    minimum = rounded_to_half(largest_minimum / most);
    for (int g = 0; g < G; ++g) {
      s[g] = nearest(ratio(wanted[g].scale, all(scale)), 0, most);
      m[g] = nearest(ratio(-wanted[g].offset, all(minimum)), 0, most);
    }
    take_turns();
  }

  // The 256 codes.
  OSTRO_INLINE void write_codes(uint8_t* codes) const {
    for (int g = 0; g < G; ++g) {
      const Floats step = scale * s[g], low = minimum * m[g], multiplier = inverse(step);
      for (int i = 0; i < N; ++i) {
        const Floats code = nearest((groups_[g].x[i] + low) * multiplier, 0, high_);
        store_codes(codes + g * kLanes * N, N, i, code);
      }
    }
  }

 private:
  struct Kept {
    float scale, minimum;
    Floats s[G], m[G];
  };

  OSTRO_INLINE Kept keep() const {
    Kept kept{scale, minimum, {}, {}};
    for (int g = 0; g < G; ++g) kept.s[g] = s[g], kept.m[g] = m[g];
    return kept;
  }

  OSTRO_INLINE void take_turns() {
    float least = improve();
    Kept best = keep();
    for (int turn = 1; turn < kTurns; ++turn) {
      refit();
      const float error = improve();
      if (!(error < least)) continue;
      least = error;
      best = keep();
    }
    scale = best.scale, minimum = best.minimum;
    for (int g = 0; g < G; ++g) s[g] = best.s[g], m[g] = best.m[g];
  }

  OSTRO_INLINE Floats error(const Blocks<N>& group, Floats step, Floats low) const {
    const Floats multiplier = inverse(step);
    Floats total{};
    for (int i = 0; i < N; ++i) {
      const Floats raised = group.x[i] + low;
      const Floats off = raised - step * nearest(raised * multiplier, 0, high_);
      total += group.weight[i] * off * off;
    }
    return total;
  }

  // Move every s and m to the best of their nine neighbours; the error that is left.
  OSTRO_INLINE float improve() {
    float total = 0;
    for (int g = 0; g < G; ++g) {
      const Floats before_s = s[g], before_m = m[g];
      Floats least = error(groups_[g], scale * before_s, minimum * before_m);
      for (int neighbour = 0; neighbour < 9; ++neighbour) {
        const float move_s = static_cast<float>(neighbour / 3 - 1);
        const float move_m = static_cast<float>(neighbour % 3 - 1);
        const Floats other_s = clamp(before_s + move_s, 0, most_);
        const Floats other_m = clamp(before_m + move_m, 0, most_);
        const Floats found = error(groups_[g], scale * other_s, minimum * other_m);
        const Ints better = found < least;
        s[g] = select(better, other_s, s[g]);
        m[g] = select(better, other_m, m[g]);
        least = min(found, least);
      }
      total += sum(least);
    }
    return total;
  }

  // The best shared scale and minimum for the codes, s and m as they are: two normal equations.
  OSTRO_INLINE void refit() {
    Floats vv{}, vm{}, mm{}, xv{}, xm{};
    for (int g = 0; g < G; ++g) {
      const Floats step = scale * s[g], low = minimum * m[g], multiplier = inverse(step);
      for (int i = 0; i < N; ++i) {
        const Floats x = groups_[g].x[i], weight = groups_[g].weight[i];
        const Floats value = s[g] * nearest((x + low) * multiplier, 0, high_);
        vv += weight * value * value;
        vm += weight * value * m[g];
        mm += weight * m[g] * m[g];
        xv += weight * x * value;
        xm += weight * x * m[g];
      }
    }
    solve(sum(vv), sum(vm), sum(mm), sum(xv), sum(xm));
  }

  OSTRO_INLINE void solve(double vv, double vm, double mm, double xv, double xm) {
    // Nearly dependent equations would be solved by noise; what is there then stays.
    const double determinant = vv * mm - vm * vm;
    if (!(determinant > 1e-6 * vv * mm)) return;
    const double fitted_scale = (xv * mm - xm * vm) / determinant;
    const double fitted_minimum = (xv * vm - xm * vv) / determinant;
    if (!(fitted_scale > 0 && fitted_minimum >= 0)) return;
    scale = rounded_to_half(static_cast<float>(fitted_scale));
    minimum = rounded_to_half(static_cast<float>(fitted_minimum));
  }

  const Blocks<N> (&groups_)[G];
  const float high_, most_;
};

}  // namespace ostro::quantise
