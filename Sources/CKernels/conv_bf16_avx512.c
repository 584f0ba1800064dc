// bfloat16 products for AVX-512 without instructions for them: halves spread to float32.
#include "conv_kernels.h"

#if defined(__x86_64__)
#define TABLE ck_conv_bf16_avx512
#define DEPTH 2
#define LANES 16
#define CHANNELS 4
#define ROWS 4
#define GRADIENT_CHANNELS 4
#define STREAMS 4
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,avx2"))), apply_to = function)
#include "conv_kernels.inc.h"
#pragma clang attribute pop
#endif
