#define REAL_IS_FLOAT 1
#include "kernels.h"

const kernel_table *kernels_float_plain(void) { return &table; }
