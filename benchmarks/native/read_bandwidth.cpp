// How fast the memory can be read: the bound on decoding. Prints bytes per second.
//
//     read_bandwidth THREADS MEBIBYTES
//
// Every thread reads a part of its own from front to back, which is the fastest way where it was
// tried: prefetchers follow one stream a core best. Huge pages are asked for, since with small ones
// the processor waits for its page tables. Medians, since the best pass of many is luck.
#include <sys/mman.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

constexpr int kPasses = 9;

// Several accumulators, so that the loads alone decide how long it takes.
uint64_t read_all(const uint64_t* words, size_t count) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i < count; i += 8) {
    for (size_t lane = 0; lane < 8; ++lane) sums[lane] ^= words[i + lane];
  }
  uint64_t all = 0;
  for (uint64_t sum : sums) all ^= sum;
  return all;
}

double seconds_now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int threads = std::max(1, std::atoi(argv[1]));
  const size_t part = (static_cast<size_t>(std::atoi(argv[2])) << 20) / threads / 64 * 64;
  const size_t bytes = part * threads;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || part == 0) return 1;
#ifdef MADV_HUGEPAGE
  madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  std::memset(memory, 1, bytes);

  std::vector<uint64_t> sums(threads);
  std::vector<double> times;
  double start = 0;
  std::barrier together(threads, [&]() noexcept {
    const double now = seconds_now();
    if (start > 0) times.push_back(now - start);
    start = now;
  });
  std::vector<std::thread> team;
  for (int t = 0; t < threads; ++t) {
    team.emplace_back([&, t] {
      const auto* words = reinterpret_cast<const uint64_t*>(static_cast<char*>(memory) + t * part);
      for (int pass = 0; pass < kPasses; ++pass) {
        together.arrive_and_wait();
        sums[t] += read_all(words, part / sizeof(uint64_t));
      }
      together.arrive_and_wait();
    });
  }
  for (std::thread& thread : team) thread.join();

  std::sort(times.begin(), times.end());
  std::printf("%.0f\n", static_cast<double>(bytes) / times[times.size() / 2]);
  // The sums leave the program, so that no compiler may drop the loads.
  return sums[0] == 42 ? 3 : 0;
}
