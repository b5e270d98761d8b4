// Dispatch: the kernels of the instruction set that is asked for, or of the best one of the processor.
#include "CModelKernels.h"

const pkm_kernel_table *pkm_kernels_float_plain(void);
const pkm_kernel_table *pkm_kernels_float_v3(void);
const pkm_kernel_table *pkm_kernels_float_v4(void);
const pkm_kernel_table *pkm_kernels_float_v4_bf16(void);
const pkm_kernel_table *pkm_kernels_double_plain(void);
const pkm_kernel_table *pkm_kernels_double_v3(void);
const pkm_kernel_table *pkm_kernels_double_v4(void);

pkm_instruction_set pkm_best_instruction_set(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) {
    bool dots = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
    return dots ? PKM_INSTRUCTION_SET_V4_BF16 : PKM_INSTRUCTION_SET_V4;
  }
  if (__builtin_cpu_supports("x86-64-v3")) return PKM_INSTRUCTION_SET_V3;
#endif
  return PKM_INSTRUCTION_SET_PLAIN;
}

static pkm_instruction_set available(pkm_instruction_set wanted) {
  pkm_instruction_set best = pkm_best_instruction_set();
  return wanted < best ? wanted : best;
}

const pkm_kernel_table *pkm_kernels_float(pkm_instruction_set wanted) {
  switch (available(wanted)) {
    case PKM_INSTRUCTION_SET_V4_BF16:
      return pkm_kernels_float_v4_bf16();
    case PKM_INSTRUCTION_SET_V4:
      return pkm_kernels_float_v4();
    case PKM_INSTRUCTION_SET_V3:
      return pkm_kernels_float_v3();
    default:
      return pkm_kernels_float_plain();
  }
}

const pkm_kernel_table *pkm_kernels_double(pkm_instruction_set wanted) {
  switch (available(wanted)) {
    case PKM_INSTRUCTION_SET_V4_BF16:
    case PKM_INSTRUCTION_SET_V4:
      return pkm_kernels_double_v4();
    case PKM_INSTRUCTION_SET_V3:
      return pkm_kernels_double_v3();
    default:
      return pkm_kernels_double_plain();
  }
}
