#include "thread_pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "check.h"

namespace ostro::test {
namespace {

constexpr int kThreadCounts[] = {1, 2, 3, 8, 32};  // More than this machine has cores.

// Longer than any thread spins before it sleeps.
void let_them_sleep() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

bool runs_each_index_once(ThreadPool& pool, int64_t count) {
  std::vector<std::atomic<int>> times(static_cast<size_t>(count));
  pool.run(count, [&](int64_t index, int) { ++times[static_cast<size_t>(index)]; });
  for (const auto& n : times) {
    if (n != 1) return false;
  }
  return true;
}

// Every piece waits until all have begun, which takes as many threads as there are pieces; with
// fewer, this never returns, and the alarm tells.
void use_all_threads(ThreadPool& pool) {
  std::atomic<int> begun{0};
  pool.run(pool.size(), [&](int64_t, int) {
    ++begun;
    while (begun != pool.size()) std::this_thread::yield();
  });
}

// What `body` returns in a forked process; false as well if that process dies or hangs.
template <class Body>
bool holds_in_child(Body&& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    _exit(body() ? 0 : 1);
  }
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

void test_pieces(Suite& suite) {
  suite.test("every index runs exactly once", [&] {
    for (int threads : kThreadCounts) {
      ThreadPool pool(threads);
      for (int64_t count : {0, 1, 2, 3, 7, 64, 1000}) CHECK(runs_each_index_once(pool, count));
    }
  });

  suite.test("pieces that run at the same time have different thread numbers", [&] {
    for (int threads : kThreadCounts) {
      ThreadPool pool(threads);
      std::vector<std::atomic<int>> busy(static_cast<size_t>(threads));
      std::atomic<bool> wrong{false};
      pool.run(200, [&](int64_t, int thread) {
        if (thread < 0 || thread >= threads) { wrong = true; return; }
        if (busy[static_cast<size_t>(thread)]++ != 0) wrong = true;
        std::this_thread::yield();
        --busy[static_cast<size_t>(thread)];
      });
      CHECK(!wrong);
    }
  });

  suite.test("all threads take part", [&] {
    for (int threads : kThreadCounts) {
      ThreadPool pool(threads);
      use_all_threads(pool);
      CHECK(pool.size() == threads);
    }
  });

  suite.test("a number of threads below one means one", [&] {
    for (int threads : {0, -5}) {
      ThreadPool pool(threads);
      CHECK(pool.size() == 1);
      CHECK(runs_each_index_once(pool, 5));
    }
  });
}

void test_sequences(Suite& suite) {
  // Plain integers on purpose: the thread sanitizer sees whether one task's writes are ordered
  // before the next one's reads.
  suite.test("what one task wrote the next one reads", [&] {
    ThreadPool pool(3);
    std::vector<int64_t> values(16, 0);
    for (int64_t round = 1; round <= 500; ++round) {
      pool.run(16, [&](int64_t index, int) {
        const size_t other = static_cast<size_t>(15 - index);
        if (index < 8) std::swap(values[static_cast<size_t>(index)], values[other]);
      });
      for (int64_t& value : values) ++value;
    }
    for (int64_t value : values) CHECK(value == 500);
  });

  suite.test("many small tasks", [&] {
    ThreadPool pool(2);
    std::atomic<int64_t> sum{0};
    constexpr int64_t kTasks = 70000;
    for (int64_t task = 0; task < kTasks; ++task) {
      pool.run(2 + task % 3, [&](int64_t index, int) { sum += index + 1; });
    }
    // 1 + 2, then 1 + 2 + 3, then 1 + 2 + 3 + 4, again and again.
    CHECK(sum == kTasks / 3 * 19 + (kTasks % 3 > 0 ? 3 : 0) + (kTasks % 3 > 1 ? 6 : 0));
  });

  suite.test("many small tasks on more threads than cores", [&] {
    ThreadPool pool(8);
    bool right = true;
    for (int task = 0; task < 300; ++task) right = right && runs_each_index_once(pool, 9);
    CHECK(right);
  });

  suite.test("sleeping threads wake up for the next task", [&] {
    ThreadPool pool(4);
    for (int round = 0; round < 10; ++round) {
      use_all_threads(pool);
      let_them_sleep();
    }
    CHECK(runs_each_index_once(pool, 100));
  });
}

void test_endings(Suite& suite) {
  suite.test("a pool ends while its threads sleep, spin, or were never started", [&] {
    for (int round = 0; round < 20; ++round) {
      ThreadPool unused(8);
      ThreadPool spinning(4);
      CHECK(runs_each_index_once(spinning, 10));
    }
    ThreadPool sleeping(8);
    use_all_threads(sleeping);
    let_them_sleep();
  });
}

void test_forks(Suite& suite) {
  suite.test("after a fork, child and parent each have threads of their own", [&] {
    ThreadPool pool(3);
    use_all_threads(pool);
    auto works = [&] {
      use_all_threads(pool);
      return runs_each_index_once(pool, 100);
    };
    CHECK(holds_in_child(works));
    CHECK(works());
    let_them_sleep();
    CHECK(holds_in_child(works));
    CHECK(holds_in_child([&] { return works() && holds_in_child(works) && works(); }));
    CHECK(works());
  });

  suite.test("a child ends a pool that it used, or that it only inherited", [&] {
    auto pool = std::make_unique<ThreadPool>(3);
    use_all_threads(*pool);
    CHECK(holds_in_child([&] { pool.reset(); return true; }));
    CHECK(holds_in_child([&] { use_all_threads(*pool); pool.reset(); return true; }));
    CHECK(runs_each_index_once(*pool, 100));
  });

  suite.test("a fork before the first task", [&] {
    ThreadPool pool(3);
    CHECK(holds_in_child([&] { return runs_each_index_once(pool, 100); }));
    CHECK(runs_each_index_once(pool, 100));
  });
}

// The thread sanitizer takes a child's new thread for the parent's one at the same address ("dup
// thread with used id") and ends the process, so under it nothing is forked.
constexpr bool kMayFork =
#if defined(__SANITIZE_THREAD__)
    false;
#else
    true;
#endif

}  // namespace

void thread_pool_tests(Suite& suite) {
  test_pieces(suite);
  test_sequences(suite);
  test_endings(suite);
  if (kMayFork) test_forks(suite);
}

}  // namespace ostro::test
