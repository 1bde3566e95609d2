// One small unpacker a weight type: from a packed chunk to unsigned bytes and scales.
//
// A format says how a block of columns is stored in a group of 8 rows (pack.cpp writes it):
//   kBlock     columns of a block: 32, or 256 in eight sub-blocks of 32
//   kBytes     of a chunk, which is a block of all 8 rows
//   kLargest   of the unpacked bytes
//   kOffset    what is subtracted from every unpacked byte
//   quads(sub) the 8 x 4 columns of a sub-block
// and, for blocks of 256, scales of 16 or 32 columns that are integers themselves.
#pragma once

#include "../weight_types.h"
#include "simd.h"

namespace ostro::OSTRO_ISA {

// The columns of one sub-block: quads[j] holds columns 4j to 4j + 3 of each row.
struct Quads {
  Bytes at[8];
};

inline Bytes masked(Bytes x, int shift, int mask) {
  return _mm256_and_si256(_mm256_srli_epi16(x, shift), _mm256_set1_epi8(static_cast<char>(mask)));
}

inline void nibble_plane(const uint8_t* p, Quads& quads) {
  for (int v = 0; v < 4; ++v) {
    const Bytes packed = load(p + 32 * v);
    quads.at[v] = masked(packed, 0, 15);
    quads.at[v + 4] = masked(packed, 4, 15);
  }
}

inline void pair_plane(const uint8_t* p, Quads& quads) {
  for (int j = 0; j < 8; ++j) quads.at[j] = masked(load(p + 32 * (j & 1)), j / 2 * 2, 3);
}

inline void add_bits(const uint8_t* p, int place, Quads& quads) {
  const Bytes bits = load(p);
  for (int j = 0; j < 8; ++j) {
    const Bytes bit = _mm256_slli_epi16(masked(bits, j, 1), place);
    quads.at[j] = _mm256_or_si256(quads.at[j], bit);
  }
}

inline void add_pairs(const uint8_t* p, int place, Quads& quads) {
  for (int j = 0; j < 8; ++j) {
    const Bytes pair = _mm256_slli_epi16(masked(load(p + 32 * (j & 1)), j / 2 * 2, 3), place);
    quads.at[j] = _mm256_or_si256(quads.at[j], pair);
  }
}

// ---- blocks of 32 ----

template <int Largest, int Offset, bool Minimum, int Bytes_>
struct Format32 {
  static constexpr int kBlock = 32, kBytes = Bytes_, kLargest = Largest, kOffset = Offset;
  static constexpr bool kMinimum = Minimum;
  static constexpr int kPlanes = Minimum ? 32 : 16;  // Where the numbers begin.
};

struct Q4_0 : Format32<15, 8, false, 144> {
  static void unpack(const uint8_t* chunk, Quads& quads) { nibble_plane(chunk + kPlanes, quads); }
};

struct Q4_1 : Format32<15, 0, true, 160> {
  static void unpack(const uint8_t* chunk, Quads& quads) { nibble_plane(chunk + kPlanes, quads); }
};

struct Q5_0 : Format32<31, 16, false, 176> {
  static void unpack(const uint8_t* chunk, Quads& quads) {
    nibble_plane(chunk + kPlanes, quads);
    add_bits(chunk + kPlanes + 128, 4, quads);
  }
};

struct Q5_1 : Format32<31, 0, true, 192> {
  static void unpack(const uint8_t* chunk, Quads& quads) {
    nibble_plane(chunk + kPlanes, quads);
    add_bits(chunk + kPlanes + 128, 4, quads);
  }
};

// Signed bytes become unsigned ones with an offset of 128.
struct Q8_0 : Format32<255, 128, false, 272> {
  static void unpack(const uint8_t* chunk, Quads& quads) {
    for (int j = 0; j < 8; ++j) {
      quads.at[j] = _mm256_xor_si256(load(chunk + kPlanes + 32 * j), _mm256_set1_epi8(-128));
    }
  }
};

// Nibbles that are indices into 16 values on a curve.
struct IQ4_NL : Format32<255, 128, false, 144> {
  static void unpack(const uint8_t* chunk, Quads& quads) {
    // The values plus 128.
    const __m128i curve = _mm_setr_epi8(1, 24, 45, 63, 79, 93, 106, 118, -127, -115, -103, -90,
                                        -75, -59, -39, -15);
    const Bytes table = _mm256_broadcastsi128_si256(curve);
    nibble_plane(chunk + kPlanes, quads);
    for (Bytes& quad : quads.at) quad = _mm256_shuffle_epi8(table, quad);
  }
};

// ---- blocks of 256 ----

// Byte `index` of each row's word, as two equal 16-bit numbers: the form that a multiply-add of
// pairs wants. Signed bytes keep their sign.
template <bool Signed>
inline Ints doubled(Bytes words, int index) {
  const int i = index & 3;
  if constexpr (Signed) {
    const Bytes high = _mm256_set1_epi32(i << 24 | 0x00800080 | i << 8);
    const Bytes lanes = _mm256_setr_epi32(0, 0x04000400, 0x08000800, 0x0c000c00, 0, 0x04000400,
                                          0x08000800, 0x0c000c00);
    return _mm256_srai_epi16(_mm256_shuffle_epi8(words, _mm256_add_epi8(high, lanes)), 8);
  } else {
    const Bytes low = _mm256_set1_epi32(static_cast<int>(0x80008000u | i << 16 | i));
    const Bytes lanes = _mm256_setr_epi32(0, 0x00040004, 0x00080008, 0x000c000c, 0, 0x00040004,
                                          0x00080008, 0x000c000c);
    return _mm256_shuffle_epi8(words, _mm256_add_epi8(low, lanes));
  }
}

// Scales of sub-blocks of 16 columns (kScaled = 16) or 32.
template <int Largest, int Offset, bool Minimum, int Scaled, int Bytes_>
struct Format256 {
  static constexpr int kBlock = 256, kBytes = Bytes_, kLargest = Largest, kOffset = Offset;
  static constexpr bool kMinimum = Minimum;
  static constexpr int kScaled = Scaled;
};

// Scales and minima of Q4_K and Q5_K: eight of each, 6 bits, in three words a row.
struct SixBitPairs {
  Bytes scale[2], minimum[2];
  explicit SixBitPairs(const uint8_t* p) {
    const Bytes a = load(p), b = load(p + 32), c = load(p + 64);
    scale[0] = masked(a, 0, 63);
    minimum[0] = masked(b, 0, 63);
    scale[1] = _mm256_or_si256(masked(c, 0, 15), _mm256_slli_epi16(masked(a, 6, 3), 4));
    minimum[1] = _mm256_or_si256(masked(c, 4, 15), _mm256_slli_epi16(masked(b, 6, 3), 4));
  }
  Ints scale_at(int sub) const { return doubled<false>(scale[sub / 4], sub); }
  Ints minimum_at(int sub) const { return doubled<false>(minimum[sub / 4], sub); }
};

struct Q4_K : Format256<15, 0, true, 32, 1152> {
  using Scales = SixBitPairs;
  static Scales scales(const uint8_t* chunk) { return Scales(chunk + 32); }
  static void unpack(const uint8_t* chunk, int sub, Quads& quads) {
    nibble_plane(chunk + 128 + 128 * sub, quads);
  }
};

struct Q5_K : Format256<31, 0, true, 32, 1408> {
  using Scales = SixBitPairs;
  static Scales scales(const uint8_t* chunk) { return Scales(chunk + 32); }
  static void unpack(const uint8_t* chunk, int sub, Quads& quads) {
    const uint8_t* planes = chunk + 128 + 160 * sub;
    nibble_plane(planes, quads);
    add_bits(planes + 128, 4, quads);
  }
};

// Sixteen scales and minima of 4 bits, one byte each.
struct Q2_K : Format256<3, 0, true, 16, 672> {
  struct Scales {
    const uint8_t* p;
    Ints scale_at(int sub) const {
      return doubled<false>(masked(load(p + 32 * (sub / 4)), 0, 15), sub);
    }
    Ints minimum_at(int sub) const {
      return doubled<false>(masked(load(p + 32 * (sub / 4)), 4, 15), sub);
    }
  };
  static Scales scales(const uint8_t* chunk) { return {chunk + 32}; }
  static void unpack(const uint8_t* chunk, int sub, Quads& quads) {
    pair_plane(chunk + 160 + 64 * sub, quads);
  }
};

// Sixteen scales of 6 bits with an offset of 32.
struct Q3_K : Format256<7, 4, false, 16, 880> {
  struct Scales {
    Bytes scale[4];
    Ints scale_at(int sub) const {
      return _mm256_sub_epi16(doubled<false>(scale[sub / 4], sub), _mm256_set1_epi16(32));
    }
  };
  static Scales scales(const uint8_t* chunk) {
    const Bytes high = load(chunk + 80);
    Scales s;
    for (int i = 0; i < 4; ++i) {
      const Bytes low = masked(load(chunk + 16 + 32 * (i & 1)), i / 2 * 4, 15);
      s.scale[i] = _mm256_or_si256(low, _mm256_slli_epi16(masked(high, 2 * i, 3), 4));
    }
    return s;
  }
  static void unpack(const uint8_t* chunk, int sub, Quads& quads) {
    const uint8_t* planes = chunk + 112 + 96 * sub;
    pair_plane(planes, quads);
    add_bits(planes + 64, 2, quads);
  }
};

// Sixteen signed scales of 8 bits.
struct Q6_K : Format256<63, 32, false, 16, 1680> {
  struct Scales {
    const uint8_t* p;
    Ints scale_at(int sub) const { return doubled<true>(load(p + 32 * (sub / 4)), sub); }
  };
  static Scales scales(const uint8_t* chunk) { return {chunk + 16}; }
  static void unpack(const uint8_t* chunk, int sub, Quads& quads) {
    const uint8_t* planes = chunk + 144 + 192 * sub;
    nibble_plane(planes, quads);
    add_pairs(planes + 128, 4, quads);
  }
};

// ---- dense ----

struct F32 {
  static constexpr int kBlock = 1, kBytes = 32;
  static Floats read(const uint8_t* p) { return _mm256_loadu_ps(reinterpret_cast<const float*>(p)); }
};

struct F16 {
  static constexpr int kBlock = 1, kBytes = 16;
  static Floats read(const uint8_t* p) { return load_halves(p); }
};

struct BF16 {
  static constexpr int kBlock = 1, kBytes = 16;
  static Floats read(const uint8_t* p) { return load_bf16(p); }
};

}  // namespace ostro::OSTRO_ISA
