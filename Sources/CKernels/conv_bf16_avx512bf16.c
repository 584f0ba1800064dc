// bfloat16 products for AVX-512 with VDPBF16PS, which adds the products of 16 words to 16 sums.
#include "conv_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TABLE ck_conv_bf16_avx512bf16
#define NATIVE_BF16 1
#define DEPTH 2
#define LANES 16
#define CHANNELS 4
#define ROWS 4
#define GRADIENT_CHANNELS 4
#define STREAMS 6
#pragma clang attribute push(__attribute__((target("avx512bf16,avx512f,avx512bw,avx512vl,avx512dq,fma,avx2"))), apply_to = function)
#include "conv_kernels.inc.h"
#pragma clang attribute pop
#endif
