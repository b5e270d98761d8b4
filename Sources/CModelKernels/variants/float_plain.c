#define REAL_IS_FLOAT 1
#include "kernel_table.h"

const pkm_kernel_table *pkm_kernels_float_plain(void) { return &table; }
