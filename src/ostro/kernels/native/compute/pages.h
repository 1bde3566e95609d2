// Keys and values in pages of 32 slots, in one of four number types.
//
// Keys of a page lie as [d, 32] and values as [32, d]: so both of attention's products run along
// the last axis, eight numbers at a time, and neither needs a sum across a register.
#pragma once

#include <algorithm>
#include <cmath>

#include "../ostro.h"
#include "../weight_types.h"
#include "simd.h"

namespace ostro::OSTRO_ISA {

constexpr int64_t kSlots = 32;

struct StoreF32 {
  using Number = float;
  static constexpr bool kScaled = false;
  static Floats read(const Number* p) { return _mm256_loadu_ps(p); }
  static Number write(float x) { return x; }
};

struct StoreF16 {
  using Number = uint16_t;
  static constexpr bool kScaled = false;
  static Floats read(const Number* p) { return load_halves(p); }
  static Number write(float x) { return static_cast<Number>(_cvtss_sh(x, 0)); }
};

struct StoreBF16 {
  using Number = uint16_t;
  static constexpr bool kScaled = false;
  static Floats read(const Number* p) { return load_bf16(p); }
  static Number write(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    if (std::isnan(x)) return static_cast<Number>(bits >> 16 | 0x40);
    return static_cast<Number>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);  // To nearest even.
  }
};

// 8 bits, with a scale for each slot and head.
struct StoreQ8 {
  using Number = int8_t;
  static constexpr bool kScaled = true;
  static Floats read(const Number* p) {
    return to_floats(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static Number write(float x) { return static_cast<Number>(std::nearbyint(x)); }
};

template <class Use>
auto with_store(const ostro_pages& pages, Use&& use) {
  switch (static_cast<WeightType>(pages.type)) {
    case WeightType::F32: return use(StoreF32{});
    case WeightType::BF16: return use(StoreBF16{});
    case WeightType::Q8_0: return use(StoreQ8{});
    default: return use(StoreF16{});
  }
}

// One head's part of one page.
template <class Store>
struct HeadPage {
  typename Store::Number* keys;
  typename Store::Number* values;
  float* key_scales;
  float* value_scales;

  HeadPage(const ostro_pages& pages, int64_t page, int64_t head, int64_t kv_heads, int64_t d) {
    const int64_t index = page * kv_heads + head;
    keys = static_cast<typename Store::Number*>(pages.keys) + index * d * kSlots;
    values = static_cast<typename Store::Number*>(pages.values) + index * d * kSlots;
    key_scales = Store::kScaled ? pages.key_scales + index * kSlots : nullptr;
    value_scales = Store::kScaled ? pages.value_scales + index * kSlots : nullptr;
  }

  void put(int64_t slot, const float* key, const float* value, int64_t d) {
    float key_factor = 1, value_factor = 1;
    if constexpr (Store::kScaled) {
      key_factor = scale_of(key, d, key_scales[slot]);
      value_factor = scale_of(value, d, value_scales[slot]);
    }
    for (int64_t i = 0; i < d; ++i) {
      keys[i * kSlots + slot] = Store::write(key[i] * key_factor);
      values[slot * d + i] = Store::write(value[i] * value_factor);
    }
  }

 private:
  // Sets the scale, and returns what takes numbers to [-127, 127].
  static float scale_of(const float* x, int64_t d, float& scale) {
    float most = 0;
    for (int64_t i = 0; i < d; ++i) most = std::max(most, std::fabs(x[i]));
    scale = most / 127.0f;
    return most > 0 ? 127.0f / most : 0.0f;
  }
};

}  // namespace ostro::OSTRO_ISA
