// Compiles what follows for x86-64 processors with AVX-512 and its dot products of bfloat16 and of bytes; on other
// machines for any processor.
#if defined(__x86_64__)
#include <immintrin.h>
#define HAS_AVX512 1
#define HAS_BF16_DOT 1
#define HAS_BYTE_DOT 1
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,prfchw,avx512bf16,avx512vnni"))), \
                             apply_to = function)
#endif
