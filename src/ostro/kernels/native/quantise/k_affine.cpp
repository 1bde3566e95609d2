// Q2_K, Q4_K and Q5_K: sub-blocks with a scale and a minimum, under a shared scale and minimum.
#include "codec.h"
#include "pack.h"
#include "super_block.h"

namespace ostro::OSTRO_ISA::quantise {
namespace {

// 16 sub-blocks of 16; scale and minimum of a sub-block have four bits each.
struct Q2_K {
  static constexpr int kNumber = 10, kBlockSize = kGroup, kBlockBytes = 84;

  OSTRO_INLINE static void encode(const float* numbers, uint8_t* target) {
    const Blocks<16> groups[2]{Blocks<16>(numbers), Blocks<16>(numbers + 128)};
    const AffineSuperBlock<16, 2> block(groups, 3, 15);
    for (int k = 0; k < 16; ++k) {
      *target++ = static_cast<uint8_t>(block.s(k) | block.m(k) << 4);
    }
    uint8_t codes[kGroup];
    block.write_codes(codes);
    target = put_pairs_of_bits(target, codes);
    put_half(put_half(target, block.scale()), block.minimum());
  }
};

// 8 sub-blocks of 32; scale and minimum of a sub-block have six bits each.
using SuperBlockOf32 = AffineSuperBlock<32, 1>;
constexpr float kMostSixBits = 63;

// The first four of each lie whole in the lower bits of bytes 0 to 7. The others keep their lower
// halves in bytes 8 to 11, and their upper two bits above the first ones.
OSTRO_INLINE uint8_t* put_scales(uint8_t* target, const SuperBlockOf32& block) {
  for (int k = 0; k < 4; ++k) {
    const int later_s = block.s(k + 4), later_m = block.m(k + 4);
    target[k] = static_cast<uint8_t>(block.s(k) | later_s >> 4 << 6);
    target[k + 4] = static_cast<uint8_t>(block.m(k) | later_m >> 4 << 6);
    target[k + 8] = static_cast<uint8_t>((later_s & 15) | (later_m & 15) << 4);
  }
  return target + 12;
}

struct Q4_K {
  static constexpr int kNumber = 12, kBlockSize = kGroup, kBlockBytes = 144;

  OSTRO_INLINE static void encode(const float* numbers, uint8_t* target) {
    const Blocks<32> groups[1]{Blocks<32>(numbers)};
    const SuperBlockOf32 block(groups, 15, kMostSixBits);
    uint8_t codes[kGroup];
    block.write_codes(codes);
    target = put_half(put_half(target, block.scale()), block.minimum());
    put_halves_of_64(put_scales(target, block), codes);
  }
};

struct Q5_K {
  static constexpr int kNumber = 13, kBlockSize = kGroup, kBlockBytes = 176;

  OSTRO_INLINE static void encode(const float* numbers, uint8_t* target) {
    const Blocks<32> groups[1]{Blocks<32>(numbers)};
    const SuperBlockOf32 block(groups, 31, kMostSixBits);
    uint8_t codes[kGroup];
    block.write_codes(codes);
    target = put_half(put_half(target, block.scale()), block.minimum());
    target = put_single_bits(put_scales(target, block), codes, 4);
    put_halves_of_64(target, codes);
  }
};

}  // namespace

Codec q2_k() { return codec<Q2_K>(); }
Codec q4_k() { return codec<Q4_K>(); }
Codec q5_k() { return codec<Q5_K>(); }

}  // namespace ostro::OSTRO_ISA::quantise
