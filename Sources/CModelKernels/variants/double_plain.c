#define REAL_IS_FLOAT 0
#include "kernel_table.h"

const pkm_kernel_table *pkm_kernels_double_plain(void) { return &table; }
