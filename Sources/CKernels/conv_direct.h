// The direct path: packed planes and register tiles, for every kind of convolution and every shape.
#pragma once
#include "conv.h"
#include "conv_kernels.h"
#include "conv_plan.h"

extern const ck_conv_path ck_conv_direct;

/// The inner loops in float32 for the instruction set in use, and those for what a pass multiplies.
const ck_conv_kernels *ck_conv_kernels_current(void);
const ck_conv_kernels *ck_conv_kernels_for(const ck_conv *c, ck_conv_pass pass);
/// Those that multiply bfloat16 (conv_bf16.c).
const ck_conv_kernels *ck_conv_bf16_current(void);

// The weight gradient (conv_weights.c).
size_t ck_direct_weights_partials(const ck_conv *c);
int ck_direct_weights_tasks(const ck_conv *c);
size_t ck_direct_weights_scratch(const ck_conv *c);
void ck_direct_weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials,
                       float *scratch);
int ck_direct_weights_reduce_tasks(const ck_conv *c);
void ck_direct_weights_reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias,
                              int accumulate);
