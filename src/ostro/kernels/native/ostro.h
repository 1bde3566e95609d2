/* The C interface of ostro's native kernels.
 *
 * Everything is a plain number, a raw pointer or a plain struct; nothing here knows of torch or
 * Python. Pointers stay the caller's: the library keeps none after a call returns. Calls on one
 * context must not overlap. Activations are float32 rows, one after another.
 *
 * Letters in comments: T rows of a step, D model width, H query heads, N key/value heads, d head
 * width, E experts, K experts a row uses (of a step: the most that any of its rows uses), F
 * feed-forward width, V vocabulary.
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
#define OSTRO_ABI 8
OSTRO_API int32_t ostro_abi(void);

/* ---- context: threads, scratch memory, and the instruction set ---- */

typedef struct ostro_context ostro_context;
/* `instruction_set` is "avx2", "avx512" or "" for the best that this processor has. NULL if memory
 * is short or the processor lacks the set. Scratch memory grows to what the largest step needed. */
OSTRO_API ostro_context* ostro_context_create(int32_t threads, const char* instruction_set);
OSTRO_API void ostro_context_destroy(ostro_context* context);
OSTRO_API const char* ostro_instruction_set(const ostro_context* context);

/* ---- weights ---- */

/* Widths of a model that layers take: D and F are multiples of 8, d of 16; D is at most 32768, d at
 * most 256, E at most 64. Rows of a quantised matrix are whole blocks. */

/* A packed matrix [rows, columns]; `type` is GGUF's number. data NULL: not in memory yet. */
typedef struct {
  const void* data;
  int32_t type;
  int32_t rows;
  int32_t columns;
} ostro_matrix;

/* Bytes of a packed matrix; 0 for a type that is not computed here. */
OSTRO_API int64_t ostro_packed_bytes(int32_t type, int64_t rows, int64_t columns);
/* From rows of GGUF blocks to the packed form. */
OSTRO_API void ostro_pack(ostro_context* context, int32_t type, const void* source, int64_t rows,
                          int64_t columns, void* target);
/* Rows of a packed matrix as floats: the embedding. out [count, columns]. */
OSTRO_API void ostro_read_rows(ostro_context* context, const ostro_matrix* matrix,
                               const int64_t* rows, int64_t count, float* out);

enum {
  OSTRO_QUANTISED = 0,
  OSTRO_QUANTISE_UNKNOWN_TYPE = 1,
  OSTRO_QUANTISE_PARTIAL_BLOCK = 2, /* columns is not a multiple of the type's block */
  OSTRO_QUANTISE_UNSTORABLE = 3     /* NaN, infinite, or beyond 65504: target is unspecified */
};
/* Rows of float32 into rows of GGUF blocks. `type` is one of Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K,
 * Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL. The bytes do not depend on the number of threads. Returns one of
 * the above. */
OSTRO_API int32_t ostro_quantise(ostro_context* context, int32_t type, const float* source,
                                 uint8_t* target, int64_t rows, int64_t columns);
/* A checksum of 64 bits; not cryptographic. */
OSTRO_API uint64_t ostro_checksum(ostro_context* context, const void* data, int64_t bytes);

/* y [T, rows] = x [T, columns] times the matrix transposed. */
OSTRO_API int32_t ostro_linear(ostro_context* context, const ostro_matrix* matrix, int64_t count,
                               const float* x, float* y);

/* ---- what single rows of a step want ---- */

/* What an adapter adds to a matrix [rows, columns]: scale * B A. Rank 0: nothing. */
typedef struct {
  const float* a; /* [rank, columns] */
  const float* b; /* [rank, rows]: B transposed. */
  int32_t rank;
  float scale;
} ostro_lora;

/* Which adapter holds for which row of a step; -1: none. */
typedef struct {
  const int32_t* adapter_of_row; /* [T] */
  /* What each adapter adds in this layer: to query, key, value and output; or to gate, up and down
   * of each expert in turn. */
  const ostro_lora* const* loras;
  int32_t most_rank; /* No rank is larger. */
} ostro_adapters;

/* What somebody wants of a layer's router. Expert e is bit e of a set. Every forced expert is
 * allowed and there are at most top_k of them; at least top_k are allowed. */
typedef struct {
  uint64_t allowed;     /* Experts that may be chosen. */
  uint64_t forced;      /* Experts that are chosen whatever their logits. */
  const float* factors; /* [E] What weights are multiplied by, after the softmax; NULL: nothing. */
  int32_t top_k;
} ostro_rule;

/* Which rule holds for which row of a step; rows whose rule is -1 are routed as the layer says.
 * `slots` is K of the step, no less than any row's top_k. */
typedef struct {
  const int32_t* rule_of_row; /* [T] */
  const ostro_rule* rules;
  int32_t slots;
} ostro_steering;

/* ---- the two halves of a layer, and the head ---- */

typedef struct {
  ostro_matrix query, key, value, output;
  const float* norm; /* [D] */
  float eps;
  int32_t heads, kv_heads, head_dim;
  int32_t window; /* A row sees so many tokens, itself included; 0: all. */
} ostro_attention;

/* One layer's pages: keys [P, N, d, 32], values [P, N, 32, d] of type F32, F16, BF16 or Q8_0; the
 * last has a float scale for every slot and head, [P, N, 32]. */
typedef struct {
  void* keys;
  void* values;
  float* key_scales;
  float* value_scales;
  int32_t type;
} ostro_pages;

/* Whose rows the T rows of a step are. Rows [row_starts[s], row_starts[s + 1]) are the newest
 * tokens of sequence s, which has lengths[s] tokens with them and lives in tables[s]. */
typedef struct {
  int64_t rows;
  int64_t sequences;
  const int64_t* row_starts;
  const int64_t* lengths;
  const int64_t* const* tables;
  const float* cosines; /* [T, d / 2] */
  const float* sines;
} ostro_step;

/* x += attention(norm(x)), keys and values of the step written to the pages. 0, or -1 if memory
 * for scratch is short. `adapters` is NULL where no row has one. */
OSTRO_API int32_t ostro_attention_layer(ostro_context* context, const ostro_attention* layer,
                                        const ostro_step* step, const ostro_pages* pages,
                                        const ostro_adapters* adapters, float* x);

typedef struct {
  ostro_matrix gate, up, down;
} ostro_expert;

typedef struct {
  const float* norm;     /* [D] */
  const void* router;    /* packed F32 [E, D]; NULL in a dense layer, which has one expert */
  const ostro_expert* experts;
  float eps;
  int32_t dim, ffn_dim, num_experts, top_k;
  int32_t precise; /* Rows for gate and up in two parts of 8 bits, see Precision in forms.h. */
} ostro_experts;

/* x += sum over k of weight_k * expert_k(norm(x)). Writes the chosen experts [T, K] and their
 * weights, where these are not NULL; a slot that a row does not use has expert -1 and weight 0. If
 * an expert that is needed has no data, nothing is computed: missing[e] is set to 1 for each and
 * their number is returned. -1 if memory is short. `steering` is NULL where nobody steers, `adapters`
 * where no row has one. */
OSTRO_API int32_t ostro_experts_layer(ostro_context* context, const ostro_experts* layer,
                                      int64_t rows, const ostro_steering* steering,
                                      const ostro_adapters* adapters, float* x, int32_t* chosen,
                                      float* weights, uint8_t* missing);

/* The experts [T, K] that a layer would choose for x. -1 if memory is short. */
OSTRO_API int32_t ostro_route(ostro_context* context, const ostro_experts* layer, int64_t rows,
                              const ostro_steering* steering, const float* x, int32_t* chosen);

/* logits [T, V] = head(norm(x)). */
OSTRO_API int32_t ostro_head(ostro_context* context, const float* norm, float eps,
                             const ostro_matrix* head, int64_t rows, const float* x, float* logits);

/* Cosines and sines [T, pairs] of position times frequency. */
OSTRO_API void ostro_rope_angles(ostro_context* context, int64_t rows, const int64_t* positions,
                                 int64_t pairs, const float* frequencies, float* cosines,
                                 float* sines);

/* ---- what sampling wants of one row of logits ---- */

/* Where the largest is (the first, of equal ones), and log(sum(e^(logit / temperature))), which is
 * NaN if a logit is not finite. -1 if memory is short. */
OSTRO_API int32_t ostro_summarise(ostro_context* context, int64_t count, const float* logits,
                                  float temperature, int64_t* where, double* log_sum);
/* The `wanted` largest of finite logits, largest first, equal ones in their order; `wanted` is at
 * most `count`, which is below 2^32. -1 if memory is short. */
OSTRO_API int32_t ostro_largest(ostro_context* context, int64_t count, const float* logits,
                                int64_t wanted, float* values, int64_t* indices);

#ifdef __cplusplus
}
#endif
#endif
