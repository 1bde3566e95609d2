/* The C interface of ostro's native kernels.
 *
 * Everything is a plain number, a raw pointer or a plain struct; nothing here knows of torch or
 * Python. Pointers stay the caller's: the library keeps none after a call returns, and allocates
 * only in ostro_context_create. Calls on one context must not overlap.
 */
#ifndef OSTRO_H
#define OSTRO_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define OSTRO_API __declspec(dllexport)
#else
#define OSTRO_API __attribute__((visibility("default")))
#endif

/* Raised with every change of this file that a caller must know of. */
#define OSTRO_ABI 1
OSTRO_API int32_t ostro_abi(void);

/* Threads and scratch memory. NULL if memory is short. */
typedef struct ostro_context ostro_context;
OSTRO_API ostro_context* ostro_context_create(int32_t threads);
OSTRO_API void ostro_context_destroy(ostro_context* context);

#ifdef __cplusplus
}
#endif
#endif
