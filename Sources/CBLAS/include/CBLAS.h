// OpenBLAS, loaded when the process runs rather than when it is linked, because the choice of its kernels has to be
// made before it loads: OpenBLAS goes by the processor's model number, does not know recent AMD processors, and takes
// one with AVX-512 for a Haswell, which halves the speed of its products.
#pragma once
#include <stdbool.h>

// Loads the library once; later calls return the first result. NULL on success, else a sentence that says what is
// wrong and how to mend it. OPENBLAS_CORETYPE in the environment is respected.
const char *pkm_blas_load(void);

// The kernel family in use ("SkylakeX", "Haswell", ...), and the library's own description of itself.
const char *pkm_blas_kernel(void);
const char *pkm_blas_description(void);

// Threads that the library uses by itself: 1, because ours share out the work. 0 where it does not say.
int pkm_blas_threads(void);

// C = alpha * op(A) * op(B) + beta * C, row-major, on the calling thread, in float and in double. op(A) is m x k,
// op(B) is k x n.
void pkm_blas_sgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                const void *b, long ldb, double beta, void *c, long ldc);
void pkm_blas_dgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                const void *b, long ldb, double beta, void *c, long ldc);
