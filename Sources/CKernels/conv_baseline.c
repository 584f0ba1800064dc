// The direct path for what every processor of the kind has: SSE2 with 16 registers of 4 floats and no fused
// multiply–add, which takes one more register; NEON with 32.
#include "conv_kernels.h"

#define TABLE ck_conv_kernels_baseline
#define DEPTH 1
#define LANES 4
#define CHANNELS 4
#define GRADIENT_CHANNELS 4
#if defined(__aarch64__)
#define ROWS 4
#define STREAMS 4
#else
#define ROWS 2
#define STREAMS 2
#endif
#include "conv_kernels.inc.h"
