/* Quantising: numbers into GGUF's blocks, on all threads. */
#ifndef OSTRO_QUANTISE_H
#define OSTRO_QUANTISE_H

#include "../ostro.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  OSTRO_QUANTISED = 0,
  OSTRO_QUANTISE_UNKNOWN_TYPE = 1,
  OSTRO_QUANTISE_PARTIAL_BLOCK = 2, /* columns is not a multiple of the type's block */
  OSTRO_QUANTISE_UNSTORABLE = 3     /* NaN, infinite, or beyond 65504: target is unspecified */
};

/* Rows of float32 into rows of blocks, both without gaps. `type` is GGUF's number of one of
 * Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL. The bytes do not depend on
 * the number of threads. Returns one of the above. */
OSTRO_API int32_t ostro_quantise(ostro_context* context, int32_t type, const float* source,
                                 uint8_t* target, int64_t rows, int64_t columns);

#ifdef __cplusplus
}
#endif
#endif
