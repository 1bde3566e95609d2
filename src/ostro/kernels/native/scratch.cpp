#include "scratch.h"

#include <cstring>

namespace ostro {
namespace {

constexpr int64_t kAlignment = 64;

int64_t rounded(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

bool Scratch::reserve(std::initializer_list<Part> parts) {
  int64_t bytes = 0;
  for (const Part& part : parts) bytes += rounded(part.bytes_);
  if (bytes > size_) {
    std::free(block_);
    block_ = static_cast<char*>(std::aligned_alloc(kAlignment, static_cast<size_t>(bytes)));
    size_ = block_ ? bytes : 0;
    if (!block_) return false;
  }
  char* memory = block_;
  for (const Part& part : parts) {
    std::memcpy(part.pointer_, &memory, sizeof(memory));  // Whatever it points to.
    memory += rounded(part.bytes_);
  }
  return true;
}

}  // namespace ostro
