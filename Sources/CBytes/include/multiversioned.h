// Before a function: compiles it for AVX-512, for AVX2 and for any machine; the dynamic linker chooses when the program
// starts.
#pragma once

#if defined(__x86_64__)
#define MULTIVERSIONED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MULTIVERSIONED
#endif
