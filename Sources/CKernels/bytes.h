// Loops over bytes, 64 at a time, compiled for each kind of processor.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "multiversioned.h"

typedef uint8_t Block __attribute__((ext_vector_type(64)));
typedef bool Flags __attribute__((ext_vector_type(64)));
