// The little that a test program needs: named tests, a check that tells where it failed, a count.
#pragma once

#include <cstdio>
#include <cstring>

namespace ostro::test {

class Suite {
 public:
  // Only tests whose name contains `filter` run.
  explicit Suite(const char* filter) : filter_(filter) {}

  template <class Body>
  void test(const char* name, Body&& body) {
    if (std::strstr(name, filter_) == nullptr) return;
    const int before = failures_;
    std::printf("%s ... ", name);
    std::fflush(stdout);  // So that a hang has a name, and a fork's child does not say it again.
    body();
    ++(failures_ == before ? passed_ : failed_);
    std::printf("%s\n", failures_ == before ? "ok" : "FAILED");
    std::fflush(stdout);
  }

  void check(bool holds, const char* what, const char* file, int line) {
    if (holds) return;
    ++failures_;
    std::printf("\n%s:%d: does not hold: %s\n", file, line, what);
  }

  int failures() const { return failures_; }
  int passed() const { return passed_; }
  int failed() const { return failed_; }

 private:
  const char* filter_;
  int failures_ = 0, passed_ = 0, failed_ = 0;
};

}  // namespace ostro::test

// In any function that has a `suite`. The test goes on, to show all that fails.
#define CHECK(condition) suite.check(static_cast<bool>(condition), #condition, __FILE__, __LINE__)
