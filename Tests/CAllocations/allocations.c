#include "CAllocations.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static _Thread_local bool is_counting;
static atomic_long count;
static atomic_size_t largest;

void count_allocations(bool on) { is_counting = on; }
long counted_allocations(void) { return count; }
size_t largest_allocation(void) { return largest; }
void clear_allocations(void) { count = 0, largest = 0; }

#if defined(__GLIBC__)
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

bool allocations_are_counted(void) { return true; }

static void note(size_t bytes) {
  if (!is_counting) return;
  atomic_fetch_add(&count, 1);
  size_t before = largest;
  while (bytes > before && !atomic_compare_exchange_weak(&largest, &before, bytes)) {
  }
}

void *malloc(size_t bytes) {
  note(bytes);
  return __libc_malloc(bytes);
}

void *calloc(size_t elements, size_t bytes) {
  note(elements * bytes);
  return __libc_calloc(elements, bytes);
}

void *realloc(void *old, size_t bytes) {
  note(bytes);
  return __libc_realloc(old, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
  note(bytes);
  return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **result, size_t alignment, size_t bytes) {
  *result = memalign(alignment, bytes);
  return *result || !bytes ? 0 : ENOMEM;
}
#else
bool allocations_are_counted(void) { return false; }
#endif
