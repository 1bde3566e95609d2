// Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0: blocks of 32 numbers with a scale, and some with an offset.
#include "codec.h"
#include "half.h"
#include "pack.h"
#include "search.h"

namespace ostro::OSTRO_ISA::quantise {
namespace {

constexpr int kSize = 32;

// x ~ scale * (code - 2^(bits-1)).
template <int kBits>
OSTRO_INLINE void encode_scaled(const float* numbers, uint8_t* target, int block_bytes) {
  constexpr float kHalf = 1 << (kBits - 1);
  const WholeNumbers values{-kHalf, kHalf - 1};
  const Blocks<kSize> blocks(numbers);
  Floats scale = best_scale(blocks, values);
  for (int lane = 0; lane < kLanes; ++lane) scale[lane] = rounded_to_half(scale[lane]);
  const Floats multiplier = inverse(scale);
  uint8_t codes[kGroup];
  for (int i = 0; i < kSize; ++i) {
    store_codes(codes, kSize, i, values(blocks.x[i] * multiplier) + kHalf);
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    uint8_t* to = put_half(target + lane * block_bytes, scale[lane]);
    if (kBits == 5) to = put_fifth_bits(to, codes + lane * kSize);
    put_nibbles(to, codes + lane * kSize);
  }
}

// x ~ scale * code + offset.
template <int kBits>
OSTRO_INLINE void encode_affine(const float* numbers, uint8_t* target, int block_bytes) {
  constexpr float kHigh = (1 << kBits) - 1;
  const Blocks<kSize> blocks(numbers);
  Affine best = best_affine<Offset::kAny>(blocks, kHigh);
  for (int lane = 0; lane < kLanes; ++lane) {
    best.scale[lane] = rounded_to_half(best.scale[lane]);
    best.offset[lane] = rounded_to_half(best.offset[lane]);
  }
  const Floats multiplier = inverse(best.scale);
  uint8_t codes[kGroup];
  for (int i = 0; i < kSize; ++i) {
    store_codes(codes, kSize, i, nearest((blocks.x[i] - best.offset) * multiplier, 0, kHigh));
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    uint8_t* to = put_half(target + lane * block_bytes, best.scale[lane]);
    to = put_half(to, best.offset[lane]);
    if (kBits == 5) to = put_fifth_bits(to, codes + lane * kSize);
    put_nibbles(to, codes + lane * kSize);
  }
}

struct Q4_0 {
  static constexpr int kNumber = 2, kBlockSize = kSize, kBlockBytes = 18;
  OSTRO_INLINE static void encode(const float* numbers, uint8_t* target) {
    encode_scaled<4>(numbers, target, kBlockBytes);
  }
};

struct Q4_1 {
  static constexpr int kNumber = 3, kBlockSize = kSize, kBlockBytes = 20;
  OSTRO_INLINE static void encode(const float* numbers, uint8_t* target) {
    encode_affine<4>(numbers, target, kBlockBytes);
  }
};

struct Q5_0 {
  static constexpr int kNumber = 6, kBlockSize = kSize, kBlockBytes = 22;
  OSTRO_INLINE static void encode(const float* numbers, uint8_t* target) {
    encode_scaled<5>(numbers, target, kBlockBytes);
  }
};

struct Q5_1 {
  static constexpr int kNumber = 7, kBlockSize = kSize, kBlockBytes = 24;
  OSTRO_INLINE static void encode(const float* numbers, uint8_t* target) {
    encode_affine<5>(numbers, target, kBlockBytes);
  }
};

// The plain rule that everyone follows; a search would gain a hundredth of what is lost by 8 bits.
struct Q8_0 {
  static constexpr int kNumber = 8, kBlockSize = kSize, kBlockBytes = 34;
  OSTRO_INLINE static void encode(const float* numbers, uint8_t* target) {
    for (int lane = 0; lane < kLanes; ++lane) {
      encode_block(numbers + lane * kSize, target + lane * kBlockBytes);
    }
  }
  OSTRO_INLINE static void encode_block(const float* x, uint8_t* target) {
    float most = 0;
    for (int i = 0; i < kSize; ++i) most = __builtin_fmaxf(most, __builtin_fabsf(x[i]));
    const float scale = most / 127;
    uint8_t* codes = put_half(target, scale);
    // A scale that half precision rounds to 0 says that all numbers are.
    const float multiplier = to_half(scale) == 0 ? 0 : 1 / scale;
    for (int i = 0; i < kSize; ++i) {
      const float value = x[i] * multiplier;
      codes[i] = static_cast<uint8_t>(static_cast<int>(value + __builtin_copysignf(0.5f, value)));
    }
  }
};

}  // namespace

Codec q4_0() { return codec<Q4_0>(); }
Codec q4_1() { return codec<Q4_1>(); }
Codec q5_0() { return codec<Q5_0>(); }
Codec q5_1() { return codec<Q5_1>(); }
Codec q8_0() { return codec<Q8_0>(); }

}  // namespace ostro::OSTRO_ISA::quantise
