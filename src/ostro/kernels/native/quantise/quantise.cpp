// Quantising: numbers into GGUF's blocks, on all threads.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "../compute/layers.h"
#include "../context.h"
#include "codec.h"
#include "half.h"

namespace ostro::OSTRO_ISA::quantise {
namespace {

// 16 thousand numbers: long enough that claiming a piece costs nothing beside it.
constexpr int64_t kGroupsPerPiece = 64;

// The codec of a type; `encode` is null if there is none.
Codec find_codec(int32_t type) {
  for (auto codec : {q4_0, q4_1, q5_0, q5_1, q8_0, iq4_nl, q2_k, q3_k, q4_k, q5_k, q6_k}) {
    if (codec().type == type) return codec();
  }
  return {};
}

// False also for NaN.
bool is_storable(const float* numbers, int64_t count) {
  bool storable = true;
  for (int64_t i = 0; i < count; ++i) storable &= std::fabs(numbers[i]) <= kLargestHalf;
  return storable;
}

// The last blocks of 32 may not fill a group: zeros take the place of those that are not there.
void encode_partial(const Codec& codec, const float* numbers, uint8_t* target, int64_t count) {
  float filled[kGroup] = {};
  uint8_t blocks[kMostGroupBytes];
  std::copy_n(numbers, count, filled);
  codec.encode(filled, blocks);
  std::copy_n(blocks, count / codec.block_size * codec.block_bytes, target);
}

bool encode_piece(const Codec& codec, const float* source, uint8_t* target, int64_t first,
                  int64_t end) {
  if (!is_storable(source + first, end - first)) return false;
  for (int64_t at = first; at < end; at += kGroup) {
    uint8_t* to = target + at / codec.block_size * codec.block_bytes;
    if (end - at >= kGroup) {
      codec.encode(source + at, to);
    } else {
      encode_partial(codec, source + at, to, end - at);
    }
  }
  return true;
}

}  // namespace
}  // namespace ostro::OSTRO_ISA::quantise

namespace ostro::OSTRO_ISA {

int32_t quantise_rows(ostro_context& context, int32_t type, const float* source, uint8_t* target,
                      int64_t rows, int64_t columns) {
  using namespace quantise;
  const Codec codec = find_codec(type);
  if (codec.encode == nullptr) return OSTRO_QUANTISE_UNKNOWN_TYPE;
  if (columns % codec.block_size != 0) return OSTRO_QUANTISE_PARTIAL_BLOCK;
  // Rows are whole blocks and lie without gaps, so where a row ends does not matter.
  const int64_t count = rows * columns, piece = kGroupsPerPiece * kGroup;
  std::atomic<bool> storable{true};
  context.pool.run((count + piece - 1) / piece, [&](int64_t index, int) {
    const int64_t first = index * piece, end = std::min(first + piece, count);
    if (storable && !encode_piece(codec, source, target, first, end)) storable = false;
  });
  return storable ? OSTRO_QUANTISED : OSTRO_QUANTISE_UNSTORABLE;
}

}  // namespace ostro::OSTRO_ISA
