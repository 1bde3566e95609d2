// Which of the compiled instruction sets this processor, under this system, can run.
#pragma once

namespace ostro {

// One value for each entry of ISAS in CMakeLists.txt, the widest last.
enum class Isa { none, avx2, avx512 };

// Asked once, when a context is made. Not by __builtin_cpu_supports: it needs a variable that the
// compiler's runtime fills, and with some runtimes (zig's) it says no to everything.
Isa best_isa();

}  // namespace ostro
