// Where the bits of quantised numbers lie in a packed chunk: written by pack.cpp, read by formats.h.
//
// 32 columns of 16 rows are eight quads of four columns; `bits` bits a number fill as many vectors
// of 64 bytes, in which a row has the same 4 bytes everywhere. A quad lies in one piece where that is
// possible, and as few pieces as possible have to be moved when they are read.
#pragma once

#include <array>
#include <cstdint>

namespace ostro {

// Bits [low, low + bits) of a quad's numbers stand in bits [place, place + bits) of a vector's bytes.
struct Piece {
  int quad, low, bits, vector, place;
};

template <int Bits>
struct Planes;

// Four quads share a vector.
template <>
struct Planes<2> {
  static constexpr std::array<Piece, 8> kPieces = {{
      {0, 0, 2, 0, 0}, {1, 0, 2, 1, 0}, {2, 0, 2, 0, 2}, {3, 0, 2, 1, 2},
      {4, 0, 2, 0, 4}, {5, 0, 2, 1, 4}, {6, 0, 2, 0, 6}, {7, 0, 2, 1, 6},
  }};
};

// Two quads a vector, and the last two in the bits that are left.
template <>
struct Planes<3> {
  static constexpr std::array<Piece, 10> kPieces = {{
      {0, 0, 3, 0, 0}, {1, 0, 3, 0, 3}, {2, 0, 3, 1, 0}, {3, 0, 3, 1, 3}, {4, 0, 3, 2, 0},
      {5, 0, 3, 2, 3}, {6, 0, 2, 0, 6}, {7, 0, 2, 1, 6}, {6, 2, 1, 2, 6}, {7, 2, 1, 2, 7},
  }};
};

// Two quads a vector.
template <>
struct Planes<4> {
  static constexpr std::array<Piece, 8> kPieces = {{
      {0, 0, 4, 0, 0}, {1, 0, 4, 1, 0}, {2, 0, 4, 2, 0}, {3, 0, 4, 3, 0},
      {4, 0, 4, 0, 4}, {5, 0, 4, 1, 4}, {6, 0, 4, 2, 4}, {7, 0, 4, 3, 4},
  }};
};

// A quad in each vector, and three in the bits that are left.
template <>
struct Planes<5> {
  static constexpr std::array<Piece, 12> kPieces = {{
      {0, 0, 5, 0, 0}, {1, 0, 5, 1, 0}, {2, 0, 5, 2, 0}, {3, 0, 5, 3, 0},
      {4, 0, 5, 4, 0}, {5, 0, 3, 0, 5}, {6, 0, 3, 1, 5}, {7, 0, 3, 2, 5},
      {5, 3, 2, 3, 5}, {6, 3, 2, 4, 5}, {7, 3, 1, 3, 7}, {7, 4, 1, 4, 7},
  }};
};

// A quad in each vector, and two in the bits that are left.
template <>
struct Planes<6> {
  static constexpr std::array<Piece, 12> kPieces = {{
      {0, 0, 6, 0, 0}, {1, 0, 6, 1, 0}, {2, 0, 6, 2, 0}, {3, 0, 6, 3, 0},
      {4, 0, 6, 4, 0}, {5, 0, 6, 5, 0}, {6, 0, 2, 0, 6}, {6, 2, 2, 1, 6},
      {6, 4, 2, 2, 6}, {7, 0, 2, 3, 6}, {7, 2, 2, 4, 6}, {7, 4, 2, 5, 6},
  }};
};

template <>
struct Planes<8> {
  static constexpr std::array<Piece, 8> kPieces = {{
      {0, 0, 8, 0, 0}, {1, 0, 8, 1, 0}, {2, 0, 8, 2, 0}, {3, 0, 8, 3, 0},
      {4, 0, 8, 4, 0}, {5, 0, 8, 5, 0}, {6, 0, 8, 6, 0}, {7, 0, 8, 7, 0},
  }};
};

// Each bit of each quad has one place, and no place is taken twice.
template <int Bits>
constexpr bool complete() {
  std::array<int, 8> of_quads{};
  std::array<int, Bits> of_vectors{};
  for (const Piece& piece : Planes<Bits>::kPieces) {
    const int mask = (1 << piece.bits) - 1;
    if (of_quads[piece.quad] & mask << piece.low) return false;
    if (of_vectors[piece.vector] & mask << piece.place) return false;
    of_quads[piece.quad] |= mask << piece.low;
    of_vectors[piece.vector] |= mask << piece.place;
  }
  for (int found : of_quads) if (found != (1 << Bits) - 1) return false;
  for (int found : of_vectors) if (found != 255) return false;
  return true;
}
static_assert(complete<2>() && complete<3>() && complete<4>() && complete<5>() && complete<6>() &&
              complete<8>());

}  // namespace ostro
