// bfloat16 products for what every processor of the kind has: halves spread to float32. No faster than float32; it is there so
// that a bfloat16 training runs on every processor.
#include "conv_kernels.h"

#define TABLE ck_conv_bf16_baseline
#define DEPTH 2
#define LANES 4
#define CHANNELS 4
#define ROWS 2
#define GRADIENT_CHANNELS 4
#define STREAMS 2
#include "conv_kernels.inc.h"
