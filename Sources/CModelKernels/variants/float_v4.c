#include "target_v4.h"

#define REAL_IS_FLOAT 1
#include "kernel_table.h"

const kernel_table *kernels_float_v4(void) { return &table; }
#include "target_end.h"
