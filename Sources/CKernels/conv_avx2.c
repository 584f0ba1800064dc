// The direct path for AVX2 and FMA: 16 registers of 8 floats.
#include "conv_kernels.h"

#if defined(__x86_64__)
#define TABLE ck_conv_kernels_avx2
#define DEPTH 1
#define LANES 8
#define CHANNELS 4
#define ROWS 3
#define GRADIENT_CHANNELS 4
#define STREAMS 3
#pragma clang attribute push(__attribute__((target("fma,avx2"))), apply_to = function)
#include "conv_kernels.inc.h"
#pragma clang attribute pop
#endif
