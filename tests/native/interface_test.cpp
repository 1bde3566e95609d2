#include <cstring>
#include <initializer_list>

#include "check.h"
#include "isa.h"
#include "ostro.h"

namespace ostro::test {

void interface_tests(Suite& suite) {
  suite.test("the library tells the interface's version", [&] { CHECK(ostro_abi() == OSTRO_ABI); });

  if (best_isa() == Isa::none) return;  // No kernels for this processor: no context either.

  suite.test("a context comes and goes, with any number of threads", [&] {
    for (int threads : {-1, 0, 1, 64}) {
      ostro_context* context = ostro_context_create(threads, "");
      CHECK(context != nullptr);
      ostro_context_destroy(context);
    }
    ostro_context_destroy(nullptr);
  });

  suite.test("a context uses the widest instruction set, or the one that is named", [&] {
    const char* widest = best_isa() == Isa::avx512 ? "avx512" : "avx2";
    for (const char* wanted : {"", widest, "avx2"}) {
      ostro_context* context = ostro_context_create(1, wanted);
      CHECK(context != nullptr);
      if (context == nullptr) continue;
      CHECK(std::strcmp(ostro_instruction_set(context), *wanted ? wanted : widest) == 0);
      ostro_context_destroy(context);
    }
    CHECK(ostro_context_create(1, "unheard of") == nullptr);
  });
}

}  // namespace ostro::test
