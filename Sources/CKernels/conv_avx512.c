// The direct path for AVX-512: 32 registers of 16 floats.
#include "conv_kernels.h"

#if defined(__x86_64__)
#define TABLE ck_conv_kernels_avx512
#define DEPTH 1
#define LANES 16
#define CHANNELS 4
#define ROWS 4
#define GRADIENT_CHANNELS 4
#define STREAMS 6
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,avx2"))), apply_to = function)
#include "conv_kernels.inc.h"
#pragma clang attribute pop
#endif
