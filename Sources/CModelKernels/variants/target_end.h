#if defined(__x86_64__)
#pragma clang attribute pop
#endif
