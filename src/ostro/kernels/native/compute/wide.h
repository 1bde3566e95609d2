// Vectors of the products, as wide as registers are: the 16 rows of a packed group lie in one
// register of 512 bits or in two of 256, its halves. A lane is a row; everything here works on each
// lane alone, so that both widths give the same bits.
#pragma once

#include "../weight_types.h"
#include "simd.h"

namespace ostro::OSTRO_ISA {

#if defined(__AVX512VNNI__)

constexpr int kHalves = 1;
using Words = __m512i;
using Reals = __m512;

inline Words load_words(const void* p) { return _mm512_loadu_si512(p); }
inline Words spread_word(int x) { return _mm512_set1_epi32(x); }
inline Words spread_byte(int x) { return _mm512_set1_epi8(static_cast<char>(x)); }
// The same 16 bytes for every four rows.
inline Words spread_pattern(const void* p) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}
template <int N> Words shift_right16(Words x) { return _mm512_srli_epi16(x, N); }
template <int N> Words shift_left16(Words x) { return _mm512_slli_epi16(x, N); }
template <int N> Words shift_left32(Words x) { return _mm512_slli_epi32(x, N); }
template <int N> Words signed_right16(Words x) { return _mm512_srai_epi16(x, N); }
template <int N> Words signed_right32(Words x) { return _mm512_srai_epi32(x, N); }
inline Words both(Words x, Words y) { return _mm512_and_si512(x, y); }
inline Words differ(Words x, Words y) { return _mm512_xor_si512(x, y); }
// x | (y & mask)
inline Words with_bits(Words x, Words y, Words mask) {
  return _mm512_ternarylogic_epi32(x, y, mask, 0xf8);
}
inline Words subtract8(Words x, Words y) { return _mm512_sub_epi8(x, y); }
inline Words add32(Words x, Words y) { return _mm512_add_epi32(x, y); }
inline Words subtract32(Words x, Words y) { return _mm512_sub_epi32(x, y); }
inline Words times32(Words x, Words y) { return _mm512_mullo_epi32(x, y); }
inline Words look_up(Words table, Words index) { return _mm512_shuffle_epi8(table, index); }
// The lower halves of both numbers, x's below y's.
inline Words beside16(Words x, Words y) {
  return _mm512_mask_blend_epi16(0xaaaaaaaau, x, _mm512_slli_epi32(y, 16));
}

// total + the sum of two products of signed 16-bit numbers.
inline Words dot16(Words total, Words x, Words y) { return _mm512_dpwssd_epi32(total, x, y); }

// total + the sum of four products of an unsigned byte and one of the same four signed bytes.
inline Words dot(Words total, Words weights, const int8_t* four) {
  // Written out, since compilers load what is spread with an instruction of its own.
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(total)
      : "v"(weights), "m"(*reinterpret_cast<const int8_t(*)[4]>(four)));
  return total;
}

inline Reals load_reals(const void* p) { return _mm512_loadu_ps(p); }
inline Reals load_half_reals(const void* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
}
inline Reals load_bf16_reals(const void* p) {
  const Words wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
inline void store(float* p, Reals x) { _mm512_storeu_ps(p, x); }
inline Reals spread_real(float x) { return _mm512_set1_ps(x); }
inline Reals to_reals(Words x) { return _mm512_cvtepi32_ps(x); }
inline Reals add(Reals x, Reals y) { return _mm512_add_ps(x, y); }
inline Reals times(Reals x, Reals y) { return _mm512_mul_ps(x, y); }
inline Reals times_add(Reals x, Reals y, Reals z) { return _mm512_fmadd_ps(x, y, z); }
// z - x y
inline Reals times_subtract(Reals x, Reals y, Reals z) { return _mm512_fnmadd_ps(x, y, z); }

#else

constexpr int kHalves = 2;
using Words = __m256i;
using Reals = __m256;

inline Words load_words(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
inline Words spread_word(int x) { return _mm256_set1_epi32(x); }
inline Words spread_byte(int x) { return _mm256_set1_epi8(static_cast<char>(x)); }
inline Words spread_pattern(const void* p) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}
template <int N> Words shift_right16(Words x) { return _mm256_srli_epi16(x, N); }
template <int N> Words shift_left16(Words x) { return _mm256_slli_epi16(x, N); }
template <int N> Words shift_left32(Words x) { return _mm256_slli_epi32(x, N); }
template <int N> Words signed_right16(Words x) { return _mm256_srai_epi16(x, N); }
template <int N> Words signed_right32(Words x) { return _mm256_srai_epi32(x, N); }
inline Words both(Words x, Words y) { return _mm256_and_si256(x, y); }
inline Words differ(Words x, Words y) { return _mm256_xor_si256(x, y); }
inline Words with_bits(Words x, Words y, Words mask) {
  return _mm256_or_si256(x, _mm256_and_si256(y, mask));
}
inline Words subtract8(Words x, Words y) { return _mm256_sub_epi8(x, y); }
inline Words add32(Words x, Words y) { return _mm256_add_epi32(x, y); }
inline Words subtract32(Words x, Words y) { return _mm256_sub_epi32(x, y); }
inline Words times32(Words x, Words y) { return _mm256_mullo_epi32(x, y); }
inline Words look_up(Words table, Words index) { return _mm256_shuffle_epi8(table, index); }
inline Words dot16(Words total, Words x, Words y) {
  return _mm256_add_epi32(total, _mm256_madd_epi16(x, y));
}
// Four signed bytes, for all rows.
inline Words spread(const int8_t* four) {
  int32_t word;
  std::memcpy(&word, four, 4);
  return spread_word(word);
}

inline Reals load_reals(const void* p) { return _mm256_loadu_ps(static_cast<const float*>(p)); }
inline Reals load_half_reals(const void* p) { return load_halves(p); }
inline Reals load_bf16_reals(const void* p) { return load_bf16(p); }
inline void store(float* p, Reals x) { _mm256_storeu_ps(p, x); }
inline Reals spread_real(float x) { return _mm256_set1_ps(x); }
inline Reals to_reals(Words x) { return _mm256_cvtepi32_ps(x); }
inline Reals add(Reals x, Reals y) { return _mm256_add_ps(x, y); }
inline Reals times(Reals x, Reals y) { return _mm256_mul_ps(x, y); }
inline Reals times_add(Reals x, Reals y, Reals z) { return _mm256_fmadd_ps(x, y, z); }
inline Reals times_subtract(Reals x, Reals y, Reals z) { return _mm256_fnmadd_ps(x, y, z); }

#endif

constexpr int kLanes = kGroupRows / kHalves;

// Where a half's part begins of a vector of 16 numbers that take `bytes` each.
constexpr int half_offset(int half, int bytes) { return half * kLanes * bytes; }

}  // namespace ostro::OSTRO_ISA
