// The kernels of the best instruction set that the processor has and that is asked for.
#include "CModelKernels.h"

const kernel_table *kernels_float_plain(void);
const kernel_table *kernels_float_v3(void);
const kernel_table *kernels_float_v4(void);
const kernel_table *kernels_float_v4_bfloat16(void);
const kernel_table *kernels_double_plain(void);
const kernel_table *kernels_double_v3(void);
const kernel_table *kernels_double_v4(void);

instruction_set instruction_set_best(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) {
    bool dots = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
    return dots ? INSTRUCTION_SET_V4_BFLOAT16 : INSTRUCTION_SET_V4;
  }
  if (__builtin_cpu_supports("x86-64-v3")) return INSTRUCTION_SET_V3;
#endif
  return INSTRUCTION_SET_PLAIN;
}

static instruction_set available(instruction_set wanted) {
  instruction_set best = instruction_set_best();
  return wanted < best ? wanted : best;
}

const kernel_table *kernels_float(instruction_set wanted) {
  switch (available(wanted)) {
    case INSTRUCTION_SET_V4_BFLOAT16: return kernels_float_v4_bfloat16();
    case INSTRUCTION_SET_V4: return kernels_float_v4();
    case INSTRUCTION_SET_V3: return kernels_float_v3();
    default: return kernels_float_plain();
  }
}

const kernel_table *kernels_double(instruction_set wanted) {
  switch (available(wanted)) {
    case INSTRUCTION_SET_V4_BFLOAT16:
    case INSTRUCTION_SET_V4: return kernels_double_v4();
    case INSTRUCTION_SET_V3: return kernels_double_v3();
    default: return kernels_double_plain();
  }
}
