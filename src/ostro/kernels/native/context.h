// What a call works with: the threads, and memory that is reserved once.
#pragma once

#include "thread_pool.h"

struct ostro_context {
  explicit ostro_context(int threads) : pool(threads) {}

  ostro::ThreadPool pool;
};
