// Dispatch: the kernels of the instruction set that is asked for, or of the best one of the processor.
#include "CModelKernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

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

// Intel's manual, volume 1, chapter 18: leaf 7 of cpuid names the unit (edx, bits 22 and 24), and XCR0 (bits 17 and 18) says
// that the operating system saves its registers.
bool pkm_has_amx_bf16(void) {
#if defined(__x86_64__)
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return false;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low >> 17 & 3) == 3;
#else
  return false;
#endif
}

bool pkm_has_slow_bf16_dots(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_is("intel") && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
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
