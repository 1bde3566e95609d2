// What the processor's integer units can do: products of 8-bit numbers summed up, with operands in
// registers. Prints one line for each chain of instructions that this processor has: its name and
// operations per second, a multiplication and an addition counting as two.
//
//     int8_peak THREADS
//
// The chains are written in assembly, since compilers move the sums of such loops to the stack.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr int64_t kRounds = 4'000'000;
constexpr int kPasses = 15;

// Eight independent sums hide the latency of an addition; eight more registers hold the rest. What
// the registers hold does not matter: integers take the same time whatever they are.
constexpr int kSums = 8;
#define EIGHT(step) step(0) step(1) step(2) step(3) step(4) step(5) step(6) step(7)
#define REGISTERS                                                                               \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",      \
      "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define CHAIN(name, step)                              \
  void name() {                                        \
    for (int64_t i = 0; i < kRounds; ++i) {            \
      asm volatile(EIGHT(step)::: REGISTERS);          \
    }                                                  \
    asm volatile("vzeroupper" ::: REGISTERS);          \
  }

// Products in pairs, pairs in fours, added to 32-bit sums: nothing overflows, three steps.
#define PLAIN(n)                              \
  "vpmaddubsw %%ymm8, %%ymm9, %%ymm10\n\t"    \
  "vpmaddwd %%ymm10, %%ymm11, %%ymm10\n\t"    \
  "vpaddd %%ymm10, %%ymm" #n ", %%ymm" #n "\n\t"
// Products in pairs added to 16-bit sums, which must be widened now and then: two steps.
#define NARROW(n)                             \
  "vpmaddubsw %%ymm8, %%ymm9, %%ymm10\n\t"    \
  "vpaddw %%ymm10, %%ymm" #n ", %%ymm" #n "\n\t"
// As ostro's kernels for AVX2 do it where weights have 4 bits: eight products in pairs fit a 16-bit
// sum, which is then widened and added.
#define PAIRS(into) "vpmaddubsw %%ymm8, %%ymm9, %%ymm" #into "\n\t"
#define ADD(a, b, into) "vpaddw %%ymm" #a ", %%ymm" #b ", %%ymm" #into "\n\t"
#define RUN(n, a, b)                                                                 \
  PAIRS(a) PAIRS(b) ADD(a, b, a) PAIRS(b) ADD(a, b, a) PAIRS(b) ADD(a, b, a)         \
  PAIRS(b) ADD(a, b, a) PAIRS(b) ADD(a, b, a) PAIRS(b) ADD(a, b, a) PAIRS(b) ADD(a, b, a) \
  "vpmaddwd %%ymm" #a ", %%ymm8, %%ymm" #a "\n\tvpaddd %%ymm" #a ", %%ymm" #n ", %%ymm" #n "\n\t"
#define RUN_OF_EIGHT(n) RUN(n, 10, 11)
// Products in fours added to 32-bit sums in one step.
#define VNNI_256(n) "vpdpbusd %%ymm8, %%ymm9, %%ymm" #n "\n\t"
#define VNNI_512(n) "vpdpbusd %%zmm8, %%zmm9, %%zmm" #n "\n\t"

CHAIN(plain, PLAIN)
CHAIN(narrow, NARROW)
CHAIN(run_of_eight, RUN_OF_EIGHT)
CHAIN(vnni_256, VNNI_256)
CHAIN(vnni_512, VNNI_512)

double seconds_now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

double seconds(void (*chain)(), int threads) {
  std::vector<std::thread> team;
  const double start = seconds_now();
  for (int t = 0; t < threads; ++t) team.emplace_back(chain);
  for (std::thread& thread : team) thread.join();
  return seconds_now() - start;
}

// The best pass counts: a peak is what nothing disturbed.
void measure(const char* name, void (*chain)(), int bytes, int threads, int products = 1) {
  double best = 1e9;
  for (int pass = 0; pass < kPasses; ++pass) best = std::min(best, seconds(chain, threads));
  const double operations = 2.0 * bytes * products * kSums * kRounds * threads;
  std::printf("%s %.0f\n", name, operations / best);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int threads = std::max(1, std::atoi(argv[1]));
  if (!__builtin_cpu_supports("avx2")) return 0;
  measure("maddubs+madd+add32", plain, 32, threads);
  measure("maddubs+add16", narrow, 32, threads);
  measure("8*(maddubs+add16)+madd+add32", run_of_eight, 32, threads, 8);
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl")) {
    measure("vpdpbusd-256", vnni_256, 32, threads);
    measure("vpdpbusd-512", vnni_512, 64, threads);
  }
  return 0;
}
