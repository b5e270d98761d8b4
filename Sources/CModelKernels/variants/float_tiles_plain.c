// The kernels that use tiles, for any processor: emulated ones, for tests.
#define HAS_TILES 1
#define TILES_ARE_EMULATED 1
#define REAL_IS_FLOAT 1
#include "kernel_table.h"

const pkm_kernel_table *pkm_kernels_float_tiles_plain(void) { return &table; }
