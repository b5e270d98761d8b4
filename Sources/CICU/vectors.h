// Loops over 64 bytes at a time, compiled once for each kind of processor.
#pragma once

#include <multiversioned.h>

#include <cstdint>
#include <cstring>

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
