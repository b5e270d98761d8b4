// Counts what threads of a test allocate. Linked into the tests only, it takes the place of malloc.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// Whether the C library lets itself be replaced.
bool allocations_are_counted(void);
// From now on allocations of the calling thread are counted, or no longer.
void count_allocations(bool on);
// Those counted so far, of all threads, and the bytes of the largest.
long counted_allocations(void);
size_t largest_allocation(void);
void clear_allocations(void);
