#include "target_v3.h"

#define REAL_IS_FLOAT 0
#include "kernel_table.h"

const kernel_table *kernels_double_v3(void) { return &table; }
#include "target_end.h"
