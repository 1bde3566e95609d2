// A checksum for records that ostro wrote itself, at the speed of memory.
#pragma once

#include <cstdint>

#include "thread_pool.h"

namespace ostro {

// Four lanes of multiply-and-rotate over words of 8 bytes in each MiB, the MiBs folded in order, so
// that it does not depend on the number of threads.
uint64_t checksum(ThreadPool& pool, const uint8_t* data, int64_t bytes);

}  // namespace ostro
