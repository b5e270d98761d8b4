// Loops over 64 bytes at a time, compiled once for each kind of processor.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#define MULTIVERSIONED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MULTIVERSIONED
#endif

namespace pkm {

typedef uint8_t Vector __attribute__((ext_vector_type(64)));
typedef bool Flags __attribute__((ext_vector_type(64)));

// Where a comparison of vectors holds: one bit a lane, the first lane lowest. A macro, because a function would not be
// compiled for the processor of its caller.
#define BITS(lanes)                                                  \
  ({                                                                 \
    pkm::Flags flags = __builtin_convertvector((lanes), pkm::Flags); \
    uint64_t bits;                                                   \
    memcpy(&bits, &flags, sizeof bits);                              \
    bits;                                                            \
  })

}  // namespace pkm
