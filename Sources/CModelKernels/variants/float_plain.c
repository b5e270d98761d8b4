#define REAL_IS_FLOAT 1
#include "kernel_table.h"

const kernel_table *kernels_float_plain(void) { return &table; }
