// How one storage type is written, and the table of all of them.
#pragma once

#include <cstdint>

#include "lanes.h"

namespace ostro::quantise {

// Every codec takes 256 numbers at a time: a super-block, or eight blocks of 32.
constexpr int kGroup = 256;
constexpr int kMostGroupBytes = 8 * 34;  // Q8_0.

using Encode = void (*)(const float* numbers, uint8_t* target);

struct Codec {
  int32_t type;  // GGUF's number.
  int32_t block_size, block_bytes;
  Encode encode;
};

#if defined(__x86_64__)
template <class Type>
__attribute__((target("avx2"))) void encode_avx2(const float* numbers, uint8_t* target) {
  Type::encode(numbers, target);
}
#endif

template <class Type>
void encode_anywhere(const float* numbers, uint8_t* target) {
  Type::encode(numbers, target);
}

// A codec compiled for this processor. There is no fused arithmetic in either version, so their
// bits are the same.
template <class Type>
Codec codec() {
  Encode encode = encode_anywhere<Type>;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) encode = encode_avx2<Type>;
#endif
  return {Type::kNumber, Type::kBlockSize, Type::kBlockBytes, encode};
}

// One for each type, by family.
Codec q4_0();
Codec q4_1();
Codec q5_0();
Codec q5_1();
Codec q8_0();
Codec iq4_nl();
Codec q2_k();
Codec q3_k();
Codec q4_k();
Codec q5_k();
Codec q6_k();

}  // namespace ostro::quantise
