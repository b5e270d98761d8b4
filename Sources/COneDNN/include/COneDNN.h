// The GEMM of oneDNN, loaded at run time, so that a machine without the library still runs everything.
#pragma once
#include <stdbool.h>

// Loads the library once; later calls return the first result: NULL on success, else a message with the problem and its
// remedy.
const char *pkm_onednn_load(void);

// The version of the library, such as "2.6.3".
const char *pkm_onednn_description(void);

// The threads that the library uses by itself: 1, because the worker pool shares out the work; 0 if the library does
// not say.
int pkm_onednn_threads(void);

// Whether GEMM of bfloat16 uses the bfloat16 instructions of the processor.
bool pkm_onednn_has_bf16(void);

// C = alpha * op(A) * op(B) + beta * C in float, row-major, on the calling thread, with signals blocked meanwhile.
// op(A) is m x k, op(B) is k x n.
void pkm_onednn_sgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                  const void *b, long ldb, double beta, void *c, long ldc);
// The same with A and B in bfloat16, summed in float.
void pkm_onednn_bgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                  const void *b, long ldb, double beta, void *c, long ldc);
