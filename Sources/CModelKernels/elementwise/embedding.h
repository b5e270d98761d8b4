// Token and position embedding.
#pragma once
#include "real.h"

KERNEL void embed(long rows, long columns, long first_row, long length, const int32_t *tokens, const void *ptable,
                  const void *ppositions, void *pout) {
  const real *table = ptable, *positions = ppositions;
  real *out = pout;
  for (long r = 0; r < rows; r++, out += columns) {
    const real *token = table + tokens[r] * columns, *position = positions + (first_row + r) % length * columns;
    for (long c = 0; c < columns; c++) out[c] = token[c] + position[c];
  }
}

KERNEL void embed_backward(long rows, long columns, const int32_t *tokens, const void *pd, long stride, void *ptable) {
  const real *d = pd;
  real *table = ptable;
  for (long r = 0; r < rows; r++, d += stride) {
    real *row = table + tokens[r] * stride;
    for (long c = 0; c < columns; c++) row[c] += d[c];
  }
}
