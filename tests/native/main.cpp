// The native code's own tests as one program without Python, made to run under sanitizers:
// `make sanitize`. An argument runs only the tests whose name contains it.
#include <unistd.h>

#include "check.h"

namespace ostro::test {

// One function a file, each adding its tests.
void interface_tests(Suite& suite);
void isa_tests(Suite& suite);
void kernels_tests(Suite& suite);
void thread_pool_tests(Suite& suite);

}  // namespace ostro::test

namespace {

constexpr unsigned kMostSeconds = 300;  // A hang is a failure, told by SIGALRM.

}  // namespace

int main(int count, char** arguments) {
  alarm(kMostSeconds);
  ostro::test::Suite suite(count > 1 ? arguments[1] : "");
  ostro::test::interface_tests(suite);
  ostro::test::isa_tests(suite);
  ostro::test::kernels_tests(suite);
  ostro::test::thread_pool_tests(suite);
  std::printf("native: %d passed, %d failed\n", suite.passed(), suite.failed());
  return suite.failed() == 0 && suite.passed() > 0 ? 0 : 1;
}
