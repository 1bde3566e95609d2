#include "pack.h"

#include <algorithm>
#include <cstring>

#include "planes.h"

namespace ostro {
namespace {

// One row's block, taken apart: integers, and the bytes of its scales as they will be stored.
struct Parts {
  uint8_t q[256] = {};        // Unsigned; the type's offset is taken away when products are made.
  uint8_t halves[4] = {};     // d, and the minimum's d if there is one, as float16 bits.
  uint8_t scales[16] = {};    // Packed scales of sub-blocks, in words of 4 bytes.
};

struct Layout {
  int halves;       // float16 numbers a block: 1 or 2.
  int scale_words;  // 4-byte words of sub-block scales.
  int bits;         // Of a number.
};

constexpr Layout layout_of(WeightType type) {
  switch (type) {
    case WeightType::Q4_0:
    case WeightType::IQ4_NL: return {1, 0, 4};
    case WeightType::Q4_1: return {2, 0, 4};
    case WeightType::Q5_0: return {1, 0, 5};
    case WeightType::Q5_1: return {2, 0, 5};
    case WeightType::Q8_0: return {1, 0, 8};
    case WeightType::Q2_K: return {2, 4, 2};
    case WeightType::Q3_K: return {1, 3, 3};
    case WeightType::Q4_K: return {2, 3, 4};
    case WeightType::Q5_K: return {2, 3, 5};
    case WeightType::Q6_K: return {1, 4, 6};
    default: return {0, 0, 0};
  }
}

void nibbles(const uint8_t* source, uint8_t* q) {
  for (int k = 0; k < 16; ++k) {
    q[k] = source[k] & 15;
    q[k + 16] = source[k] >> 4;
  }
}

void fifth_bits(const uint8_t* source, uint8_t* q) {
  for (int k = 0; k < 32; ++k) q[k] |= (source[k / 8] >> k % 8 & 1) << 4;
}

void read_q2_k(const uint8_t* block, Parts& parts) {
  // scales[16] (scale and minimum, 4 bits each), quarters[64], d, dmin.
  std::memcpy(parts.scales, block, 16);
  std::memcpy(parts.halves, block + 80, 4);
  for (int k = 0; k < 256; ++k) {
    parts.q[k] = block[16 + k / 128 * 32 + k % 32] >> (k / 32 % 4 * 2) & 3;
  }
}

void read_q3_k(const uint8_t* block, Parts& parts) {
  // high bits[32], quarters[64], scales[12] (6 bits each), d.
  const uint8_t* scales = block + 96;
  for (int i = 0; i < 16; ++i) {
    const int low = scales[i % 8] >> (i / 8 * 4) & 15;
    const int high = scales[8 + i % 4] >> (i / 4 * 2) & 3;
    // Two words of low nibbles (sub-blocks 0-3 with 8-11, 4-7 with 12-15), one of high pairs.
    parts.scales[i % 8] |= low << (i / 8 * 4);
    parts.scales[8 + i % 4] |= high << (i / 4 * 2);
  }
  std::memcpy(parts.halves, block + 108, 2);
  for (int k = 0; k < 256; ++k) {
    const int low = block[32 + k / 128 * 32 + k % 32] >> (k / 32 % 4 * 2) & 3;
    const int high = block[k % 32] >> (k / 32) & 1;
    parts.q[k] = static_cast<uint8_t>(low | high << 2);
  }
}

void read_q45_k(const uint8_t* block, const uint8_t* high, const uint8_t* low, Parts& parts) {
  // d, dmin, scales[12] (8 scales and 8 minima, 6 bits each), then the bits of the numbers.
  std::memcpy(parts.halves, block, 4);
  std::memcpy(parts.scales, block + 4, 12);
  for (int k = 0; k < 256; ++k) {
    parts.q[k] = low[k / 64 * 32 + k % 32] >> (k / 32 % 2 * 4) & 15;
    if (high) parts.q[k] |= (high[k % 32] >> (k / 32) & 1) << 4;
  }
}

void read_q6_k(const uint8_t* block, Parts& parts) {
  // low nibbles[128], high pairs[64], scales[16] (8 bits, signed), d.
  std::memcpy(parts.scales, block + 192, 16);
  std::memcpy(parts.halves, block + 208, 2);
  for (int k = 0; k < 256; ++k) {
    const int half = k / 128, within = k % 128, column = within % 32;
    const int low = block[64 * half + within % 64] >> (within / 64 * 4) & 15;
    const int high = block[128 + 32 * half + column] >> (within / 32 * 2) & 3;
    parts.q[k] = static_cast<uint8_t>(low | high << 4);
  }
}

void read_block(WeightType type, const uint8_t* block, Parts& parts) {
  switch (type) {
    case WeightType::Q4_0:
    case WeightType::IQ4_NL:
      std::memcpy(parts.halves, block, 2);
      return nibbles(block + 2, parts.q);
    case WeightType::Q4_1:
      std::memcpy(parts.halves, block, 4);
      return nibbles(block + 4, parts.q);
    case WeightType::Q5_0:
      std::memcpy(parts.halves, block, 2);
      nibbles(block + 6, parts.q);
      return fifth_bits(block + 2, parts.q);
    case WeightType::Q5_1:
      std::memcpy(parts.halves, block, 4);
      nibbles(block + 8, parts.q);
      return fifth_bits(block + 4, parts.q);
    case WeightType::Q8_0:
      std::memcpy(parts.halves, block, 2);
      std::memcpy(parts.q, block + 2, 32);
      return;
    case WeightType::Q2_K: return read_q2_k(block, parts);
    case WeightType::Q3_K: return read_q3_k(block, parts);
    case WeightType::Q4_K: return read_q45_k(block, nullptr, block + 16, parts);
    case WeightType::Q5_K: return read_q45_k(block, block + 16, block + 48, parts);
    case WeightType::Q6_K: return read_q6_k(block, parts);
    default: return;
  }
}

// 32 columns of one row, into its 4 bytes of each vector.
template <int Bits>
void write_planes(const uint8_t* q, int row, uint8_t* target) {
  for (const Piece& piece : Planes<Bits>::kPieces) {
    uint8_t* bytes = target + kVectorBytes * piece.vector + 4 * row;
    for (int byte = 0; byte < 4; ++byte) {
      const int value = q[4 * piece.quad + byte] >> piece.low & ((1 << piece.bits) - 1);
      bytes[byte] |= static_cast<uint8_t>(value << piece.place);
    }
  }
}

void write_planes(int bits, const uint8_t* q, int row, uint8_t* target) {
  switch (bits) {
    case 2: return write_planes<2>(q, row, target);
    case 3: return write_planes<3>(q, row, target);
    case 4: return write_planes<4>(q, row, target);
    case 5: return write_planes<5>(q, row, target);
    case 6: return write_planes<6>(q, row, target);
    case 8: return write_planes<8>(q, row, target);
  }
}

// `chunk` is zeros where nothing has been written.
void write_row(const Layout& layout, int columns, const Parts& parts, int row, uint8_t* chunk) {
  for (int i = 0; i < layout.halves; ++i, chunk += kVectorBytes / 2) {
    std::memcpy(chunk + 2 * row, parts.halves + 2 * i, 2);
  }
  for (int i = 0; i < layout.scale_words; ++i, chunk += kVectorBytes) {
    std::memcpy(chunk + 4 * row, parts.scales + 4 * i, 4);
  }
  for (int first = 0; first < columns; first += 32, chunk += kVectorBytes * layout.bits) {
    write_planes(layout.bits, parts.q + first, row, chunk);
  }
}

void pack_dense(int width, const uint8_t* source, int64_t present, int64_t columns,
                uint8_t* target) {
  for (int64_t k = 0; k < columns; ++k) {
    for (int64_t row = 0; row < present; ++row) {
      std::memcpy(target + (k * kGroupRows + row) * width, source + (row * columns + k) * width,
                  static_cast<size_t>(width));
    }
  }
}

}  // namespace

void pack_group(WeightType type, const uint8_t* source, int64_t rows, int64_t columns,
                int64_t group, uint8_t* target) {
  const BlockShape shape = block_shape(type);
  const int64_t stride = row_bytes(type, columns);
  const int64_t present = std::min<int64_t>(kGroupRows, rows - group * kGroupRows);
  source += group * kGroupRows * stride;
  // Bits of quantised rows are put in one after another; dense rows fill what they have.
  if (shape.columns > 1 || present < kGroupRows) {
    std::memset(target, 0, static_cast<size_t>(group_bytes(type, columns)));
  }
  if (shape.columns == 1) return pack_dense(shape.bytes, source, present, columns, target);
  const Layout layout = layout_of(type);
  for (int64_t block = 0; block < columns / shape.columns; ++block) {
    uint8_t* chunk = target + block * kGroupRows * shape.bytes;
    for (int row = 0; row < present; ++row) {
      Parts parts;
      read_block(type, source + row * stride + block * shape.bytes, parts);
      write_row(layout, shape.columns, parts, row, chunk);
    }
  }
}

}  // namespace ostro
