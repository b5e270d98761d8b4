#include "variants/target_amx.h"

#define REAL_IS_FLOAT 1
#include "kernel_table.h"

const pkm_kernel_table *pkm_kernels_float_amx(void) { return &table; }
#include "variants/target_end.h"
