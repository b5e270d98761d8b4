#include "COneDNN.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// dnnl_status_t and dnnl_dim_t of dnnl_types.h; 0 is success.
typedef int (*sgemm_function)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *,
                              int64_t, float, float *, int64_t);
typedef int (*bgemm_function)(char, char, int64_t, int64_t, int64_t, float, const uint16_t *, int64_t,
                              const uint16_t *, int64_t, float, float *, int64_t);
// The head of dnnl_version_t.
typedef struct {
  int major, minor, patch;
} library_version;

static sgemm_function sgemm;
static bgemm_function bgemm;
static int (*threads)(void);
static char description[32] = "not loaded";
static const char *problem;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  // The worker pool shares out the work. The oneDNN of Debian asks OpenMP, which reads this when it loads.
  setenv("OMP_NUM_THREADS", "1", 1);
  static const char *const names[] = {"libdnnl.so.2", "libdnnl.so.3", "libdnnl.so"};
  void *library = NULL;
  for (unsigned i = 0; i < sizeof names / sizeof *names && !library; i++) {
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  }
  if (!library) {
    problem = "oneDNN is not installed. Install it with: sudo apt-get install libdnnl-dev";
    return;
  }
  threads = (int (*)(void))dlsym(library, "omp_get_max_threads");
  sgemm = (sgemm_function)dlsym(library, "dnnl_sgemm");
  bgemm = (bgemm_function)dlsym(library, "dnnl_gemm_bf16bf16f32");
  const library_version *(*version)(void) = (const library_version *(*)(void))dlsym(library, "dnnl_version");
  if (version) {
    const library_version *v = version();
    snprintf(description, sizeof description, "%d.%d.%d", v->major, v->minor, v->patch);
  }
  if (!sgemm) problem = "The installed oneDNN has no dnnl_sgemm. Install version 2 or 3: sudo apt-get install libdnnl-dev";
}

const char *pkm_onednn_load(void) {
  pthread_once(&once, load);
  return problem;
}

int pkm_onednn_threads(void) { return threads ? threads() : 0; }
const char *pkm_onednn_description(void) { return description; }

bool pkm_onednn_has_bf16(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return !pkm_onednn_load() && bgemm && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

// oneDNN refuses only shapes that no caller may pass.
static void check(int status) {
  if (status) abort();
}

void pkm_onednn_sgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                  const void *b, long ldb, double beta, void *c, long ldc) {
  // Up to version 3.11 the generated code of the float GEMM keeps its buffer on the heap and points the stack pointer
  // at it (https://github.com/uxlfoundation/oneDNN/issues/4845). The frame of a signal handler would overwrite the
  // memory before that buffer, so signals are blocked, which takes 0.4 microseconds per call.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int status = sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, (float)alpha, a, lda, b, ldb,
                     (float)beta, c, ldc);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  check(status);
}

void pkm_onednn_bgemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                  const void *b, long ldb, double beta, void *c, long ldc) {
  check(bgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, (float)alpha, a, lda, b, ldb, (float)beta, c,
              ldc));
}
