// Eight numbers at once, one from each of eight blocks.
//
// The quantisers lay blocks side by side: lane b of the i-th vector is the i-th number of block b.
// So every step of a search is the same plain arithmetic in all lanes, sums over a block's numbers
// run in one order, and the bits do not depend on how wide the machine's registers are.
#pragma once

#include <cstdint>

// Everything below is inlined into a function that is compiled for a known processor, so no vector
// is ever passed by value, which compilers for different processors would do differently.
#define OSTRO_INLINE inline __attribute__((always_inline))

namespace ostro::OSTRO_ISA::quantise {

constexpr int kLanes = 8;
using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = int32_t __attribute__((vector_size(4 * kLanes)));

OSTRO_INLINE Floats all(float value) { return Floats{} + value; }
OSTRO_INLINE Floats select(Ints mask, Floats a, Floats b) { return mask ? a : b; }
OSTRO_INLINE Floats min(Floats a, Floats b) { return a < b ? a : b; }
OSTRO_INLINE Floats max(Floats a, Floats b) { return a > b ? a : b; }
OSTRO_INLINE Floats clamp(Floats v, float low, float high) {
  return max(min(v, all(high)), all(low));
}
OSTRO_INLINE Floats abs(Floats a) { return max(a, -a); }

// a / b, and 0 where b is 0.
OSTRO_INLINE Floats ratio(Floats a, Floats b) {
  const Ints zero = b == 0.0f;
  return select(zero, all(0), a / select(zero, all(1), b));
}
OSTRO_INLINE Floats inverse(Floats a) { return ratio(all(1), a); }

// The whole number within [low, high] that is nearest to v; ties go to the even one.
OSTRO_INLINE Floats nearest(Floats v, float low, float high) {
  // Beside 1.5 * 2^23 a float has no bits left for a fraction.
  constexpr float kShift = 12582912.0f;
  return (clamp(v, low, high) + kShift) - kShift;
}

OSTRO_INLINE float sum(Floats v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

OSTRO_INLINE float largest(Floats v) {
  float result = v[0];
  for (int lane = 1; lane < kLanes; ++lane) result = v[lane] > result ? v[lane] : result;
  return result;
}

// The number furthest from zero, with its sign.
OSTRO_INLINE float furthest(Floats v) {
  const float above = largest(v), below = largest(-v);
  return above >= below ? above : -below;
}

// Whole numbers as bytes: the i-th of each of eight blocks of `size`, the blocks in a row.
OSTRO_INLINE void store_codes(uint8_t* codes, int size, int i, Floats whole) {
  const Ints numbers = __builtin_convertvector(whole, Ints);
  for (int lane = 0; lane < kLanes; ++lane) {
    codes[lane * size + i] = static_cast<uint8_t>(numbers[lane]);
  }
}

}  // namespace ostro::OSTRO_ISA::quantise
