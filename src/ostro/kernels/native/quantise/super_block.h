// Super-blocks of 256: sub-blocks whose scales are themselves whole numbers times a shared scale.
//
// Rounding the scales that a search found costs more than it must. So every sub-block then tries
// the whole numbers beside its own against the shared scale as it is stored, and the shared scale
// is fitted anew to the codes. There are two starts, the scales found by search and those that the
// extreme numbers give: the latter leave more room where one sub-block towers above the others.
//
// What least squares finds lies closer to zero than the numbers: with a relative error e its
// projection on them is 1 - e^2 of their length, in every super-block and so in every product, layer
// after layer. With two bits that is 5 %, and costs more than the error itself. So the shared scales
// are stored longer by that much, for the same codes: the projection is then the whole length.
#pragma once

#include <cmath>
#include <initializer_list>
#include <limits>

#include "half.h"
#include "search.h"

namespace ostro::OSTRO_ISA::quantise {

constexpr int kRefits = 2;

// By how much a super-block is to be longer: sum of x * x over sum of x * y, for its numbers x and
// what they became, y. 1 where rounding left next to nothing of them.
OSTRO_INLINE float stretch(Floats xx, Floats xy) {
  const float whole = sum(xx), kept = sum(xy);
  return kept > 0.5f * whole ? whole / kept : 1.0f;
}

// x ~ scale * s * code, for G groups of eight sub-blocks of N.
template <int N, int G>
class ScaledSuperBlock {
 public:
  // `values`: the codes; `scales`: what s may be.
  OSTRO_INLINE ScaledSuperBlock(const Blocks<N> (&groups)[G], WholeNumbers values,
                                WholeNumbers scales)
      : groups_(groups), values_(values), scales_(scales) {
    Floats plain[G], searched[G];
    for (int g = 0; g < G; ++g) {
      plain[g] = groups[g].extreme() / values.low;
      searched[g] = best_scale(groups[g], values);
    }
    keep_better(start(plain));
    keep_better(start(searched));
    for (int turn = 0; turn < kRefits; ++turn) keep_better(refitted());
    Floats xx{}, xy{};
    for (int g = 0; g < G; ++g) {
      const Floats step = best_.scale * best_.s[g], multiplier = inverse(step);
      for (int i = 0; i < N; ++i) {
        const Floats x = groups_[g].x[i];
        xx += x * x;
        xy += x * step * values_(x * multiplier);
      }
    }
    stretch_ = stretch(xx, xy);
  }

  float scale() const { return best_.scale * stretch_; }
  // The k-th sub-block's whole number.
  int s(int k) const { return static_cast<int>(best_.s[k / kLanes][k % kLanes]); }

  // The 256 codes, less the lowest so that none is negative.
  OSTRO_INLINE void write_codes(uint8_t* codes) const {
    for (int g = 0; g < G; ++g) {
      const Floats multiplier = inverse(best_.scale * best_.s[g]);
      for (int i = 0; i < N; ++i) {
        const Floats code = values_(groups_[g].x[i] * multiplier) - values_.low;
        store_codes(codes + g * kLanes * N, N, i, code);
      }
    }
  }

 private:
  struct Scales {
    float scale = 0;
    Floats s[G]{};
    float error = std::numeric_limits<float>::infinity();
  };

  OSTRO_INLINE Scales start(const Floats (&wanted)[G]) const {
    float extreme = 0;
    for (int g = 0; g < G; ++g) {
      const float found = furthest(wanted[g]);
      extreme = std::fabs(found) > std::fabs(extreme) ? found : extreme;
    }
    Scales scales;
    scales.scale = rounded_to_half(extreme / scales_.low);
    for (int g = 0; g < G; ++g) scales.s[g] = scales_(ratio(wanted[g], all(scales.scale)));
    return scales;
  }

  OSTRO_INLINE void keep_better(Scales scales) {
    improve(scales);
    if (scales.error < best_.error) best_ = scales;
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

  // Move every s to its better neighbour.
  OSTRO_INLINE void improve(Scales& scales) const {
    scales.error = 0;
    for (int g = 0; g < G; ++g) {
      const Floats before = scales.s[g];
      Floats least = error(groups_[g], scales.scale * before);
      for (float move : {-1.0f, 1.0f}) {
        const Floats other = clamp(before + move, scales_.low, scales_.high);
        const Floats found = error(groups_[g], scales.scale * other);
        scales.s[g] = select(found < least, other, scales.s[g]);
        least = min(found, least);
      }
      scales.error += sum(least);
    }
  }

  // The best scales so far, with the shared one that suits their codes best.
  OSTRO_INLINE Scales refitted() const {
    Floats xv{}, vv{};
    for (int g = 0; g < G; ++g) {
      const Floats multiplier = inverse(best_.scale * best_.s[g]);
      for (int i = 0; i < N; ++i) {
        const Floats value = best_.s[g] * values_(groups_[g].x[i] * multiplier);
        const Floats weighed = groups_[g].weight[i] * value;
        xv += weighed * groups_[g].x[i];
        vv += weighed * value;
      }
    }
    Scales scales = best_;
    const float below = sum(vv);
    if (below > 0) scales.scale = rounded_to_half(sum(xv) / below);
    return scales;
  }

  const Blocks<N> (&groups_)[G];
  const WholeNumbers values_, scales_;
  Scales best_;
  float stretch_ = 1;
};

// x ~ scale * s * code - minimum * m, with codes from 0 to `high`, s and m from 0 to `most`.
template <int N, int G>
class AffineSuperBlock {
 public:
  OSTRO_INLINE AffineSuperBlock(const Blocks<N> (&groups)[G], float high, float most)
      : groups_(groups), high_(high), most_(most) {
    Affine plain[G], searched[G];
    for (int g = 0; g < G; ++g) {
      plain[g] = plain_affine<Offset::kNotPositive>(groups[g], high);
      searched[g] = best_affine<Offset::kNotPositive>(groups[g], high);
    }
    keep_better(start(plain));
    keep_better(start(searched));
    for (int turn = 0; turn < kRefits; ++turn) keep_better(refitted());
    Floats xx{}, xy{};
    for (int g = 0; g < G; ++g) {
      const Floats step = best_.scale * best_.s[g], low = best_.minimum * best_.m[g];
      const Floats multiplier = inverse(step);
      for (int i = 0; i < N; ++i) {
        const Floats x = groups_[g].x[i];
        xx += x * x;
        xy += x * (step * nearest((x + low) * multiplier, 0, high_) - low);
      }
    }
    stretch_ = stretch(xx, xy);
  }

  float scale() const { return best_.scale * stretch_; }
  float minimum() const { return best_.minimum * stretch_; }
  // The k-th sub-block's whole numbers.
  int s(int k) const { return static_cast<int>(best_.s[k / kLanes][k % kLanes]); }
  int m(int k) const { return static_cast<int>(best_.m[k / kLanes][k % kLanes]); }

  // The 256 codes.
  OSTRO_INLINE void write_codes(uint8_t* codes) const {
    for (int g = 0; g < G; ++g) {
      const Floats step = best_.scale * best_.s[g], low = best_.minimum * best_.m[g];
      const Floats multiplier = inverse(step);
      for (int i = 0; i < N; ++i) {
        const Floats code = nearest((groups_[g].x[i] + low) * multiplier, 0, high_);
        store_codes(codes + g * kLanes * N, N, i, code);
      }
    }
  }

 private:
  struct Scales {
    float scale = 0, minimum = 0;
    Floats s[G]{}, m[G]{};
    float error = std::numeric_limits<float>::infinity();
  };

  OSTRO_INLINE Scales start(const Affine (&wanted)[G]) const {
    float scale = 0, minimum = 0;
    for (int g = 0; g < G; ++g) {
      scale = std::fmax(scale, largest(wanted[g].scale));
      minimum = std::fmax(minimum, largest(-wanted[g].offset));
    }
    Scales scales;
    scales.scale = rounded_to_half(scale / most_);
    scales.minimum = rounded_to_half(minimum / most_);
    for (int g = 0; g < G; ++g) {
      scales.s[g] = nearest(ratio(wanted[g].scale, all(scales.scale)), 0, most_);
      scales.m[g] = nearest(ratio(-wanted[g].offset, all(scales.minimum)), 0, most_);
    }
    return scales;
  }

  OSTRO_INLINE void keep_better(Scales scales) {
    improve(scales);
    if (scales.error < best_.error) best_ = scales;
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

  // Move every s and m to the best of their nine neighbours, themselves included.
  OSTRO_INLINE void improve(Scales& scales) const {
    scales.error = 0;
    for (int g = 0; g < G; ++g) {
      const Floats before_s = scales.s[g], before_m = scales.m[g];
      Floats least = all(std::numeric_limits<float>::infinity());
      for (int neighbour = 0; neighbour < 9; ++neighbour) {
        const Floats s = clamp(before_s + static_cast<float>(neighbour / 3 - 1), 0, most_);
        const Floats m = clamp(before_m + static_cast<float>(neighbour % 3 - 1), 0, most_);
        const Floats found = error(groups_[g], scales.scale * s, scales.minimum * m);
        const Ints better = found < least;
        scales.s[g] = select(better, s, scales.s[g]);
        scales.m[g] = select(better, m, scales.m[g]);
        least = min(found, least);
      }
      scales.error += sum(least);
    }
  }

  // The best scales so far, with the shared ones that suit their codes best: two normal equations.
  OSTRO_INLINE Scales refitted() const {
    Floats vv{}, vm{}, mm{}, xv{}, xm{};
    for (int g = 0; g < G; ++g) {
      const Floats step = best_.scale * best_.s[g], m = best_.m[g], low = best_.minimum * m;
      const Floats multiplier = inverse(step);
      for (int i = 0; i < N; ++i) {
        const Floats x = groups_[g].x[i], weight = groups_[g].weight[i];
        const Floats value = best_.s[g] * nearest((x + low) * multiplier, 0, high_);
        vv += weight * value * value;
        vm += weight * value * m;
        mm += weight * m * m;
        xv += weight * x * value;
        xm += weight * x * m;
      }
    }
    Scales scales = best_;
    solve(sum(vv), sum(vm), sum(mm), sum(xv), sum(xm), scales);
    return scales;
  }

  OSTRO_INLINE static void solve(double vv, double vm, double mm, double xv, double xm,
                                 Scales& scales) {
    // Nearly dependent equations would be solved by noise; the scales then stay as they are.
    const double determinant = vv * mm - vm * vm;
    if (!(determinant > 1e-6 * vv * mm)) return;
    const double scale = (xv * mm - xm * vm) / determinant;
    const double minimum = (xv * vm - xm * vv) / determinant;
    if (!(scale > 0 && minimum >= 0)) return;
    scales.scale = rounded_to_half(static_cast<float>(scale));
    scales.minimum = rounded_to_half(static_cast<float>(minimum));
  }

  const Blocks<N> (&groups_)[G];
  const float high_, most_;
  Scales best_;
  float stretch_ = 1;
};

}  // namespace ostro::OSTRO_ISA::quantise
