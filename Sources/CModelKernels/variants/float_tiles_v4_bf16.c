// What float_amx.c compiles, with emulated tiles, for tests.
#include "variants/target_v4_bf16.h"

#define HAS_TILES 1
#define TILES_ARE_EMULATED 1
#define REAL_IS_FLOAT 1
#include "kernel_table.h"

const pkm_kernel_table *pkm_kernels_float_tiles_v4_bf16(void) { return &table; }
#include "variants/target_end.h"
