#include "context.h"

#include <new>

#include "ostro.h"

int32_t ostro_abi(void) { return OSTRO_ABI; }

ostro_context* ostro_context_create(int32_t threads) {
  return new (std::nothrow) ostro_context(threads);
}

void ostro_context_destroy(ostro_context* context) { delete context; }
