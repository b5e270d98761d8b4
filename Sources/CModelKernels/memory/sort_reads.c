#include "CModelKernels.h"

long pkm_sort_reads(long reads, long slots, const int32_t *slot_of_read, int32_t *counts, int32_t *touched,
                    int32_t *starts, int32_t *order) {
  for (long r = 0; r < reads; r++) counts[slot_of_read[r]]++;
  long found = 0;
  int32_t next = 0;
  for (long s = 0; s < slots; s++) {
    if (!counts[s]) continue;
    touched[found] = (int32_t)s;
    starts[found++] = next;
    // From here on counts[s] is the position of the next read of s.
    int32_t count = counts[s];
    counts[s] = next;
    next += count;
  }
  starts[found] = next;
  for (long r = 0; r < reads; r++) order[counts[slot_of_read[r]]++] = (int32_t)r;
  for (long i = 0; i < found; i++) counts[touched[i]] = 0;
  return found;
}
