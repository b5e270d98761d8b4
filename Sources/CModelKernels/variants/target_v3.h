// Compiles what follows for x86-64 processors with AVX2 and FMA (x86-64-v3); on other machines for any processor.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#endif
