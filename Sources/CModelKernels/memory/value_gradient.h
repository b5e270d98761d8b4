// The sparse gradient of a value table. The gradient rows of slots are computed where they are used and never stored.
#pragma once
#include "elementwise/elements.h"
#include "lanes.h"

// `width` columns of the gradient row of one slot: the sum of weight * dy over its reads, in the order of the reads.
// The sums of 8 registers of columns stay in registers over all reads.
INLINE void value_gradient_columns(long width, long count, const int32_t *order, long reads, long columns,
                                   const real *weights, const real *dy, real *gradient) {
  FUSED
  enum { TOGETHER = 8 * LANES };
  long first = 0;
  for (; first + TOGETHER <= width; first += TOGETHER) {
    lanes sums[8] = {{0}};
    for (long at = 0; at < count; at++) {
      const real *d = dy + order[at] / reads * columns + first;
      real weight = weights[order[at]];
      for (int v = 0; v < 8; v++) {
        lanes numbers;
        memcpy(&numbers, d + v * LANES, sizeof numbers);
        sums[v] += weight * numbers;
      }
    }
    memcpy(gradient + first, sums, sizeof sums);
  }
  if (first == width) return;
  for (long c = first; c < width; c++) gradient[c] = 0;
  for (long at = 0; at < count; at++) {
    const real *d = dy + order[at] / reads * columns;
    real weight = weights[order[at]];
    for (long c = first; c < width; c++) gradient[c] += weight * d[c];
  }
}

// Columns of a gradient row that are computed at a time: they stay in the first-level cache.
enum { GRADIENT_COLUMNS = 512 };

KERNEL double value_gradient_norm(long count, long reads, long columns, const int32_t *starts, const int32_t *order,
                                  const void *weights, const void *dy) {
  double sum = 0;
  for (long s = 0; s < count; s++) {
    for (long first = 0; first < columns; first += GRADIENT_COLUMNS) {
      long width = columns - first < GRADIENT_COLUMNS ? columns - first : GRADIENT_COLUMNS;
      real gradient[GRADIENT_COLUMNS];
      value_gradient_columns(width, starts[s + 1] - starts[s], order + starts[s], reads, columns, weights,
                             (const real *)dy + first, gradient);
      sum += squared_norm(width, gradient);
    }
  }
  return sum;
}
