// One small unpacker a weight type: from a packed chunk to unsigned bytes and scales.
//
// A format says how a block of columns is stored in a group of 16 rows (pack.cpp writes it):
//   kBlock     columns of a block: 32, or 256 in eight sub-blocks of 32
//   kBytes     of a chunk, which is a block of all 16 rows
//   kLargest   of the unpacked bytes
//   kOffset    what is subtracted from every unpacked byte
//   kMinimum   whether the type has minimums instead
//   unpack(p)  the columns of a block or a sub-block
// and, for blocks of 256, scales of 16 or 32 columns that are integers themselves.
//
// Pointers lead to a half (wide.h): the first bytes of its rows in the first vector.
#pragma once

#include <utility>

#include "../planes.h"
#include "wide.h"

namespace ostro::OSTRO_ISA {

// 32 columns: at[j] holds columns 4j to 4j + 3 of each row.
struct Quads {
  Words at[8];
};

template <int Shift>
inline Words moved(Words x) {
  if constexpr (Shift > 0) return shift_right16<Shift>(x);
  else if constexpr (Shift < 0) return shift_left16<-Shift>(x);
  else return x;
}

inline Words masked(Words x, int mask) { return both(x, spread_byte(mask)); }

template <Piece P>
inline void take(const Words* vectors, Quads& quads) {
  const Words bits = moved<P.place - P.low>(vectors[P.vector]);
  constexpr int kMask = ((1 << P.bits) - 1) << P.low;
  Words& quad = quads.at[P.quad];
  if constexpr (P.bits == 8) quad = bits;
  else if constexpr (P.low == 0) quad = masked(bits, kMask);
  else quad = with_bits(quad, bits, spread_byte(kMask));
}

// Numbers of `Bits` bits.
template <int Bits>
inline Quads unpack_planes(const uint8_t* p) {
  constexpr auto& kPieces = Planes<Bits>::kPieces;
  Words vectors[Bits];
  for (int v = 0; v < Bits; ++v) vectors[v] = load_words(p + kVectorBytes * v);
  Quads quads;
  [&]<size_t... I>(std::index_sequence<I...>) {
    (take<kPieces[I]>(vectors, quads), ...);
  }(std::make_index_sequence<kPieces.size()>{});
  return quads;
}

// ---- blocks of 32 ----

template <int Bits, int Offset, bool Minimum>
struct Format32 {
  static constexpr int kBlock = 32, kLargest = (1 << Bits) - 1, kOffset = Offset;
  static constexpr bool kMinimum = Minimum;
  static constexpr int kPlanes = kVectorBytes / 2 * (Minimum ? 2 : 1);  // Where the numbers begin.
  static constexpr int kBytes = kPlanes + kVectorBytes * Bits;

  static Quads unpack(const uint8_t* p) { return unpack_planes<Bits>(p); }
};

struct Q4_0 : Format32<4, 8, false> {};
struct Q4_1 : Format32<4, 0, true> {};
struct Q5_0 : Format32<5, 16, false> {};
struct Q5_1 : Format32<5, 0, true> {};

// Signed bytes become unsigned ones with an offset of 128.
struct Q8_0 : Format32<8, 128, false> {
  static Quads unpack(const uint8_t* p) {
    Quads quads = unpack_planes<8>(p);
    for (Words& quad : quads.at) quad = differ(quad, spread_byte(-128));
    return quads;
  }
};

// Nibbles that are indices into 16 values on a curve.
struct IQ4_NL : Format32<4, 128, false> {
  static constexpr int kLargest = 255;
  static Quads unpack(const uint8_t* p) {
    // The values plus 128.
    static constexpr uint8_t kCurve[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                           129, 141, 153, 166, 181, 197, 217, 241};
    const Words table = spread_pattern(kCurve);
    Quads quads = unpack_planes<4>(p);
    for (Words& quad : quads.at) quad = look_up(table, quad);
    return quads;
  }
};

// ---- blocks of 256 ----

// For four rows, which byte of a row's word goes where; 0x80 makes a zero. Signed bytes come into the
// upper byte of their number, so that a shift may spread their sign.
struct Places {
  alignas(16) uint8_t at[16];
};

// Bytes `first` and `second` as two 16-bit numbers.
constexpr Places pair_places(bool is_signed, int first, int second) {
  Places places{};
  for (int row = 0; row < 4; ++row) {
    const uint8_t one = static_cast<uint8_t>(4 * row + first);
    const uint8_t two = static_cast<uint8_t>(4 * row + second);
    uint8_t* word = places.at + 4 * row;
    word[0] = word[1] = word[2] = word[3] = 0x80;
    word[is_signed ? 1 : 0] = one;
    word[is_signed ? 3 : 2] = two;
  }
  return places;
}

// Byte `index` as a 32-bit number.
constexpr Places word_places(bool is_signed, int index) {
  Places places{};
  for (int i = 0; i < 16; ++i) places.at[i] = 0x80;
  for (int row = 0; row < 4; ++row) {
    places.at[4 * row + (is_signed ? 3 : 0)] = static_cast<uint8_t>(4 * row + index);
  }
  return places;
}

// Scales of a block: bytes, four a word.
template <bool Signed, int Count>
struct ByteScales {
  Words at[Count];

  // Number `index` as two equal 16-bit ones, as products of pairs want it.
  Words doubled(int index) const {
    static constexpr Places kPlaces[4] = {pair_places(Signed, 0, 0), pair_places(Signed, 1, 1),
                                          pair_places(Signed, 2, 2), pair_places(Signed, 3, 3)};
    return numbers(index, kPlaces[index % 4]);
  }

  // Numbers 2 * pair, in the lower halves, and 2 * pair + 1.
  Words pair(int pair) const {
    static constexpr Places kPlaces[2] = {pair_places(Signed, 0, 1), pair_places(Signed, 2, 3)};
    return numbers(2 * pair, kPlaces[pair % 2]);
  }

  Words word(int index) const {
    static constexpr Places kPlaces[4] = {word_places(Signed, 0), word_places(Signed, 1),
                                          word_places(Signed, 2), word_places(Signed, 3)};
    const Words found = look_up(at[index / 4], spread_pattern(kPlaces[index % 4].at));
    return Signed ? signed_right32<24>(found) : found;
  }

 private:
  Words numbers(int index, const Places& places) const {
    const Words found = look_up(at[index / 4], spread_pattern(places.at));
    return Signed ? signed_right16<8>(found) : found;
  }
};

template <int Bits, int Offset, bool Minimum, int Scaled, int ScaleWords>
struct Format256 {
  static constexpr int kBlock = 256, kLargest = (1 << Bits) - 1, kOffset = Offset;
  static constexpr bool kMinimum = Minimum;
  static constexpr int kScaled = Scaled;
  static constexpr int kScales = kVectorBytes / 2 * (Minimum ? 2 : 1);  // Where the scales begin.
  static constexpr int kPlanes = kScales + kVectorBytes * ScaleWords;
  static constexpr int kSubBytes = kVectorBytes * Bits;
  static constexpr int kBytes = kPlanes + 8 * kSubBytes;

  static Quads unpack(const uint8_t* p) { return unpack_planes<Bits>(p); }
  static Words scale_word(const uint8_t* p, int i) { return load_words(p + kVectorBytes * i); }
};

// Eight scales and as many minimums, of 6 bits, in three words a row.
template <int Bits>
struct SixBitPairs : Format256<Bits, 0, true, 32, 3> {
  using Scales = ByteScales<false, 2>;
  using Base = Format256<Bits, 0, true, 32, 3>;
  static Scales scales(const uint8_t* p) {
    const Words a = Base::scale_word(p, 0), c = Base::scale_word(p, 2);
    return {{masked(a, 63), with_bits(masked(c, 15), moved<2>(a), spread_byte(48))}};
  }
  static Scales minimums(const uint8_t* p) {
    const Words b = Base::scale_word(p, 1), c = Base::scale_word(p, 2);
    return {{masked(b, 63), with_bits(masked(moved<4>(c), 15), moved<2>(b), spread_byte(48))}};
  }
};

struct Q4_K : SixBitPairs<4> {};
struct Q5_K : SixBitPairs<5> {};

// Sixteen scales and minimums of 4 bits, one byte each.
struct Q2_K : Format256<2, 0, true, 16, 4> {
  using Scales = ByteScales<false, 4>;
  static Scales scales(const uint8_t* p) {
    Scales s;
    for (int i = 0; i < 4; ++i) s.at[i] = masked(scale_word(p, i), 15);
    return s;
  }
  static Scales minimums(const uint8_t* p) {
    Scales s;
    for (int i = 0; i < 4; ++i) s.at[i] = masked(moved<4>(scale_word(p, i)), 15);
    return s;
  }
};

// Sixteen scales of 6 bits with an offset of 32.
struct Q3_K : Format256<3, 4, false, 16, 3> {
  using Scales = ByteScales<true, 4>;
  static Scales scales(const uint8_t* p) {
    const Words a = scale_word(p, 0), b = scale_word(p, 1), high = scale_word(p, 2);
    const Words mask = spread_byte(48), offset = spread_byte(32);
    return {{subtract8(with_bits(masked(a, 15), moved<-4>(high), mask), offset),
             subtract8(with_bits(masked(b, 15), moved<-2>(high), mask), offset),
             subtract8(with_bits(masked(moved<4>(a), 15), high, mask), offset),
             subtract8(with_bits(masked(moved<4>(b), 15), moved<2>(high), mask), offset)}};
  }
};

// Sixteen signed scales of 8 bits.
struct Q6_K : Format256<6, 32, false, 16, 4> {
  using Scales = ByteScales<true, 4>;
  static Scales scales(const uint8_t* p) {
    Scales s;
    for (int i = 0; i < 4; ++i) s.at[i] = scale_word(p, i);
    return s;
  }
};

// ---- dense ----

struct F32 {
  static constexpr int kBlock = 1, kWidth = 4, kBytes = kWidth * kGroupRows;
  static Reals read(const uint8_t* p) { return load_reals(p); }
};

struct F16 {
  static constexpr int kBlock = 1, kWidth = 2, kBytes = kWidth * kGroupRows;
  static Reals read(const uint8_t* p) { return load_half_reals(p); }
};

struct BF16 {
  static constexpr int kBlock = 1, kWidth = 2, kBytes = kWidth * kGroupRows;
  static Reals read(const uint8_t* p) { return load_bf16_reals(p); }
};

}  // namespace ostro::OSTRO_ISA
