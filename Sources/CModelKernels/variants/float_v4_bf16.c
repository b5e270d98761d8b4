#include "variants/target_v4_bf16.h"

#define REAL_IS_FLOAT 1
#include "kernel_table.h"

const pkm_kernel_table *pkm_kernels_float_v4_bf16(void) { return &table; }
#include "variants/target_end.h"
