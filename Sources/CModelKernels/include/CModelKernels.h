// The inner loops of the model, in float and in double from one source each: training runs the float kernels, and the
// gradient checks run the very same code in double.
//
// Conventions. `real` is float or double, passed as `void`; matrices are row-major, `stride` is the distance between
// rows in elements. An operand is a matrix as products take it: bfloat16 in 16 bits with `bf16`, else reals. Where a
// kernel makes an operand of reals, it replaces the matrix that it is made from: both pointers are the same. Kernels run on the calling thread over the rows or columns they are given; sharing out the work is
// the caller's. No kernel allocates.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Random zeroing of elements with a fixed mask: element `index` under `key` is kept where its hash is at least
// `threshold` (of 2^32) and then multiplied by `scale`. A threshold of 0 keeps everything.
typedef struct {
  uint64_t key;
  uint32_t threshold;
  double scale;
} dropout_mask;

enum { PKM_PANEL_COLUMNS = 64, PKM_LEFT_COLUMNS = 96, PKM_LEFT_WORDS = 16 * (384 * 6 + 2) };

// One update of Adam: p -= rate * m / (sqrt(v) + epsilon), where `rate` holds the bias correction. The gradient is
// multiplied by gradient_scale first.
typedef struct {
  double rate, beta1, beta2, epsilon, gradient_scale;
  // Decides the rounding of parameters that are kept in bfloat16 alone.
  uint64_t rounding_key;
} adam_step;

// Where the results of a product will be written: the first one, and the bytes from row to row and from column to column.
typedef struct {
  void *start;
  long row, element;
} output_tile;

// Per row: log-sum-exp based losses in nats.
typedef struct {
  double nll, smoothed;
} row_loss;

// Of some of the logits x of a row: the largest, the sum of exp(x - largest), the sum, and the one of the target, 0 where
// it is not among them.
typedef struct {
  double largest, exponentials, total, at_target;
} logit_sums;

typedef struct {
  // --- elements
  // y += x
  void (*add)(long count, const void *x, void *y);
  // x *= factor
  void (*multiply)(long count, double factor, void *x);
  // x = value
  void (*fill)(long count, double value, void *x);
  // sum of x^2, in double
  double (*squared_norm)(long count, const void *x);
  // Applies the mask in place; `first` is the index of x[0].
  void (*dropout)(long count, uint64_t first, dropout_mask mask, void *x);
  // operand out[r, c] = x[r, c] + bias[c]
  void (*add_bias)(long rows, long columns, const void *bias, const void *x, long stride, void *out, long out_stride,
                   bool bf16);
  // out = x, which nobody reads soon: it does not stay in the caches
  void (*write_rows)(long rows, long columns, const void *x, long stride, void *out, long out_stride);
  // bf16 out = x, rounded to the nearest, ties to even; and back
  void (*to_operand)(long rows, long columns, const void *x, long stride, void *out, long out_stride);
  void (*from_operand)(long rows, long columns, const void *x, long stride, void *out, long out_stride);
  // out = residual + dropout(branch + bias), residual and out at one stride; `bias` may be NULL; `first` is the mask index of
  // element 0. out may be branch.
  void (*residual)(long rows, long columns, const void *residual, const void *branch, long branch_stride,
                   const void *bias, uint64_t first, dropout_mask mask, void *out, long stride);
  // operands kept = h + bias, out = GELU(h + bias), exact form x * Phi(x); `kept` may be NULL. Either may be h.
  void (*bias_gelu)(long rows, long columns, const void *bias, const void *h, long stride, void *kept, void *out,
                    long out_stride, bool bf16);
  // operands again = GELU(h) and h = d * GELU'(h)
  void (*gelu_backward)(long rows, long columns, void *h, const void *d, long d_stride, void *again, long stride,
                        bool bf16);
  // out[c] += factor * sum over rows of operand x[r, c]
  void (*column_sum)(long rows, long columns, double factor, const void *x, long stride, void *out, bool bf16);

  // --- layer normalization, per row; `y` and `bf16`, the result as reals and as bfloat16, may be NULL
  void (*layer_norm)(long rows, long columns, const void *x, const void *gamma, const void *beta, double epsilon,
                     void *y, void *bf16, void *mean, void *inverse_deviation);
  // dx (= or, with `adds`, +=; `bf16` takes the same rounded or is NULL) and partial sums d_gamma, d_beta (=) over these rows
  void (*layer_norm_backward)(long rows, long columns, const void *x, const void *dy, const void *gamma,
                              const void *mean, const void *inverse_deviation, int adds, void *dx, void *bf16,
                              void *d_gamma, void *d_beta);

  // --- batch normalization, per column
  // mean and biased variance of each column
  void (*column_statistics)(long rows, long columns, const void *x, long stride, void *mean, void *variance);
  // y = gamma * (x - mean) / sqrt(variance + epsilon) + beta
  void (*batch_norm)(long rows, long columns, const void *x, long stride, const void *mean, const void *variance,
                     const void *gamma, const void *beta, double epsilon, void *y);
  // dx from dy; d_gamma, d_beta +=. With `uses_batch` the statistics are functions of x, else constants. `sums` holds
  // 2 * columns of scratch. dx may be dy.
  void (*batch_norm_backward)(long rows, long columns, const void *x, const void *dy, long stride, const void *mean,
                              const void *variance, const void *gamma, double epsilon, int uses_batch, void *dx,
                              void *d_gamma, void *d_beta, void *sums);

  // --- attention
  // Scores of some query rows -> probabilities, in place: row i attends to the columns 0...first_row + i of `columns`, and
  // behind them is zero.
  void (*causal_softmax)(long rows, long first_row, long columns, double scale, void *scores, long stride);

  // Causal attention of one head: operands `queries`, `keys`, `values`, length x width, all at one stride, and operand `out`.
  // log_sum_exp of each row of scale * scores. Scores exist for 64 queries and keys at a time (32 in double). In bfloat16
  // softmax and all sums are reals. `scratch` takes so many words of 4 bytes (8 in double), on a cache line.
  void (*causal_attention)(long length, long width, double scale, const void *queries, const void *keys,
                           const void *values, long stride, void *out, long out_stride, void *log_sum_exp, void *scratch,
                           bool bf16);
  long (*causal_attention_scratch)(long length, long width);
  // Gradients of the same from that of its result, `d_out`; those of queries, keys and values lie as they do.
  void (*causal_attention_backward)(long length, long width, double scale, const void *queries, const void *keys,
                                    const void *values, long stride, const void *out, const void *d_out,
                                    long out_stride, const void *log_sum_exp, void *d_queries, void *d_keys,
                                    void *d_values, void *scratch, bool bf16);
  long (*causal_attention_backward_scratch)(long length, long width);
  // One token's queries of some heads, side by side, against the keys of `seen` tokens, and the values mixed by softmax: operands
  // in rows `stride` apart, of which each head has `width` numbers. `next` are rows like them that will be read after these.
  // `scratch` takes so many reals, on a cache line.
  void (*attend)(long seen, long heads, long width, double scale, const void *queries, const void *keys,
                 const void *values, const void *next, long stride, void *scratch, void *out, bool bf16);
  long (*attend_scratch)(long seen, long heads, long width);

  // --- embedding
  // out[r] = tokens[r] of table + row (r % length) of positions
  void (*embed)(long rows, long columns, long first_row, long length, const int32_t *tokens, const void *table,
                const void *positions, void *out);
  // table[tokens[r]] += d[r], for a strip of columns
  void (*embed_backward)(long rows, long columns, const int32_t *tokens, const void *d, long stride, void *table);

  // --- cross-entropy over logits + bias with uniform smoothing epsilon / V; operand `gradient` = p - q. The
  // logits are overwritten. target < 0: zeros.
  row_loss (*cross_entropy)(long columns, const void *bias, int32_t target, double smoothing, void *logits,
                            void *gradient, bool bf16);

  // What such losses need of some columns of the logits, the first of which has the number `first_column`.
  void (*logit_sums)(long rows, long columns, long first_column, const void *bias, const int32_t *targets,
                     const void *logits, long stride, logit_sums *out, long out_stride);

  // out = exp(factor * (x - top)); returns the sum
  double (*exponentials)(long count, double top, double factor, const void *x, void *out);

  // --- product-key memory
  // The topk best of first[i] + second[j], i, j < n, for each row: scores per row are `first` and `second` at the
  // given stride. slots = i * n + j and softmax weights, best first. Ties: lower slot. NaN ranks as -infinity.
  // `scores` (may be NULL) takes the sums.
  void (*product_top)(long rows, long n, long topk, const void *first, const void *second, long stride,
                      int32_t *slots, void *weights, void *scores, long out_stride, void *scratch);
  // Bytes of scratch that product_top needs.
  long (*product_top_scratch)(long n, long topk);
  // The same from queries and sub-keys: what product_top makes of all scores in float, each summed in one order, to the bit,
  // though most of them are not computed. A row of queries has two halves, a multiple of 16 each; `keys` are two lists of n x half,
  // `packed` two results of pack_keys. NULL where there are no dot products of bytes to tell which scores matter. topk <= 64.
  void (*search_keys)(long rows, long n, long topk, long half, const void *queries, long stride, const void *keys,
                      const void *packed, int32_t *slots, void *weights, long out_stride, void *scratch);
  // Bytes of scratch that search_keys needs.
  long (*search_scratch)(long n, long topk, long half);
  // One list of n x half sub-keys for search_keys, and the bytes that it takes, a multiple of 64.
  void (*pack_keys)(long n, long half, const void *keys, void *packed);
  long (*packed_keys_size)(long n, long half);
  // y[r] = sum over reads m of weights[r, m] * operand values[slots[r, m]]
  void (*weighted_sum)(long rows, long reads, long columns, const int32_t *slots, const void *weights,
                       const void *values, void *y, bool bf16);
  // For the slots slot_ids[0..<count] and the reads order[starts[s]..<starts[s + 1]] of each (a read r belongs to row
  // r / reads): d_weights[r] = <dy[row], operand value>.
  void (*weighted_sum_backward)(long count, long reads, long columns, const int32_t *slot_ids, const int32_t *starts,
                                const int32_t *order, const void *values, const void *dy, void *d_weights, bool bf16);
  // The sum of the squares of the gradient rows of such slots: sums of weights[r] * dy[row] over their reads.
  double (*value_gradient_norm)(long count, long reads, long columns, const int32_t *starts, const int32_t *order,
                                const void *weights, const void *dy);
  // Softmax backward over the topk and scatter to the dense gradients (zeroed here) of the 2 * n scores of each row, an
  // operand. `space` holds 2 * n reals.
  void (*product_top_backward)(long rows, long n, long topk, const int32_t *slots, const void *weights,
                               const void *d_weights, long in_stride, void *d_scores, long stride, void *space,
                               bool bf16);
  // mass[slot] += weight, in double
  void (*accumulate_mass)(long count, const int32_t *slots, const void *weights, double *mass);

  // --- optimizer
  // `bf16` takes the new parameter, rounded, or is NULL
  void (*adam)(long count, adam_step step, const void *gradient, void *parameter, void *m, void *v, void *bf16);
  // The same for the rows slot_ids[0..<count] of three tables, with gradient rows as of value_gradient_norm, made piece by
  // piece and not stored. A parameter in bfloat16 is rounded up or down by chance, in proportion to what is cut off, so
  // that small updates count on average.
  void (*adam_rows)(long count, long reads, long columns, adam_step step, const int32_t *slot_ids,
                    const int32_t *starts, const int32_t *order, const void *weights, const void *dy, void *parameter,
                    void *m, void *v, bool bf16);

  // --- products
  // C = alpha * op(A) * op(B) + beta * C. op(A) is m x k, op(B) is k x n.
  void (*product)(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                  const void *b, long ldb, double beta, void *c, long ldc);
  // The same with A and B in bfloat16.
  void (*product_bf16)(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a,
                       long lda, const void *b, long ldb, double beta, void *c, long ldc);
  // c = a * B^T for one row a of k operands; B, n x k, is read once and not packed.
  void (*product_row)(long n, long k, const void *a, const void *b, long ldb, void *c, bool bf16);
  // The same for few rows of A, 2 <= m <= 128 / sizeof(real), which are packed first: the words first..<last of each, of
  // k or, with `bf16`, (k + 1) / 2 words. `packed` takes that many words for each row, m rounded up to 64 or 128 bytes.
  // `is_start` unless the rows of B before these were multiplied just now, which fetches these ahead. `place` is where the caller
  // will write what it makes of c.
  void (*pack_few)(long m, long k, long first, long last, const void *a, long lda, void *packed, bool bf16);
  void (*product_few)(long m, long n, long k, const void *packed, const void *b, long ldb, bool is_start, void *c,
                      long ldc, output_tile place, bool bf16);
  // The same for many rows; all NULL where the processor has no AVX-512. op(B), k x n, is packed first, in panels of
  // PKM_PANEL_COLUMNS columns, k * PKM_PANEL_COLUMNS operands each, the columns that are missing in the last one as zeros. In
  // bfloat16 k is even; with `rounds`, for which there have to be dot products of it, B is reals that are rounded to it. Where
  // op transposes, the panels first..<last are written, ...
  void (*pack_panels)(long first, long last, long n, long k, const void *b, long ldb, void *packed, bool rounds,
                      bool bf16);
  // ... else the words first..<last of all panels: rows of B or, with `bf16`, pairs of them.
  void (*pack_panel_words)(long first, long last, long n, long k, const void *b, long ldb, void *packed, bool rounds,
                           bool bf16);
  // C = alpha * A * B for n columns from the start of `packed`. `place`, unless it starts at NULL, is fetched meanwhile.
  void (*multiply_panels)(long m, long n, long k, double alpha, const void *a, long lda, const void *packed, void *c,
                          long ldc, output_tile place, bool bf16);
  // C = (or += with `adds`) alpha * A^T * B, A k x m, for m <= PKM_LEFT_COLUMNS and n columns from the start of `packed`; and
  // sums += alpha * the sums of A's columns, unless `sums` is NULL. `space` takes PKM_LEFT_WORDS floats.
  void (*multiply_columns)(long m, long n, long k, double alpha, const void *a, long lda, const void *packed, bool adds,
                           void *c, long ldc, void *sums, void *space, bool bf16);
} kernel_table;

// What the kernels are compiled for: any processor, AVX2 with FMA, AVX-512 (the levels of the x86-64 psABI), and AVX-512
// with dot products of bfloat16 and of bytes.
typedef enum {
  INSTRUCTION_SET_PLAIN,
  INSTRUCTION_SET_V3,
  INSTRUCTION_SET_V4,
  INSTRUCTION_SET_V4_BFLOAT16
} instruction_set;

// The best that the processor has.
instruction_set instruction_set_best(void);

// The kernels of an instruction set, or of the best one there is where the processor lacks it.
const kernel_table *kernels_float(instruction_set wanted);
const kernel_table *kernels_double(instruction_set wanted);

// Floating-point operations of `rounds` rounds of multiply-adds in float, or of dot products of bfloat16, with all
// operands in registers; 0 where the processor has no such instructions. `sum` is added to, so that the work is not empty.
double ceiling_multiply_add(long rounds, double *sum);
double ceiling_bfloat16(long rounds, double *sum);

// Counting sort of reads by slot, stable. counts: slots + 1 zeros in; out: touched slots ascending, the first read of
// each in `starts` (touched + 1 entries), reads in `order`. Returns the number of touched slots. counts is zeroed again.
long sort_reads(long reads, long slots, const int32_t *slot_of_read, int32_t *counts, int32_t *touched,
                int32_t *starts, int32_t *order);
