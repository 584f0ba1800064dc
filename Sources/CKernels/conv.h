// A convolution path: one implementation of "Convolutions". conv.c picks the path; see CKernels.h for what each
// function does.
#pragma once
#include "CKernels.h"

/// What the forward pass, or the data gradient, reads and writes. `gate`, where it has data, masks the input: x ⊙ [gate > 0].
typedef struct {
  const ck_slab *in, *out;
  ck_slab gate;
  const float *packed, *bias; ///< bias: NULL for none
  const int *accumulate;      ///< of each slab of `out`; NULL: none
  int relu;
} ck_operands;

typedef struct {
  // The forward pass, or `back` the data gradient: from the outputs to the inputs.
  size_t (*packed)(const ck_conv *, int back);
  void (*pack)(const ck_conv *, int back, const float *kernel, float *packed);
  int (*tasks)(const ck_conv *, int back);
  size_t (*scratch)(const ck_conv *, int back);
  void (*run)(const ck_conv *, int back, int task, ck_operands io, float *scratch);

  // The weight gradient.
  size_t (*partials)(const ck_conv *);
  int (*weights_tasks)(const ck_conv *);
  size_t (*weights_scratch)(const ck_conv *);
  void (*weights)(const ck_conv *, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials, float *scratch);
  int (*reduce_tasks)(const ck_conv *);
  void (*reduce)(const ck_conv *, int task, const float *partials, float *dkernel, float *dbias, int accumulate);
} ck_conv_path;

/// Plain loops, sums in double (conv_reference.c).
extern const ck_conv_path ck_conv_reference;

/// The kernel's number of values: Cin · Cout · k · k.
static inline size_t ck_conv_kernel_size(const ck_conv *c) {
  return (size_t)c->in_channels * c->out_channels * c->kernel * c->kernel;
}
