// Compiles what follows for x86-64 processors with AMX for bfloat16, all of which have what target_v4_bf16.h asks for;
// on other machines for any processor, without tiles.
#if defined(__x86_64__)
#include <immintrin.h>
#define HAS_AVX512 1
#define HAS_BF16_DOT 1
#define HAS_BYTE_DOT 1
#define HAS_TILES 1
#pragma clang attribute push(                                                                               \
    __attribute__((target("arch=x86-64-v4,prfchw,avx512bf16,avx512vnni,amx-tile,amx-bf16"))), apply_to = function)
#endif
