// oneDNN's matrix products, loaded when the process runs, so that a machine without the library still runs everything.
#pragma once
#include <stdbool.h>

// Loads the library once; later calls return the first result. NULL on success, else a sentence that says what is
// wrong and how to mend it.
const char *pkm_onednn_load(void);

// The library's version, "2.6.3".
const char *pkm_onednn_description(void);

// Threads that the library uses by itself: 1, because ours share out the work. 0 where it does not say.
int pkm_onednn_threads(void);

// Whether products of bfloat16 run at the speed of the processor's own instructions.
bool pkm_onednn_has_bf16(void);

// C = alpha * op(A) * op(B) + beta * C in float, row-major, on the calling thread, where signals are
// held back meanwhile. op(A) is m x k, op(B) is k x n.
void pkm_onednn_sgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                  const void *b, long ldb, double beta, void *c, long ldc);
// The same with A and B in bfloat16, summed in float.
void pkm_onednn_bgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                  const void *b, long ldb, double beta, void *c, long ldc);
