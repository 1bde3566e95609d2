// Memory for what a call computes on the way: one block, kept from call to call.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <initializer_list>

namespace ostro {

class Scratch {
 public:
  // What a call wants: so many numbers, and the pointer that will be set to them.
  class Part {
   public:
    template <class T>
    Part(T*& pointer, int64_t count)
        : bytes_(rounded(count * static_cast<int64_t>(sizeof(T)))), pointer_(&pointer),
          set_([](void* place, char* memory) {
            *static_cast<T**>(place) = reinterpret_cast<T*>(memory);
          }) {}

   private:
    friend class Scratch;
    int64_t bytes_;
    void* pointer_;
    void (*set_)(void* place, char* memory);
  };

  Scratch() = default;
  ~Scratch() { std::free(block_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // Memory for all parts at once; false if it is short. What earlier calls reserved is gone.
  bool reserve(std::initializer_list<Part> parts) {
    int64_t bytes = 0;
    for (const Part& part : parts) bytes += part.bytes_;
    if (bytes > size_) {
      std::free(block_);
      block_ = static_cast<char*>(std::aligned_alloc(kAlignment, static_cast<size_t>(bytes)));
      size_ = block_ ? bytes : 0;
      if (!block_) return false;
    }
    char* memory = block_;
    for (const Part& part : parts) {
      part.set_(part.pointer_, memory);
      memory += part.bytes_;
    }
    return true;
  }

 private:
  static constexpr int64_t kAlignment = 64;
  static int64_t rounded(int64_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  char* block_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace ostro
