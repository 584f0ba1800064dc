// Which instruction sets the processor has, and which one the kernels use.
#include "CKernels.h"

#include <stdatomic.h>

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
#endif
  default:
    return 0;
  }
}

static ck_isa widest(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
  ck_isa isa = CK_ISA_AVX512;
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
  static const char *const names[] = {"reference", "baseline", "avx2", "avx512"};
  return names[isa];
}
