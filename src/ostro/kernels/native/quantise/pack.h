// Codes of a few bits into bytes, in the orders that GGUF's blocks share.
#pragma once

#include <cstdint>

#include "lanes.h"

namespace ostro::OSTRO_ISA::quantise {

// 32 codes, four bits of each: the second sixteen above the first. Returns the next byte's place.
OSTRO_INLINE uint8_t* put_nibbles(uint8_t* target, const uint8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    target[i] = static_cast<uint8_t>((codes[i] & 15) | codes[i + 16] << 4);
  }
  return target + 16;
}

// The fifth bits of 32 codes, the first in the lowest place.
OSTRO_INLINE uint8_t* put_fifth_bits(uint8_t* target, const uint8_t* codes) {
  for (int byte = 0; byte < 4; ++byte) {
    int bits = 0;
    for (int i = 0; i < 8; ++i) bits |= (codes[8 * byte + i] >> 4 & 1) << i;
    target[byte] = static_cast<uint8_t>(bits);
  }
  return target + 4;
}

// 256 codes, the lowest two bits of each: a byte holds codes 32 apart, within each half.
OSTRO_INLINE uint8_t* put_pairs_of_bits(uint8_t* target, const uint8_t* codes) {
  for (int half = 0; half < 2; ++half) {
    const uint8_t* c = codes + 128 * half;
    for (int i = 0; i < 32; ++i) {
      target[32 * half + i] = static_cast<uint8_t>((c[i] & 3) | (c[i + 32] & 3) << 2 |
                                                   (c[i + 64] & 3) << 4 | (c[i + 96] & 3) << 6);
    }
  }
  return target + 64;
}

// 256 codes, one bit of each: a byte holds codes 32 apart.
OSTRO_INLINE uint8_t* put_single_bits(uint8_t* target, const uint8_t* codes, int bit) {
  for (int i = 0; i < 32; ++i) {
    int bits = 0;
    for (int k = 0; k < 8; ++k) bits |= (codes[32 * k + i] >> bit & 1) << k;
    target[i] = static_cast<uint8_t>(bits);
  }
  return target + 32;
}

// 256 codes, four bits of each: of every 64 the second half above the first.
OSTRO_INLINE uint8_t* put_halves_of_64(uint8_t* target, const uint8_t* codes) {
  for (int i = 0; i < 128; ++i) {
    const uint8_t* c = codes + i / 32 * 64 + i % 32;
    target[i] = static_cast<uint8_t>((c[0] & 15) | c[32] << 4);
  }
  return target + 128;
}

}  // namespace ostro::OSTRO_ISA::quantise
