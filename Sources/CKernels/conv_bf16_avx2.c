// bfloat16 products for AVX2 and FMA: halves spread to float32.
#include "conv_kernels.h"

#if defined(__x86_64__)
#define TABLE ck_conv_bf16_avx2
#define DEPTH 2
#define LANES 8
#define CHANNELS 4
#define ROWS 2
#define GRADIENT_CHANNELS 4
#define STREAMS 2
#pragma clang attribute push(__attribute__((target("fma,avx2"))), apply_to = function)
#include "conv_kernels.inc.h"
#pragma clang attribute pop
#endif
