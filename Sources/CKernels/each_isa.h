// Compiles the file named by CK_TEMPLATE once for each instruction set: inside it CK_NAME(f) is f_baseline, f_avx2 or
// f_avx512 and CK_LANES the floats of a vector. `CK_PICK(f)` is the one in use, `f_reference` among them.
#include "CKernels.h"

/// Before a loop over elements: arrays may be the same (in place) but do not overlap otherwise. Without it clang would test
/// for overlap and run an operation in place one element at a time.
#define CK_ELEMENTS _Pragma("clang loop vectorize(assume_safety)")

/// 1 or 0. A mask over a loaded array is written as a factor: clang turns `mask ? x[i] : 0` into a load under a mask, which
/// on Zen 5 reads memory at half the speed (dropout of 67 MB: 9.3 ms instead of 3.7). It lets NaN through as well.
#define CK_FACTOR(condition) ((condition) ? 1.0f : 0.0f)

#define CK_JOIN_(a, b) a##_##b
#define CK_JOIN(a, b) CK_JOIN_(a, b)
#define CK_NAME(f) CK_JOIN(f, CK_SUFFIX)

#define CK_SUFFIX baseline
#define CK_LANES 4
#include CK_TEMPLATE
#undef CK_SUFFIX
#undef CK_LANES

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_SUFFIX avx2
#define CK_LANES 8
#include CK_TEMPLATE
#undef CK_SUFFIX
#undef CK_LANES
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,avx2"))), apply_to = function)
#define CK_SUFFIX avx512
#define CK_LANES 16
#include CK_TEMPLATE
#undef CK_SUFFIX
#undef CK_LANES
#pragma clang attribute pop

#define CK_TABLE(f) {f##_reference, f##_baseline, f##_avx2, f##_avx512, f##_avx512, f##_avx512}
#else
#define CK_TABLE(f) {f##_reference, f##_baseline, f##_baseline, f##_baseline, f##_baseline, f##_baseline}
#endif

#define CK_PICK(f) ({ static __typeof__(f##_reference) *const table_[] = CK_TABLE(f); table_[ck_isa_current()]; })
