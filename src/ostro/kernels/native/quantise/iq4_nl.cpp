// IQ4_NL: blocks of 32 with a scale, whose 16 codes stand for values that lie closer near zero.
#include "codec.h"
#include "half.h"
#include "pack.h"
#include "search.h"

namespace ostro::OSTRO_ISA::quantise {
namespace {

constexpr int kSize = 32, kCodes = 16;
// The values that the type's definition gives its codes.
constexpr float kValues[kCodes] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};

struct NonLinear {
  static constexpr float low = kValues[0], high = kValues[kCodes - 1];
  static constexpr float kStep = 23;  // About the distance of the outermost values.

  OSTRO_INLINE Floats operator()(Floats v) const {
    Floats value = all(low);
    for (int code = 1; code < kCodes; ++code) {
      value += select(is_above(v, code), all(kValues[code] - kValues[code - 1]), all(0));
    }
    return value;
  }

  OSTRO_INLINE Floats code(Floats v) const {
    Floats result{};
    for (int code = 1; code < kCodes; ++code) {
      result += select(is_above(v, code), all(1), all(0));
    }
    return result;
  }

 private:
  // Whether v is nearer to the value of `code` than to the one below.
  OSTRO_INLINE static Ints is_above(Floats v, int code) {
    return v > (kValues[code - 1] + kValues[code]) / 2;
  }
};

struct IQ4_NL {
  static constexpr int kNumber = 20, kBlockSize = kSize, kBlockBytes = 18;

  OSTRO_INLINE static void encode(const float* numbers, uint8_t* target) {
    const NonLinear values;
    const Blocks<kSize> blocks(numbers);
    Floats scale = best_scale(blocks, values);
    for (int lane = 0; lane < kLanes; ++lane) scale[lane] = rounded_to_half(scale[lane]);
    const Floats multiplier = inverse(scale);
    uint8_t codes[kGroup];
    for (int i = 0; i < kSize; ++i) {
      store_codes(codes, kSize, i, values.code(blocks.x[i] * multiplier));
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      uint8_t* to = put_half(target + lane * kBlockBytes, scale[lane]);
      put_nibbles(to, codes + lane * kSize);
    }
  }
};

}  // namespace

Codec iq4_nl() { return codec<IQ4_NL>(); }

}  // namespace ostro::OSTRO_ISA::quantise
