// Threads that stay: they start once, spin a moment between tasks, and sleep when nothing comes.
//
// A task is a number of pieces. Every thread has a share of neighbouring pieces, so that it reads
// memory in one stream and claims without touching what others write; whoever has finished its own
// takes from the others', so that a thread that the system took away costs its own piece and no
// more. Pieces never depend on who runs them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace ostro {

class ThreadPool {
 public:
  // The caller works too, so `threads - 1` are started, at the first task.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return threads_; }

  // Call piece(index, thread) for every index in [0, count), and return when all are done.
  // `thread` is below size() and differs between pieces that run at the same time.
  // One caller at a time, at most kMostPieces. A piece must neither throw nor call run().
  template <class Piece>
  void run(int64_t count, Piece&& piece) {
    using Type = std::remove_reference_t<Piece>;
    run_erased(count, [](void* self, int64_t index, int thread) {
      (*static_cast<Type*>(self))(index, thread);
    }, const_cast<void*>(static_cast<const void*>(&piece)));
  }

  static constexpr int64_t kMostPieces = (int64_t{1} << 31) - 1;

 private:
  using Function = void (*)(void* self, int64_t index, int thread);

  void run_erased(int64_t count, Function function, void* self);
  void start_threads();
  void work(int thread);
  int64_t claim_from(int share, int thread);
  void claim_pieces(int thread);
  uint64_t wait_for_change(uint64_t seen);

  // A ticket is end | next, 32 bits each: one atomic addition claims a piece and tells, without a
  // second read, whether it was still there to claim.
  static constexpr int kEndShift = 32;
  static constexpr uint64_t kNextMask = (uint64_t{1} << kEndShift) - 1;
  struct alignas(64) Share {
    std::atomic<uint64_t> ticket{0};
  };

  const int threads_;
  long process_ = 0;  // A fork copies this object but not the threads.
  std::unique_ptr<std::vector<std::thread>> workers_;
  std::unique_ptr<Share[]> shares_;
  Function function_ = nullptr;
  void* self_ = nullptr;

  // Apart from each other, so that waiting does not slow finishing.
  alignas(64) std::atomic<uint64_t> generation_{0};
  alignas(64) std::atomic<int64_t> finished_{0};
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace ostro
