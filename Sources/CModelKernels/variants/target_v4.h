// Compiles what follows for x86-64 processors with AVX-512 (x86-64-v4); on other machines for any processor.
#if defined(__x86_64__)
#include <immintrin.h>
#define HAS_AVX512 1
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,prfchw"))), apply_to = function)
#endif
