#include "isa.h"

#include <fstream>
#include <initializer_list>
#include <string>

#include "check.h"

namespace ostro::test {
namespace {

// The first processor's flags as Linux tells them, with a blank on both sides of each.
std::string flags_of_linux() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("flags", 0) == 0) return line + " ";
  }
  return "";
}

}  // namespace

void isa_tests(Suite& suite) {
  suite.test("the processor's instruction sets are those that the system tells", [&] {
    const std::string flags = flags_of_linux();
    if (flags.empty()) return;
    auto has_all = [&](std::initializer_list<const char*> names) {
      for (const char* name : names) {
        if (flags.find(std::string(" ") + name + " ") == std::string::npos) return false;
      }
      return true;
    };
    const bool narrow = has_all({"avx2", "fma", "f16c"});
    const bool wide = narrow && has_all({"avx512f", "avx512dq", "avx512bw", "avx512vl",
                                         "avx512_vnni"});
    CHECK(best_isa() == (wide ? Isa::avx512 : narrow ? Isa::avx2 : Isa::none));
  });
}

}  // namespace ostro::test
