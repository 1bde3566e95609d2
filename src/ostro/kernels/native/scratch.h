// Memory for what a call computes on the way: one block, kept from call to call.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <initializer_list>

namespace ostro {

class Scratch {
 public:
  Scratch() = default;
  ~Scratch() { std::free(block_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // Begin a call that will take these many bytes, part by part; false if memory is short. What
  // earlier calls took is gone.
  bool begin(std::initializer_list<int64_t> parts) {
    int64_t bytes = 0;
    for (int64_t part : parts) bytes += rounded(part);
    used_ = 0;
    if (bytes <= size_) return true;
    std::free(block_);
    block_ = static_cast<char*>(std::aligned_alloc(kAlignment, static_cast<size_t>(bytes)));
    size_ = block_ ? bytes : 0;
    return block_ != nullptr;
  }

  template <class T>
  T* take(int64_t bytes) {
    char* part = block_ + used_;
    used_ += rounded(bytes);
    return reinterpret_cast<T*>(part);
  }

 private:
  static constexpr int64_t kAlignment = 64;
  static int64_t rounded(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

  char* block_ = nullptr;
  int64_t size_ = 0, used_ = 0;
};

}  // namespace ostro
