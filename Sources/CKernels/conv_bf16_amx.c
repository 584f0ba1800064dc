// bfloat16 products for AMX: forward passes and data gradients by its tiles, the weight gradient by VDPBF16PS, which every
// processor with AMX has.
#include "conv_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if EMULATED_AMX
#define TABLE ck_conv_bf16_amx_emulated
#define AMX_TARGET
#else
#define TABLE ck_conv_bf16_amx
#define AMX_TARGET "amx-tile,amx-bf16,"
#endif
#define NATIVE_BF16 1
#define TILE_BY_PRODUCTS 16
#define DEPTH 2
#define LANES 16
#define CHANNELS 32
#define ROWS 2
#define GRADIENT_CHANNELS 4
#define STREAMS 6
#pragma clang attribute push(__attribute__((target(AMX_TARGET "avx512bf16,avx512f,avx512bw,avx512vl,avx512dq,fma,avx2"))), apply_to = function)
#include "conv_kernels.inc.h"
#pragma clang attribute pop
#endif
