#include "checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace ostro {
namespace {

constexpr int64_t kPiece = int64_t{1} << 20;
// Odd, with about half their bits set, so that multiplying spreads every bit upwards.
constexpr uint64_t kSpread = 0x9e3779b97f4a7c15, kMix = 0xc2b2ae3d27d4eb4f;

uint64_t stir(uint64_t state, uint64_t word) {
  return std::rotl((state ^ word) * kSpread, 29);
}

uint64_t finish(uint64_t x) {
  x = (x ^ x >> 32) * kMix;
  return x ^ x >> 29;
}

uint64_t piece_sum(const uint8_t* data, int64_t bytes) {
  uint64_t lanes[4] = {1, 2, 3, 4};
  int64_t at = 0;
  for (; at + 32 <= bytes; at += 32) {
    uint64_t words[4];
    std::memcpy(words, data + at, 32);
    for (int i = 0; i < 4; ++i) lanes[i] = stir(lanes[i], words[i]);
  }
  uint8_t rest[32] = {};
  std::memcpy(rest, data + at, static_cast<size_t>(bytes - at));
  for (int i = 0; i < 4; ++i) {
    uint64_t word;
    std::memcpy(&word, rest + 8 * i, 8);
    lanes[i] = stir(lanes[i], word);
  }
  uint64_t total = static_cast<uint64_t>(bytes);
  for (uint64_t lane : lanes) total = stir(total, finish(lane));
  return finish(total);
}

}  // namespace

uint64_t checksum(ThreadPool& pool, const uint8_t* data, int64_t bytes) {
  const int64_t pieces = (bytes + kPiece - 1) / kPiece;
  std::vector<uint64_t> sums(static_cast<size_t>(pieces));
  pool.run(pieces, [&](int64_t i, int) {
    const int64_t start = i * kPiece;
    sums[static_cast<size_t>(i)] = piece_sum(data + start, std::min(kPiece, bytes - start));
  });
  uint64_t total = 0;
  for (uint64_t sum : sums) total = stir(total, sum);
  return finish(total);
}

}  // namespace ostro
