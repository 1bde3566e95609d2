// What a call works with: threads, memory for what is computed on the way, and the functions for
// this processor.
#pragma once

#include "compute.h"
#include "scratch.h"
#include "thread_pool.h"

struct ostro_context {
  ostro_context(int threads, const ostro::Compute& functions) : pool(threads), compute(functions) {}

  ostro::ThreadPool pool;
  ostro::Scratch scratch;
  const ostro::Compute& compute;
};
