// The AMX kernels on tiles in plain C (see conv_amx_tiles.h): for tests.
#define EMULATED_AMX 1
#include "conv_bf16_amx.c"
