#include "CBLAS.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

typedef void (*sgemm_function)(int, int, int, int, int, int, float, const float *, int, const float *, int, float,
                               float *, int);
typedef void (*dgemm_function)(int, int, int, int, int, int, double, const double *, int, const double *, int,
                               double, double *, int);

static sgemm_function sgemm;
static dgemm_function dgemm;
static char *(*corename)(void);
static int (*threads)(void);
static char *(*config)(void);
static const char *problem;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose_kernel(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_is("amd") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
  }
#endif
}

static void load(void) {
  choose_kernel();
  // The worker pool shares out the work of every operation.
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  static const char *const names[] = {"libopenblas.so.0", "libopenblasp.so.0", "libopenblas.so", "libblas.so.3"};
  void *library = NULL;
  for (unsigned i = 0; i < sizeof names / sizeof *names && !library; i++) {
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  }
  if (!library) {
    problem = "OpenBLAS is not installed. Install it with: sudo apt-get install libopenblas0-pthread";
    return;
  }
  sgemm = (sgemm_function)dlsym(library, "cblas_sgemm");
  dgemm = (dgemm_function)dlsym(library, "cblas_dgemm");
  corename = (char *(*)(void))dlsym(library, "openblas_get_corename");
  config = (char *(*)(void))dlsym(library, "openblas_get_config");
  threads = (int (*)(void))dlsym(library, "openblas_get_num_threads");
  void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
  if (set_threads) set_threads(1);
  if (!sgemm || !dgemm) {
    problem = "The installed BLAS has no C interface. Install OpenBLAS with: sudo apt-get install "
              "libopenblas0-pthread";
  }
}

const char *pkm_blas_load(void) {
  pthread_once(&once, load);
  return problem;
}

int pkm_blas_threads(void) { return threads ? threads() : 0; }
const char *pkm_blas_kernel(void) { return corename ? corename() : "unknown"; }
const char *pkm_blas_description(void) { return config ? config() : "not OpenBLAS"; }

enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

void pkm_blas_sgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                const void *b, long ldb, double beta, void *c, long ldc) {
  sgemm(ROW_MAJOR, transpose_a ? TRANSPOSE : NO_TRANSPOSE, transpose_b ? TRANSPOSE : NO_TRANSPOSE, (int)m, (int)n,
        (int)k, (float)alpha, a, (int)lda, b, (int)ldb, (float)beta, c, (int)ldc);
}

void pkm_blas_dgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                const void *b, long ldb, double beta, void *c, long ldc) {
  dgemm(ROW_MAJOR, transpose_a ? TRANSPOSE : NO_TRANSPOSE, transpose_b ? TRANSPOSE : NO_TRANSPOSE, (int)m, (int)n,
        (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}
