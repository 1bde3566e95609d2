#include <initializer_list>

#include "check.h"
#include "ostro.h"

namespace ostro::test {

void interface_tests(Suite& suite) {
  suite.test("the library tells the interface's version", [&] { CHECK(ostro_abi() == OSTRO_ABI); });

  suite.test("a context comes and goes, with any number of threads", [&] {
    for (int threads : {-1, 0, 1, 64}) {
      ostro_context* context = ostro_context_create(threads);
      CHECK(context != nullptr);
      ostro_context_destroy(context);
    }
    ostro_context_destroy(nullptr);
  });
}

}  // namespace ostro::test
