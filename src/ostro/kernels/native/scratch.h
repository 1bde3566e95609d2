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
        : pointer_(&pointer), bytes_(count * static_cast<int64_t>(sizeof(T))) {}

   private:
    friend class Scratch;
    void* pointer_;
    int64_t bytes_;
  };

  Scratch() = default;
  ~Scratch() { std::free(block_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // Memory for all parts at once; false if it is short. What earlier calls reserved is gone.
  bool reserve(std::initializer_list<Part> parts);

 private:
  char* block_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace ostro
