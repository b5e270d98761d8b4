// Adam (Kingma & Ba, 2015), dense and for the rows of a value table that were read. As in the code of Lample et al.,
// 2019, epsilon is added outside of the bias correction.
#pragma once
#include "CModelKernels.h"
#include "elementwise/random.h"
#include "memory/value_gradient.h"
#include "operands.h"

INLINE void adam_elements(long count, pkm_adam_step step, const real *restrict g, real *restrict p, real *restrict m,
                          real *restrict v) {
  FUSED
  real rate = (real)step.rate, epsilon = (real)step.epsilon, scale = (real)step.gradient_scale;
  real beta1 = (real)step.beta1, beta2 = (real)step.beta2;
  real rest1 = (real)(1 - step.beta1), rest2 = (real)(1 - step.beta2);
  for (long i = 0; i < count; i++) {
    real d = g[i] * scale;
    m[i] = beta1 * m[i] + rest1 * d;
    v[i] = beta2 * v[i] + rest2 * d * d;
    p[i] -= rate * m[i] / (real_sqrt(v[i]) + epsilon);
  }
}

KERNEL void adam(long count, pkm_adam_step step, const void *gradient, void *pparameter, void *m, void *v,
                 void *pbf16) {
  real *parameter = pparameter;
  uint16_t *bf16 = pbf16;
  // 1024 elements at a time, which stay in the first-level cache between the update and the rounding.
  for (long first = 0; first < count; first += 1024) {
    long width = count - first < 1024 ? count - first : 1024;
    adam_elements(width, step, (const real *)gradient + first, parameter + first, (real *)m + first, (real *)v + first);
    for (long i = first; bf16 && i < first + width; i++) bf16[i] = to_bf16(parameter[i]);
  }
}

// Columns of a row in bfloat16: the update in reals, then stochastic rounding by a hash of step, row and column.
INLINE void adam_bf16(long width, pkm_adam_step step, uint64_t key, long column, const real *g, uint16_t *p, real *m,
                      real *v) {
  real wide[GRADIENT_COLUMNS];
  for (long c = 0; c < width; c++) wide[c] = from_bf16(p[c]);
  adam_elements(width, step, g, wide, m, v);
  for (long c = 0; c < width; c++) {
    p[c] = to_bf16_stochastically(wide[c], hash_element(key, (uint32_t)(column + c)));
  }
}

KERNEL void adam_rows(long count, long reads, long columns, pkm_adam_step step, const int32_t *slot_ids,
                      const int32_t *starts, const int32_t *order, const void *weights, const void *dy,
                      void *pparameter, void *pm, void *pv, bool bf16) {
  for (long s = 0; s < count; s++) {
    uint64_t key = step.rounding_key ^ (uint64_t)slot_ids[s] * 0x9e3779b97f4a7c15u;
    for (long first = 0; first < columns; first += GRADIENT_COLUMNS) {
      long width = columns - first < GRADIENT_COLUMNS ? columns - first : GRADIENT_COLUMNS;
      long at = slot_ids[s] * columns + first;
      real gradient[GRADIENT_COLUMNS], *m = (real *)pm + at, *v = (real *)pv + at;
      value_gradient_columns(width, starts[s + 1] - starts[s], order + starts[s], reads, columns, weights,
                             (const real *)dy + first, gradient);
      if (bf16) {
        adam_bf16(width, step, key, first, gradient, (uint16_t *)pparameter + at, m, v);
      } else {
        adam_elements(width, step, gradient, (real *)pparameter + at, m, v);
      }
    }
  }
}
