// What loops over 64 bytes at a time need. Also for C++.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "multiversioned.h"

// Not for Swift, which has no such types.
#if !defined(__swift__)

typedef uint8_t Block __attribute__((ext_vector_type(64)));
typedef bool Flags __attribute__((ext_vector_type(64)));

// Where a comparison of blocks holds: one bit a lane, the first lane lowest. A macro, because a function would not be
// compiled for the processor of its caller.
#define BITS(lanes)                                         \
  ({                                                        \
    Flags flags_ = __builtin_convertvector((lanes), Flags); \
    uint64_t bits_;                                         \
    memcpy(&bits_, &flags_, sizeof bits_);                  \
    bits_;                                                  \
  })

#endif
