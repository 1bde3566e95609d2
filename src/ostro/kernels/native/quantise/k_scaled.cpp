// Q3_K and Q6_K: 16 sub-blocks of 16, each with a signed scale, under one shared scale.
#include "codec.h"
#include "pack.h"
#include "super_block.h"

namespace ostro::OSTRO_ISA::quantise {
namespace {

constexpr int kSize = 16, kGroups = 2;

using SuperBlock = ScaledSuperBlock<kSize, kGroups>;

struct Q3_K {
  static constexpr int kNumber = 11, kBlockSize = kGroup, kBlockBytes = 110;

  OSTRO_INLINE static void encode(const float* numbers, uint8_t* target) {
    const Blocks<kSize> groups[kGroups]{Blocks<kSize>(numbers), Blocks<kSize>(numbers + 128)};
    const SuperBlock block(groups, {-4, 3}, {-32, 31});
    uint8_t codes[kGroup];
    block.write_codes(codes);
    target = put_single_bits(target, codes, 2);
    target = put_pairs_of_bits(target, codes);
    put_half(put_scales(target, block), block.scale());
  }

  // 16 times six bits: the lower four in the first eight bytes, the upper two in the last four.
  OSTRO_INLINE static uint8_t* put_scales(uint8_t* target, const SuperBlock& block) {
    for (int k = 0; k < 12; ++k) target[k] = 0;
    for (int k = 0; k < 16; ++k) {
      const int scale = block.s(k) + 32;
      target[k % 8] |= static_cast<uint8_t>((scale & 15) << (k / 8 * 4));
      target[8 + k % 4] |= static_cast<uint8_t>(scale >> 4 << (k / 4 * 2));
    }
    return target + 12;
  }
};

struct Q6_K {
  static constexpr int kNumber = 14, kBlockSize = kGroup, kBlockBytes = 210;

  OSTRO_INLINE static void encode(const float* numbers, uint8_t* target) {
    const Blocks<kSize> groups[kGroups]{Blocks<kSize>(numbers), Blocks<kSize>(numbers + 128)};
    const SuperBlock block(groups, {-32, 31}, {-128, 127});
    uint8_t codes[kGroup];
    block.write_codes(codes);
    target = put_low_bits(target, codes);
    for (int i = 0; i < kGroup; ++i) codes[i] >>= 4;
    target = put_pairs_of_bits(target, codes);
    for (int k = 0; k < 16; ++k) *target++ = static_cast<uint8_t>(block.s(k));
    put_half(target, block.scale());
  }

  // Four bits of each code: of every 128 the second half above the first.
  OSTRO_INLINE static uint8_t* put_low_bits(uint8_t* target, const uint8_t* codes) {
    for (int i = 0; i < 128; ++i) {
      const uint8_t* c = codes + i / 64 * 128 + i % 64;
      target[i] = static_cast<uint8_t>((c[0] & 15) | c[64] << 4);
    }
    return target + 128;
  }
};

}  // namespace

Codec q3_k() { return codec<Q3_K>(); }
Codec q6_k() { return codec<Q6_K>(); }

}  // namespace ostro::OSTRO_ISA::quantise
