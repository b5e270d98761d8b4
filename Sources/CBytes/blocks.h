// What loops over 64 bytes at a time need.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "multiversioned.h"

typedef uint8_t Block __attribute__((ext_vector_type(64)));
typedef bool Flags __attribute__((ext_vector_type(64)));
