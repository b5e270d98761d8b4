// Splitting text into pre-tokens, and merging the short ones.
#pragma once
#include "merging.h"
#include "pre_tokens.h"

// Asks for the memory at an address that is read soon.
static inline void pkm_prefetch(const void *address) { __builtin_prefetch(address); }
