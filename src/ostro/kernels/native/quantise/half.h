// IEEE half precision, in which every block keeps its scales.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace ostro::OSTRO_ISA::quantise {

constexpr float kLargestHalf = 65504.0f;

// The nearest half, ties to even. Beyond the largest half the result is the largest half.
inline uint16_t to_half(float value) {
  const float size = __builtin_fminf(__builtin_fabsf(value), kLargestHalf);
  return _cvtss_sh(__builtin_copysignf(size, value), _MM_FROUND_TO_NEAREST_INT);
}

inline float from_half(uint16_t half) { return _cvtsh_ss(half); }

inline float rounded_to_half(float value) { return from_half(to_half(value)); }

// Write a half, lowest byte first, and say where the next byte goes.
inline uint8_t* put_half(uint8_t* target, float value) {
  const uint16_t half = to_half(value);
  target[0] = static_cast<uint8_t>(half);
  target[1] = static_cast<uint8_t>(half >> 8);
  return target + 2;
}

}  // namespace ostro::OSTRO_ISA::quantise
