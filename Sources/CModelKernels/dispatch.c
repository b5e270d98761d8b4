// Dispatch: the kernels of the instruction set that is asked for, or of the best one of the processor.
#include "CModelKernels.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

const pkm_kernel_table *pkm_kernels_float_plain(void);
const pkm_kernel_table *pkm_kernels_float_v3(void);
const pkm_kernel_table *pkm_kernels_float_v4(void);
const pkm_kernel_table *pkm_kernels_float_v4_bf16(void);
const pkm_kernel_table *pkm_kernels_float_amx(void);
const pkm_kernel_table *pkm_kernels_float_tiles_plain(void);
const pkm_kernel_table *pkm_kernels_float_tiles_v4_bf16(void);
const pkm_kernel_table *pkm_kernels_double_plain(void);
const pkm_kernel_table *pkm_kernels_double_v3(void);
const pkm_kernel_table *pkm_kernels_double_v4(void);

pkm_instruction_set pkm_best_instruction_set(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) {
    bool dots = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
    if (dots && pkm_amx_bf16() == PKM_AMX_USABLE) return PKM_INSTRUCTION_SET_AMX;
    return dots ? PKM_INSTRUCTION_SET_V4_BF16 : PKM_INSTRUCTION_SET_V4;
  }
  if (__builtin_cpu_supports("x86-64-v3")) return PKM_INSTRUCTION_SET_V3;
#endif
  return PKM_INSTRUCTION_SET_PLAIN;
}

// Intel's manual, volume 1, chapter 18: leaf 7 of cpuid names the unit (edx, bits 22 and 24), and XCR0 (bits 17 and 18) says
// that the operating system saves its registers.
static pkm_amx_state amx_state = PKM_AMX_MISSING;

static void ask_for_amx(void) {
#if defined(__x86_64__)
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return;
  amx_state = PKM_AMX_REFUSED;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low >> 17 & 3) != 3) return;
#if defined(__linux__)
  // Linux gives the unit to processes that ask (Documentation/arch/x86/xstate.rst): for all of their threads, once and
  // for all. It refuses while a signal stack is too small for the tiles. 5.15 and older know no such call.
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
  if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0) amx_state = PKM_AMX_USABLE;
#endif
#endif
}

pkm_amx_state pkm_amx_bf16(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, ask_for_amx);
  return amx_state;
}

bool pkm_has_slow_bf16_dots(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_is("intel") && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

void pkm_processor_name(char name[49]) {
  memset(name, 0, 49);
#if defined(__x86_64__)
  unsigned words[12] = {0};
  for (unsigned i = 0; i < 3; i++) {
    unsigned *w = words + 4 * i;
    if (!__get_cpuid(0x80000002 + i, &w[0], &w[1], &w[2], &w[3])) break;
  }
  memcpy(name, words, 48);
#endif
  size_t end = strlen(name);
  while (end > 0 && name[end - 1] == ' ') name[--end] = 0;
  if (end == 0) strcpy(name, "unknown");
}

static pkm_instruction_set available(pkm_instruction_set wanted) {
  pkm_instruction_set best = pkm_best_instruction_set();
  return wanted < best ? wanted : best;
}

const pkm_kernel_table *pkm_kernels_float(pkm_instruction_set wanted) {
  if (wanted == PKM_INSTRUCTION_SET_TILES_PLAIN) return pkm_kernels_float_tiles_plain();
  if (wanted == PKM_INSTRUCTION_SET_TILES_V4_BF16) {
    return pkm_best_instruction_set() < PKM_INSTRUCTION_SET_V4_BF16 ? pkm_kernels_float_tiles_plain()
                                                                    : pkm_kernels_float_tiles_v4_bf16();
  }
  switch (available(wanted)) {
    case PKM_INSTRUCTION_SET_AMX:
      return pkm_kernels_float_amx();
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
  if (wanted == PKM_INSTRUCTION_SET_TILES_PLAIN) return pkm_kernels_double_plain();
  switch (available(wanted)) {
    case PKM_INSTRUCTION_SET_AMX:
    case PKM_INSTRUCTION_SET_V4_BF16:
    case PKM_INSTRUCTION_SET_V4:
      return pkm_kernels_double_v4();
    case PKM_INSTRUCTION_SET_V3:
      return pkm_kernels_double_v3();
    default:
      return pkm_kernels_double_plain();
  }
}
