// AMX's inner loops on tiles in plain C (conv_amx_tiles.h): for tests, on processors that have VDPBF16PS and no tiles.
#include "conv_amx.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define EMULATED_AMX 1
#define TABLE ck_amx_kernels_emulated
#pragma clang attribute push(__attribute__((target("avx512bf16,avx512f,avx512bw,avx512vl,avx512dq,fma,avx2"))), apply_to = function)
#include "conv_amx.inc.h"
#pragma clang attribute pop
#endif
