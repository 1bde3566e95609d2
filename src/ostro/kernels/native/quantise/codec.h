// How one storage type is written, and a function for each that says so.
#pragma once

#include <cstdint>

#include "lanes.h"

namespace ostro::OSTRO_ISA::quantise {

// Every codec takes 256 numbers at a time: a super-block, or eight blocks of 32.
constexpr int kGroup = 256;
constexpr int kMostGroupBytes = 8 * 34;  // Q8_0.

using Encode = void (*)(const float* numbers, uint8_t* target);

struct Codec {
  int32_t type;  // GGUF's number.
  int32_t block_size, block_bytes;
  Encode encode;
};

template <class Type>
Codec codec() {
  return {Type::kNumber, Type::kBlockSize, Type::kBlockBytes, Type::encode};
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

}  // namespace ostro::OSTRO_ISA::quantise
