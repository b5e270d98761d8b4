// The inner loops of the model, in float and in double from one source: training runs the float kernels, and the
// gradient checks run the same code in double.
//
// Names. Every function, type and constant that leaves this target has the prefix `pkm_` or `PKM_`; the members of
// `pkm_kernel_table` have none, because the table is their namespace. GEMM variants are named as in BLAS: `nn`, `nt`
// and `tn` say which operands are transposed.
//
// Conventions. `real` is float or double, passed as `void`. Matrices are row-major; `stride` and `ld` are the distances
// between rows in elements. An operand is an input of a matmul: a matrix of bfloat16 (16 bits per element) if `bf16`,
// else of reals. A kernel that computes an operand of reals overwrites the matrix that it is computed from: the two
// pointers are the same. Kernels run on the calling thread, over the rows or columns that they are given; sharing out
// the work is up to the caller. No kernel allocates.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Dropout with a fixed mask: element `index` is kept where its hash under `key` is at least `threshold` (of 2^32), and
// then multiplied by `scale`. A threshold of 0 keeps everything.
typedef struct {
  uint64_t key;
  uint32_t threshold;
  double scale;
} pkm_dropout_mask;

enum {
  // Columns of a packed panel of op(B): see pack_panels_nt.
  PKM_PANEL_COLUMNS = 64,
  // The most columns of A in a call of gemm_tn, and the groups of its buffer.
  PKM_GEMM_TN_COLUMNS = 96,
  PKM_GEMM_TN_BUFFER_GROUPS = 16 * (384 * 6 + 2)
};

// One update of Adam: p -= rate * m / (sqrt(v) + epsilon), where `rate` includes the bias correction. The gradient is
// multiplied by gradient_scale first.
typedef struct {
  double rate, beta1, beta2, epsilon, gradient_scale;
  // The key of the stochastic rounding of parameters that exist in bfloat16 alone.
  uint64_t rounding_key;
} pkm_adam_step;

// Where the results of a matmul will be written: the address of the first, and the distances between rows and between
// columns in bytes.
typedef struct {
  void *start;
  long row_bytes, element_bytes;
} pkm_output_tile;

// One head of one sequence: operands `queries`, `keys` and `values`, length x width, all at one stride, the operand
// `out` and the log-sum-exp of each row of scale * scores, a real.
typedef struct {
  long length, width;
  double scale;
  const void *queries, *keys, *values;
  long stride;
  void *out;
  long out_stride;
  void *log_sum_exp;
} pkm_attention_head;

// The losses of one row, in nats.
typedef struct {
  double nll, smoothed;
} pkm_row_loss;

// Of some logits x of a row: the largest, the sum of exp(x - largest), the sum, and the logit of the target, or 0 if it
// is not among them.
typedef struct {
  double largest, exponentials, total, at_target;
} pkm_logit_sums;

typedef struct {
  // --- elements
  // y += x
  void (*add)(long count, const void *x, void *y);
  // x *= factor
  void (*scale)(long count, double factor, void *x);
  // x = value
  void (*fill)(long count, double value, void *x);
  // The sum of x^2, in double.
  double (*squared_norm)(long count, const void *x);
  // Applies the mask in place; `first` is the index of x[0].
  void (*dropout)(long count, uint64_t first, pkm_dropout_mask mask, void *x);
  // operand out[r, c] = x[r, c] + bias[c]
  void (*add_bias)(long rows, long columns, const void *bias, const void *x, long stride, void *out, long out_stride,
                   bool bf16);
  // out = x, past the caches: for results that are not read soon.
  void (*copy_rows_nontemporal)(long rows, long columns, const void *x, long stride, void *out, long out_stride);
  // bf16 out = x, rounded to the nearest, ties to even; and back.
  void (*round_to_bf16)(long rows, long columns, const void *x, long stride, void *out, long out_stride);
  void (*widen_bf16)(long rows, long columns, const void *x, long stride, void *out, long out_stride);
  // out = residual + dropout(branch + bias), with residual and out at one stride; `bias` may be NULL; `first` is the
  // mask index of element 0. out may be branch.
  void (*residual)(long rows, long columns, const void *residual, const void *branch, long branch_stride,
                   const void *bias, uint64_t first, pkm_dropout_mask mask, void *out, long stride);
  // operands saved = h + bias and out = GELU(h + bias), the exact form x * Phi(x); `saved` may be NULL. Either may be
  // h.
  void (*bias_gelu)(long rows, long columns, const void *bias, const void *h, long stride, void *saved, void *out,
                    long out_stride, bool bf16);
  // operands recomputed = GELU(h) and h = d * GELU'(h)
  void (*gelu_backward)(long rows, long columns, void *h, const void *d, long d_stride, void *recomputed, long stride,
                        bool bf16);
  // out[c] += factor * sum over rows of operand x[r, c]
  void (*column_sum)(long rows, long columns, double factor, const void *x, long stride, void *out, bool bf16);

  // --- layer normalization, per row; `y` and `bf16`, the result as reals and as bfloat16, may be NULL
  void (*layer_norm)(long rows, long columns, const void *x, const void *gamma, const void *beta, double epsilon,
                     void *y, void *bf16, void *mean, void *inverse_deviation);
  // dx = (or, if `adds`, +=) the gradient, which `bf16`, if not NULL, takes rounded; d_gamma and d_beta = the sums over
  // these rows.
  void (*layer_norm_backward)(long rows, long columns, const void *x, const void *dy, const void *gamma,
                              const void *mean, const void *inverse_deviation, int adds, void *dx, void *bf16,
                              void *d_gamma, void *d_beta);

  // --- batch normalization, per column
  // The mean and the biased variance of each column.
  void (*column_statistics)(long rows, long columns, const void *x, long stride, void *mean, void *variance);
  // y = gamma * (x - mean) / sqrt(variance + epsilon) + beta
  void (*batch_norm)(long rows, long columns, const void *x, long stride, const void *mean, const void *variance,
                     const void *gamma, const void *beta, double epsilon, void *y);
  // dx from dy; d_gamma and d_beta +=. If `uses_batch`, the statistics are functions of x, else constants. `sums` is
  // scratch for 2 * columns reals. dx may be dy.
  void (*batch_norm_backward)(long rows, long columns, const void *x, const void *dy, long stride, const void *mean,
                              const void *variance, const void *gamma, double epsilon, int uses_batch, void *dx,
                              void *d_gamma, void *d_beta, void *sums);

  // --- attention Replaces the scores of some query rows by probabilities: row i attends to the columns 0...first_row +
  // i of `columns`, and the rest is zero.
  void (*causal_softmax)(long rows, long first_row, long columns, double scale, void *scores, long stride);

  // Causal attention: computes `out` and `log_sum_exp` of the head. Scores exist for 64 queries and keys at a time (32
  // in double); softmax and all sums are reals even if `bf16`. `scratch` holds causal_attention_scratch groups of 4
  // bytes (8 in double), aligned to a cache line.
  void (*causal_attention)(pkm_attention_head head, void *scratch, bool bf16);
  long (*causal_attention_scratch)(long length, long width);
  // The gradients of queries, keys and values, at the stride of those, from `d_out`, the gradient of `out` at its
  // stride.
  void (*causal_attention_backward)(pkm_attention_head head, const void *d_out, void *d_queries, void *d_keys,
                                    void *d_values, void *scratch, bool bf16);
  long (*causal_attention_backward_scratch)(long length, long width);
  // Attention of one new token over the KV cache: its queries of some heads, side by side, over the keys and values of
  // `seen` tokens, operands of rows `stride` apart in which each head has `width` numbers. `next` are similar rows that
  // will be read after these. `scratch` holds kv_attention_scratch reals, aligned to a cache line.
  void (*kv_attention)(long seen, long heads, long width, double scale, const void *queries, const void *keys,
                       const void *values, const void *next, long stride, void *scratch, void *out, bool bf16);
  long (*kv_attention_scratch)(long seen, long heads, long width);

  // --- embedding
  // out[r] = row tokens[r] of table + row (first_row + r) % length of positions
  void (*embed)(long rows, long columns, long first_row, long length, const int32_t *tokens, const void *table,
                const void *positions, void *out);
  // table[tokens[r]] += d[r], for a strip of columns
  void (*embed_backward)(long rows, long columns, const int32_t *tokens, const void *d, long stride, void *table);

  // --- cross-entropy over logits + bias with uniform label smoothing epsilon / V
  // The losses of one row, and operand `gradient` = p - q. The logits are overwritten. If target < 0, everything is 0.
  pkm_row_loss (*cross_entropy)(long columns, const void *bias, int32_t target, double smoothing, void *logits,
                                void *gradient, bool bf16);
  // What such losses need of some columns of the logits, the first of which has the number `first_column`.
  void (*logit_sums)(long rows, long columns, long first_column, const void *bias, const int32_t *targets,
                     const void *logits, long stride, pkm_logit_sums *out, long out_stride);
  // out = exp(factor * (x - top)); returns the sum.
  double (*exponentials)(long count, double top, double factor, const void *x, void *out);

  // --- product-key memory The top_k best of first[i] + second[j], i, j < n, for each row; the scores of a row are
  // `first` and `second` at the given stride. Stores slots = i * n + j and softmax weights, best first, and the sums in
  // `scores` unless it is NULL. Of equal sums the lower slot comes first. NaN ranks as -infinity.
  void (*product_key_top_k)(long rows, long n, long top_k, const void *first, const void *second, long stride,
                            int32_t *slots, void *weights, void *scores, long out_stride, void *scratch);
  // Bytes of its scratch.
  long (*product_key_top_k_scratch)(long n, long top_k);
  // The same from queries and sub-keys: the result equals that of product_key_top_k over all scores in float, each
  // summed in one order, to the bit, though most scores are not computed. A row of queries has two halves, a multiple
  // of 16 numbers each; `keys` are two lists of n x half, `packed` two results of pack_subkeys. top_k <= 64. NULL
  // unless the processor has dot products of bytes, which tell which scores matter.
  void (*search_product_keys)(long rows, long n, long top_k, long half, const void *queries, long stride,
                              const void *keys, const void *packed, int32_t *slots, void *weights, long out_stride,
                              void *scratch);
  // Bytes of its scratch.
  long (*search_product_keys_scratch)(long n, long top_k, long half);
  // Packs one list of n x half sub-keys for search_product_keys; and the bytes of the result, a multiple of 64.
  void (*pack_subkeys)(long n, long half, const void *keys, void *packed);
  long (*packed_subkeys_size)(long n, long half);
  // y[r] = sum over reads m of weights[r, m] * operand values[slots[r, m]]
  void (*weighted_sum)(long rows, long reads, long columns, const int32_t *slots, const void *weights,
                       const void *values, void *y, bool bf16);
  // For the slots slot_ids[0..<count] and the reads order[starts[s]..<starts[s + 1]] of each (read r belongs to row r /
  // reads): d_weights[r] = <dy[row], operand value>.
  void (*weighted_sum_backward)(long count, long reads, long columns, const int32_t *slot_ids, const int32_t *starts,
                                const int32_t *order, const void *values, const void *dy, void *d_weights, bool bf16);
  // The sum of the squares of the gradient rows of such slots, each the sum of weights[r] * dy[row] over its reads.
  double (*value_gradient_norm)(long count, long reads, long columns, const int32_t *starts, const int32_t *order,
                                const void *weights, const void *dy);
  // Softmax backward over the top_k weights, scattered to the dense gradients of the 2 * n scores of each row, an
  // operand; the gradients of all other scores become 0. `buffer` holds 2 * n reals.
  void (*product_key_top_k_backward)(long rows, long n, long top_k, const int32_t *slots, const void *weights,
                                     const void *d_weights, long in_stride, void *d_scores, long stride, void *buffer,
                                     bool bf16);
  // mass[slot] += weight, in double
  void (*accumulate_mass)(long count, const int32_t *slots, const void *weights, double *mass);

  // --- optimizer
  // `bf16`, if not NULL, takes the new parameter, rounded.
  void (*adam)(long count, pkm_adam_step step, const void *gradient, void *parameter, void *m, void *v, void *bf16);
  // The same for the rows slot_ids[0..<count] of three tables, with the gradient rows of value_gradient_norm.
  // Parameters in bfloat16 are rounded stochastically, so that small updates count on average.
  void (*adam_rows)(long count, long reads, long columns, pkm_adam_step step, const int32_t *slot_ids,
                    const int32_t *starts, const int32_t *order, const void *weights, const void *dy, void *parameter,
                    void *m, void *v, bool bf16);

  // --- matmul The generic GEMM: C = alpha * op(A) * op(B) + beta * C, op(A) m x k, op(B) k x n; and the same with A
  // and B in bfloat16.
  void (*gemm)(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
               const void *b, long ldb, double beta, void *c, long ldc);
  void (*gemm_bf16)(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                    const void *b, long ldb, double beta, void *c, long ldc);
  // c = a * B^T for one row a of k operands; B, n x k, is read once and not packed.
  void (*gemv)(long n, long k, const void *a, const void *b, long ldb, void *c, bool bf16);
  // The same for few rows of A, 2 <= m <= 128 / sizeof(real), which are packed first: the groups first..<last of each
  // row, of k or, if `bf16`, (k + 1) / 2. `packed` holds that many groups per row, for m rounded up to 64 or 128 bytes
  // of reals.
  void (*pack_skinny)(long m, long k, long first, long last, const void *a, long lda, void *packed, bool bf16);
  // `is_first` unless the rows of B before these were multiplied just now, which prefetched these. `tile` is where the
  // caller will write the results of its epilogue.
  void (*gemm_skinny)(long m, long n, long k, const void *packed, const void *b, long ldb, bool is_first, void *c,
                      long ldc, pkm_output_tile tile, bool bf16);
  // The same for many rows; all NULL unless the kernels use AVX-512 or tiles. op(B), k x n, is packed first, in panels
  // of PKM_PANEL_COLUMNS columns, k * PKM_PANEL_COLUMNS operands each; columns that are missing in the last panel are
  // zeros. In bfloat16 k is even. With `rounds`, which takes dot products or tiles of bfloat16, B is reals that are
  // rounded to bfloat16. pack_panels_nt takes B transposed, n x k, and packs the panels first..<last, ...
  void (*pack_panels_nt)(long first, long last, long n, long k, const void *b, long ldb, void *packed, bool rounds,
                         bool bf16);
  // ... pack_panels_nn takes B as k x n and packs the groups first..<last of all panels: rows of B or, if `bf16`, pairs
  // of rows.
  void (*pack_panels_nn)(long first, long last, long n, long k, const void *b, long ldb, void *packed, bool rounds,
                         bool bf16);
  // C = alpha * A * B for n columns from the start of `packed`. Prefetches `tile` unless its start is NULL.
  void (*gemm_panels)(long m, long n, long k, double alpha, const void *a, long lda, const void *packed, void *c,
                      long ldc, pkm_output_tile tile, bool bf16);
  // C = (or, if `adds`, +=) alpha * A^T * B, A k x m, for m <= PKM_GEMM_TN_COLUMNS and n columns from the start of
  // `packed`; sums += alpha * the column sums of A, unless `sums` is NULL. `buffer` holds PKM_GEMM_TN_BUFFER_GROUPS
  // floats.
  void (*gemm_tn)(long m, long n, long k, double alpha, const void *a, long lda, const void *packed, bool adds, void *c,
                  long ldc, void *sums, void *buffer, bool bf16);
} pkm_kernel_table;

// What kernels are compiled for: any processor, AVX2 with FMA, AVX-512 (the levels of the x86-64 psABI), AVX-512 with
// dot products of bfloat16 and of bytes, and that with AMX, Intel's matrix unit.
typedef enum {
  PKM_INSTRUCTION_SET_PLAIN,
  PKM_INSTRUCTION_SET_V3,
  PKM_INSTRUCTION_SET_V4,
  PKM_INSTRUCTION_SET_V4_BF16,
  PKM_INSTRUCTION_SET_AMX,
  // The kernels for AMX with tiles that are emulated, for any processor and for AVX-512 with dot products. They are
  // slow and for tests; no processor's best.
  PKM_INSTRUCTION_SET_TILES_PLAIN,
  PKM_INSTRUCTION_SET_TILES_V4_BF16
} pkm_instruction_set;

// The best instruction set of the processor.
pkm_instruction_set pkm_best_instruction_set(void);

// Whether the processor has AMX, Intel's matrix unit, for bfloat16, and whether the operating system lets this process
// use it, which the first call asks for.
typedef enum { PKM_AMX_MISSING, PKM_AMX_REFUSED, PKM_AMX_USABLE } pkm_amx_state;
pkm_amx_state pkm_amx_bf16(void);

// Whether the processor is Intel's, whose dot products of bfloat16 (vdpbf16ps) run at half the rate of its float32
// multiply-adds.
bool pkm_has_slow_bf16_dots(void);

// The kernels of an instruction set, or of the best one of the processor if it lacks that one.
const pkm_kernel_table *pkm_kernels_float(pkm_instruction_set wanted);
const pkm_kernel_table *pkm_kernels_double(pkm_instruction_set wanted);

// The name that the processor gives itself, such as "AMD EPYC 9554 64-Core Processor", or "unknown".
void pkm_processor_name(char name[49]);

// Runs `rounds` rounds of multiply-adds in float, of dot products of bfloat16 or of bytes, or of products of tiles of
// bfloat16 by AMX, with all operands in registers or, if `loads`, in the first-level cache. Returns the number of
// operations; 0 if the processor has no such instructions. Adds the results to `sum`, so that the work is not optimized
// away.
double pkm_ceiling_multiply_add(long rounds, double *sum);
double pkm_ceiling_bf16(long rounds, double *sum);
double pkm_ceiling_bytes(long rounds, double *sum);
double pkm_ceiling_tiles(long rounds, bool loads, double *sum);

// Counting sort of reads by slot, stable. `counts` holds slots + 1 zeros before and after. Stores the touched slots in
// ascending order, the first read of each in `starts` (touched + 1 entries) and the reads in `order`. Returns the
// number of touched slots.
long pkm_sort_reads(long reads, long slots, const int32_t *slot_of_read, int32_t *counts, int32_t *touched,
                    int32_t *starts, int32_t *order);
