// IEEE half precision, in which every block keeps its scales.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace ostro::quantise {

constexpr float kLargestHalf = 65504.0f;

// The nearest half, ties to even. Beyond the largest half the result is the largest half.
inline uint16_t to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  float size = std::bit_cast<float>(bits & 0x7fffffff);
  if (size > kLargestHalf) size = kLargestHalf;
  if (size < 0x1p-14f) {
    // Subnormal halves are steps of 2^-24, which is what the last bit is worth beside 0.5.
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(size + 0.5f) & 0x7fff));
  }
  // The exponent's bias goes from 127 to 15, and 13 bits of the fraction are rounded away.
  const uint32_t wide = std::bit_cast<uint32_t>(size) - (uint32_t{127 - 15} << 23);
  return static_cast<uint16_t>(sign | (wide + 0x0fff + (wide >> 13 & 1)) >> 13);
}

inline float from_half(uint16_t half) {
  const uint32_t sign = uint32_t{half} << 16 & 0x80000000, rest = half & 0x7fffu;
  const float size = rest < 0x0400
                         ? static_cast<float>(rest) * 0x1p-24f
                         : std::bit_cast<float>((rest << 13) + (uint32_t{127 - 15} << 23));
  return sign ? -size : size;
}

inline float rounded_to_half(float value) { return from_half(to_half(value)); }

// Write a half, lowest byte first, and say where the next byte goes.
inline uint8_t* put_half(uint8_t* target, float value) {
  const uint16_t half = to_half(value);
  target[0] = static_cast<uint8_t>(half);
  target[1] = static_cast<uint8_t>(half >> 8);
  return target + 2;
}

}  // namespace ostro::quantise
