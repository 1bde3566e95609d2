#include "isa.h"

#include <cpuid.h>

#include <cstdint>

// Bit numbers are those of CPUID leaf 1 and leaf 7 and of the register XCR0 in Intel's manual of
// the instruction set (volume 2, CPUID; volume 1, chapter 13).
namespace ostro {
namespace {

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// All zero where the processor has no such leaf.
Registers cpuid(uint32_t leaf) {
  Registers r;
  __get_cpuid_count(leaf, 0, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

constexpr uint32_t bit(int number) { return uint32_t{1} << number; }

constexpr bool has(uint32_t flags, uint32_t wanted) { return (flags & wanted) == wanted; }

// The parts of a thread's state that the system saves when it switches threads.
uint32_t saved_state() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

constexpr uint32_t kFma = bit(12), kXsave = bit(27), kAvx = bit(28), kF16c = bit(29);
constexpr uint32_t kAvx2 = bit(5);
constexpr uint32_t kAvx512 = bit(16) | bit(17) | bit(30) | bit(31);  // F, DQ, BW, VL
constexpr uint32_t kVnni = bit(11);
constexpr uint32_t kSavesYmm = bit(1) | bit(2);
constexpr uint32_t kSavesZmm = kSavesYmm | bit(5) | bit(6) | bit(7);

}  // namespace

Isa best_isa() {
  const Registers one = cpuid(1), seven = cpuid(7);
  if (!has(one.ecx, kFma | kXsave | kAvx | kF16c) || !has(seven.ebx, kAvx2)) return Isa::none;
  const uint32_t saved = saved_state();
  if (!has(saved, kSavesYmm)) return Isa::none;
  const bool wide = has(seven.ebx, kAvx512) && has(seven.ecx, kVnni) && has(saved, kSavesZmm);
  return wide ? Isa::avx512 : Isa::avx2;
}

}  // namespace ostro
