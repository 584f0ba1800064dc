// The public functions of "Convolutions": each hands over to the path chosen for the shape and the instruction set.
#include "conv_amx.h"
#include "conv_direct.h"
#include "conv_gemm.h"
#include "conv_pointwise.h"
#include "enlarged.h"
#include "strided.h"
#include "winograd.h"

static const ck_conv_path *path(const ck_conv *c, ck_conv_pass pass) {
  if (ck_isa_current() == CK_ISA_REFERENCE) return &ck_conv_reference;
  if (ck_conv_products(c, pass) == CK_BFLOAT16)
    return ck_isa_current() == CK_ISA_AMX ? &ck_conv_amx : &ck_conv_direct;
  if (ck_winograd_suits(c)) return &ck_conv_winograd;
  if (ck_strided_suits(c)) return &ck_conv_strided;
  if (ck_enlarged_suits(c)) return &ck_conv_enlarged;
  if (ck_pointwise_suits(c)) return &ck_conv_pointwise;
  if (pass == CK_BACKWARD_WEIGHTS && ck_gemm_suits(c)) return &ck_conv_gemm;
  return &ck_conv_direct;
}

size_t ck_conv_forward_packed(const ck_conv *c) { return path(c, CK_FORWARD)->packed(c, 0); }

void ck_conv_forward_pack(const ck_conv *c, const float *kernel, float *packed) { path(c, CK_FORWARD)->pack(c, 0, kernel, packed); }

int ck_conv_forward_tasks(const ck_conv *c) { return path(c, CK_FORWARD)->tasks(c, 0); }

size_t ck_conv_forward_scratch(const ck_conv *c) { return path(c, CK_FORWARD)->scratch(c, 0); }

int ck_conv_takes_pairs(const ck_conv *c) { return path(c, CK_FORWARD) == &ck_conv_amx && c->out_channels % 2 == 0; }

void ck_conv_forward(const ck_conv *c, int task, const ck_slab *in, int slabs, const float *packed, const float *bias,
                     int relu, ck_slab out, float *scratch) {
  (void)slabs;
  const ck_operands io = {.in = in, .out = &out, .packed = packed, .bias = bias, .relu = relu};
  path(c, CK_FORWARD)->run(c, 0, task, io, scratch);
}

size_t ck_conv_backward_data_packed(const ck_conv *c) { return path(c, CK_BACKWARD_DATA)->packed(c, 1); }

void ck_conv_backward_data_pack(const ck_conv *c, const float *kernel, float *packed) {
  path(c, CK_BACKWARD_DATA)->pack(c, 1, kernel, packed);
}

int ck_conv_backward_data_tasks(const ck_conv *c) { return path(c, CK_BACKWARD_DATA)->tasks(c, 1); }

size_t ck_conv_backward_data_scratch(const ck_conv *c) { return path(c, CK_BACKWARD_DATA)->scratch(c, 1); }

void ck_conv_backward_data(const ck_conv *c, int task, ck_slab dy, ck_slab y, const float *packed, const ck_slab *dx,
                           const int *accumulate, int slabs, float *scratch) {
  (void)slabs;
  const ck_operands io = {.in = &dy, .out = dx, .gate = y, .packed = packed, .accumulate = accumulate};
  path(c, CK_BACKWARD_DATA)->run(c, 1, task, io, scratch);
}

size_t ck_conv_backward_weights_partials(const ck_conv *c) { return path(c, CK_BACKWARD_WEIGHTS)->partials(c); }

int ck_conv_backward_weights_tasks(const ck_conv *c) { return path(c, CK_BACKWARD_WEIGHTS)->weights_tasks(c); }

size_t ck_conv_backward_weights_scratch(const ck_conv *c) { return path(c, CK_BACKWARD_WEIGHTS)->weights_scratch(c); }

void ck_conv_backward_weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y,
                              float *partials, float *scratch) {
  path(c, CK_BACKWARD_WEIGHTS)->weights(c, task, in, slabs, dy, y, partials, scratch);
}

int ck_conv_backward_weights_reduce_tasks(const ck_conv *c) { return path(c, CK_BACKWARD_WEIGHTS)->reduce_tasks(c); }

void ck_conv_backward_weights_reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias,
                                     int accumulate) {
  path(c, CK_BACKWARD_WEIGHTS)->reduce(c, task, partials, dkernel, dbias, accumulate);
}
