// OpenBLAS, loaded at run time, because its kernels have to be chosen before it loads: OpenBLAS chooses by the model
// number of the processor, does not know recent AMD processors, and treats those with AVX-512 as a Haswell, which
// halves the speed of its GEMM.
#pragma once
#include <stdbool.h>

// Loads the library once; later calls return the first result: NULL on success, else a message with the problem and its
// remedy. OPENBLAS_CORETYPE in the environment takes precedence.
const char *pkm_blas_load(void);

// The kernel family in use ("SkylakeX", "Haswell", ...), and how the library describes itself.
const char *pkm_blas_kernel(void);
const char *pkm_blas_description(void);

// The threads that the library uses by itself: 1, because the worker pool shares out the work; 0 if the library does
// not say.
int pkm_blas_threads(void);

// C = alpha * op(A) * op(B) + beta * C, row-major, on the calling thread, in float and in double. op(A) is m x k,
// op(B) is k x n.
void pkm_blas_sgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                const void *b, long ldb, double beta, void *c, long ldc);
void pkm_blas_dgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                const void *b, long ldb, double beta, void *c, long ldc);
