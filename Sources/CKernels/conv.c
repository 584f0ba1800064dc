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

size_t ck_conv_forward_packed(const ck_conv *c) { return path(c, CK_FORWARD)->forward_packed(c); }

void ck_conv_forward_pack(const ck_conv *c, const float *kernel, float *packed) { path(c, CK_FORWARD)->forward_pack(c, kernel, packed); }

int ck_conv_forward_tasks(const ck_conv *c) { return path(c, CK_FORWARD)->forward_tasks(c); }

size_t ck_conv_forward_scratch(const ck_conv *c) { return path(c, CK_FORWARD)->forward_scratch(c); }

int ck_conv_takes_pairs(const ck_conv *c) { return path(c, CK_FORWARD) == &ck_conv_amx && c->out_channels % 2 == 0; }

void ck_conv_forward(const ck_conv *c, int task, const ck_slab *in, int slabs, const float *packed, const float *bias,
                     int relu, ck_slab out, float *scratch) {
  path(c, CK_FORWARD)->forward(c, task, in, slabs, packed, bias, relu, out, scratch);
}

size_t ck_conv_backward_data_packed(const ck_conv *c) { return path(c, CK_BACKWARD_DATA)->backward_data_packed(c); }

void ck_conv_backward_data_pack(const ck_conv *c, const float *kernel, float *packed) {
  path(c, CK_BACKWARD_DATA)->backward_data_pack(c, kernel, packed);
}

int ck_conv_backward_data_tasks(const ck_conv *c) { return path(c, CK_BACKWARD_DATA)->backward_data_tasks(c); }

size_t ck_conv_backward_data_scratch(const ck_conv *c) { return path(c, CK_BACKWARD_DATA)->backward_data_scratch(c); }

void ck_conv_backward_data(const ck_conv *c, int task, ck_slab dy, ck_slab y, const float *packed, const ck_slab *dx,
                           const int *accumulate, int slabs, float *scratch) {
  path(c, CK_BACKWARD_DATA)->backward_data(c, task, dy, y, packed, dx, accumulate, slabs, scratch);
}

size_t ck_conv_backward_weights_partials(const ck_conv *c) { return path(c, CK_BACKWARD_WEIGHTS)->backward_weights_partials(c); }

int ck_conv_backward_weights_tasks(const ck_conv *c) { return path(c, CK_BACKWARD_WEIGHTS)->backward_weights_tasks(c); }

size_t ck_conv_backward_weights_scratch(const ck_conv *c) { return path(c, CK_BACKWARD_WEIGHTS)->backward_weights_scratch(c); }

void ck_conv_backward_weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y,
                              float *partials, float *scratch) {
  path(c, CK_BACKWARD_WEIGHTS)->backward_weights(c, task, in, slabs, dy, y, partials, scratch);
}

int ck_conv_backward_weights_reduce_tasks(const ck_conv *c) { return path(c, CK_BACKWARD_WEIGHTS)->backward_weights_reduce_tasks(c); }

void ck_conv_backward_weights_reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias,
                                     int accumulate) {
  path(c, CK_BACKWARD_WEIGHTS)->backward_weights_reduce(c, task, partials, dkernel, dbias, accumulate);
}
