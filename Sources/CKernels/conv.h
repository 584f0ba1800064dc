// A convolution path: one implementation of "Convolutions". conv.c picks the path; see CKernels.h for what each
// function does.
#pragma once
#include "CKernels.h"

typedef struct {
  size_t (*forward_packed)(const ck_conv *);
  void (*forward_pack)(const ck_conv *, const float *kernel, float *packed);
  int (*forward_tasks)(const ck_conv *);
  size_t (*forward_scratch)(const ck_conv *);
  void (*forward)(const ck_conv *, int task, const ck_slab *in, int slabs, const float *packed, const float *bias, int relu,
                  ck_slab out, float *scratch);

  size_t (*backward_data_packed)(const ck_conv *);
  void (*backward_data_pack)(const ck_conv *, const float *kernel, float *packed);
  int (*backward_data_tasks)(const ck_conv *);
  size_t (*backward_data_scratch)(const ck_conv *);
  void (*backward_data)(const ck_conv *, int task, ck_slab dy, ck_slab y, const float *packed, const ck_slab *dx,
                        const int *accumulate, int slabs, float *scratch);

  size_t (*backward_weights_partials)(const ck_conv *);
  int (*backward_weights_tasks)(const ck_conv *);
  size_t (*backward_weights_scratch)(const ck_conv *);
  void (*backward_weights)(const ck_conv *, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials,
                           float *scratch);
  int (*backward_weights_reduce_tasks)(const ck_conv *);
  void (*backward_weights_reduce)(const ck_conv *, int task, const float *partials, float *dkernel, float *dbias,
                                  int accumulate);
} ck_conv_path;

/// Plain loops, sums in double (conv_reference.c).
extern const ck_conv_path ck_conv_reference;

/// The kernel's number of values: Cin · Cout · k · k.
static inline size_t ck_conv_kernel_size(const ck_conv *c) {
  return (size_t)c->in_channels * c->out_channels * c->kernel * c->kernel;
}
