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

ThreadPool::ThreadPool(int threads)
    : threads_(threads < 1 ? 1 : threads), shares_(std::make_unique<Share[]>(threads_)) {}

ThreadPool::~ThreadPool() {
  if (!workers_) return;
  if (process_ != getpid()) {
    // These threads live in the parent: there is nothing to join.
    static_cast<void>(workers_.release());
    return;
  }
  stopping_ = true;
  ++generation_;
  generation_.notify_all();
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
  for (int64_t share = 0; share < threads_; ++share) {
    const uint64_t next = static_cast<uint64_t>(count * share / threads_);
    const uint64_t end = static_cast<uint64_t>(count * (share + 1) / threads_);
    shares_[share].ticket.store(end << kEndShift | next, std::memory_order_release);
  }
  ++generation_;
  if (sleepers_.load() > 0) generation_.notify_all();
  claim_pieces(0);
  for (int spins = 0; finished_.load(std::memory_order_acquire) != count; ++spins) {
    // With more threads than cores, the one that is waited for may need this core.
    if (spins < kSpins) pause(); else std::this_thread::yield();
  }
}

int64_t ThreadPool::claim_from(int share, int thread) {
  std::atomic<uint64_t>& ticket = shares_[share].ticket;
  for (int64_t done = 0;; ++done) {
    // A look before the claim: an addition would take the line from a thread that is at work.
    uint64_t claimed = ticket.load(std::memory_order_acquire);
    if ((claimed & kNextMask) < claimed >> kEndShift) {
      claimed = ticket.fetch_add(1, std::memory_order_acq_rel);
    }
    // Past the end, the next task may already be written: nothing of it is looked at.
    if ((claimed & kNextMask) >= claimed >> kEndShift) return done;
    function_(self_, static_cast<int64_t>(claimed & kNextMask), thread);
  }
}

// A thread that has pieces to report keeps the task from ending, so what it counts is of one task;
// one that came late and has none may claim from the next task, as one that came early.
void ThreadPool::claim_pieces(int thread) {
  int64_t done = 0;
  for (int i = 0; i < threads_; ++i) done += claim_from((thread + i) % threads_, thread);
  if (done) finished_.fetch_add(done, std::memory_order_acq_rel);
}

void ThreadPool::work(int thread) {
  uint64_t seen = 0;
  while (!stopping_.load(std::memory_order_acquire)) {
    seen = wait_for_change(seen);
    claim_pieces(thread);
  }
}

uint64_t ThreadPool::wait_for_change(uint64_t seen) {
  uint64_t generation = generation_.load(std::memory_order_acquire);
  for (int spins = 0; spins < kSpins; ++spins) {
    if (generation != seen) return generation;
    pause();
    generation = generation_.load(std::memory_order_acquire);
  }
  sleepers_.fetch_add(1);
  while ((generation = generation_.load()) == seen) generation_.wait(generation);
  sleepers_.fetch_sub(1);
  return generation;
}

}  // namespace ostro
