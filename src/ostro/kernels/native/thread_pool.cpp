#include "thread_pool.h"

#include <unistd.h>

#include <cassert>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ostro {
namespace {

// About 50 microseconds: longer than the gap between two calls of one decoding step, shorter than
// what another program on the same core would notice.
constexpr int kSpins = 2000;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) : threads_(threads < 1 ? 1 : threads) {}

ThreadPool::~ThreadPool() {
  if (!workers_) return;
  if (process_ != getpid()) {
    // These threads live in the parent: there is nothing to join.
    static_cast<void>(workers_.release());
    return;
  }
  stopping_ = true;
  ticket_ += uint64_t{1} << kGenerationShift;
  ticket_.notify_all();
  for (std::thread& worker : *workers_) worker.join();
}

void ThreadPool::start_threads() {
  const long process = getpid();
  if (workers_ && process_ == process) return;
  static_cast<void>(workers_.release());  // As in the destructor: after a fork, none to join.
  process_ = process;
  sleepers_ = 0;
  workers_ = std::make_unique<std::vector<std::thread>>();
  for (int thread = 1; thread < threads_; ++thread) {
    workers_->emplace_back([this, thread] { work(thread); });
  }
}

void ThreadPool::run_erased(int64_t count, Function function, void* self) {
  assert(count <= kMostPieces);
  if (threads_ == 1 || count <= 1) {
    for (int64_t index = 0; index < count; ++index) function(self, index, 0);
    return;
  }
  start_threads();
  function_ = function;
  self_ = self;
  finished_.store(0, std::memory_order_relaxed);
  const uint64_t next = generation(ticket_.load(std::memory_order_relaxed)) + 1;
  ticket_.store(next << kGenerationShift | static_cast<uint64_t>(count) << kCountShift);
  if (sleepers_.load() > 0) ticket_.notify_all();
  claim_pieces(0);
  for (int spins = 0; finished_.load(std::memory_order_acquire) != count; ++spins) {
    // With more threads than cores, the one that is waited for may need this core.
    if (spins < kSpins) pause(); else std::this_thread::yield();
  }
}

void ThreadPool::claim_pieces(int thread) {
  for (;;) {
    const uint64_t ticket = ticket_.fetch_add(1, std::memory_order_acq_rel);
    const int64_t count = static_cast<int64_t>(ticket >> kCountShift & kMask24);
    const int64_t index = static_cast<int64_t>(ticket & kMask24);
    // Past the end, the next task may already be written: nothing of it is looked at.
    if (index >= count) return;
    function_(self_, index, thread);
    finished_.fetch_add(1, std::memory_order_acq_rel);
  }
}

void ThreadPool::work(int thread) {
  uint64_t seen = 0;
  while (!stopping_.load(std::memory_order_acquire)) {
    seen = wait_for_change(seen);
    claim_pieces(thread);
  }
}

uint64_t ThreadPool::wait_for_change(uint64_t seen) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  for (int spins = 0; spins < kSpins; ++spins) {
    if (generation(ticket) != seen) return generation(ticket);
    pause();
    ticket = ticket_.load(std::memory_order_acquire);
  }
  sleepers_.fetch_add(1);
  for (ticket = ticket_.load(); generation(ticket) == seen; ticket = ticket_.load()) {
    ticket_.wait(ticket);
  }
  sleepers_.fetch_sub(1);
  return generation(ticket);
}

}  // namespace ostro
