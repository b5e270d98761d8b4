#include "variants/target_v4_bf16.h"

#define REAL_IS_FLOAT 1
#include "kernel_table.h"

const kernel_table *kernels_float_v4_bfloat16(void) { return &table; }
#include "target_end.h"
