// Which instruction sets the processor has, and which one the kernels use.
#include "CKernels.h"

#include <stdatomic.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

static _Atomic int emulates_amx;

void ck_isa_emulate_amx(int on) { atomic_store_explicit(&emulates_amx, on, memory_order_relaxed); }

int ck_isa_emulates_amx(void) { return atomic_load_explicit(&emulates_amx, memory_order_relaxed); }

/// Whether the processor multiplies tiles of bfloat16, and the kernel grants this process their registers (8 KiB a thread, which
/// Linux saves only for those who have asked).
static int has_amx(void) {
#if defined(__x86_64__) && defined(__linux__)
  enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & AMX_BF16) || !(d & AMX_TILE)) return 0;
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
  return 0;
#endif
}

static int supported(ck_isa isa) {
  switch (isa) {
  case CK_ISA_REFERENCE:
  case CK_ISA_BASELINE:
    return 1;
#if defined(__x86_64__)
  // The builtin also asks the operating system whether it saves the wide registers.
  case CK_ISA_AVX2:
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  case CK_ISA_AVX512:
    return supported(CK_ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  case CK_ISA_AVX512BF16:
    return supported(CK_ISA_AVX512) && __builtin_cpu_supports("avx512bf16");
  case CK_ISA_AMX:
    return supported(CK_ISA_AVX512BF16) && (ck_isa_emulates_amx() || has_amx());
#endif
  default:
    return 0;
  }
}

static ck_isa widest(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
  ck_isa isa = CK_ISA_AMX;
  while (!supported(isa)) isa--;
  return isa;
}

// −1: not asked yet. Two threads that ask at once find the same answer.
static _Atomic int best = -1, current = -1;

ck_isa ck_isa_best(void) {
  int isa = atomic_load_explicit(&best, memory_order_relaxed);
  if (isa < 0) atomic_store_explicit(&best, isa = (int)widest(), memory_order_relaxed);
  return (ck_isa)isa;
}

ck_isa ck_isa_current(void) {
  int isa = atomic_load_explicit(&current, memory_order_relaxed);
  return isa < 0 ? ck_isa_best() : (ck_isa)isa;
}

int ck_isa_select(ck_isa isa) {
  ck_isa_best();
  if (!supported(isa)) return -1;
  atomic_store_explicit(&current, (int)isa, memory_order_relaxed);
  return 0;
}

const char *ck_isa_name(ck_isa isa) {
  static const char *const names[] = {"reference", "baseline", "avx2", "avx512", "avx512bf16", "amx"};
  return names[isa];
}
