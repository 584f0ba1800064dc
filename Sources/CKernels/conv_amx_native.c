// AMX's inner loops on the processor's own tiles.
#include "conv_amx.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TABLE ck_amx_kernels_native
#pragma clang attribute push(__attribute__((target("amx-tile,amx-bf16,avx512bf16,avx512f,avx512bw,avx512vl,avx512dq,fma,avx2"))), apply_to = function)
#include "conv_amx.inc.h"
#pragma clang attribute pop
#endif
