// The yardstick: every kind of convolution as plain loops over one relation between pixels, sums in double.
// One task is one image. Operands of products are rounded first where the precision is bfloat16.
#include <string.h>

#include "conv.h"
#include "conv_bf16.h"

/// The input coordinate that output coordinate `out` reads at kernel position `tap` along one axis, or −1 for padding.
static int source(const ck_conv *c, int out, int tap, int pad, int in_side) {
  int p;
  switch (c->kind) {
  case CK_CONV_TRANSPOSED:
    p = out + pad - tap;
    if (p < 0 || p % c->stride != 0) return -1;
    p /= c->stride;
    return p < in_side ? p : -1;
  case CK_CONV_NEAREST2:
    p = out + tap - pad;
    return p >= 0 && p < 2 * in_side ? p / 2 : -1;
  default:
    p = c->stride * out + tap - pad;
    return p >= 0 && p < in_side ? p : -1;
  }
}

static size_t weight_index(const ck_conv *c, int o, int i, int u, int v) {
  size_t plane = c->kind == CK_CONV_TRANSPOSED ? (size_t)i * c->out_channels + o : (size_t)o * c->in_channels + i;
  return (plane * c->kernel + u) * c->kernel + v;
}

static size_t weights(const ck_conv *c) { return ck_conv_kernel_size(c); }

static float operand(const ck_conv *c, float value) { return c->precision == CK_BFLOAT16 ? ck_bf16_rounded(value) : value; }

static size_t packed_size(const ck_conv *c, int back) {
  (void)back;
  return weights(c);
}

static void pack(const ck_conv *c, int back, const float *kernel, float *packed) {
  (void)back;
  for (size_t k = 0; k < weights(c); k++) packed[k] = operand(c, kernel[k]);
}

static int images(const ck_conv *c) { return c->images; }

static int data_images(const ck_conv *c, int back) {
  (void)back;
  return c->images;
}

/// Channel `c` of image `n` of a virtual concatenation, and the slab it lies in.
static float *channel(const ck_slab *slabs, int64_t c, int n, size_t plane, int *slab) {
  int s = 0;
  while (c >= slabs[s].channels) c -= slabs[s++].channels;
  if (slab) *slab = s;
  return slabs[s].data ? slabs[s].data + n * slabs[s].image_stride + c * (int64_t)plane : NULL;
}

/// `source` of every column of the output at every tap: [kernel][out_width].
static size_t columns_size(const ck_conv *c) { return (size_t)c->kernel * c->out_width; }

static const int *source_columns(const ck_conv *c, float *scratch) {
  int *columns = (int *)scratch;
  for (int v = 0; v < c->kernel; v++)
    for (int j = 0; j < c->out_width; j++) columns[v * c->out_width + j] = source(c, j, v, c->pad_left, c->in_width);
  return columns;
}

// A row of sums in double takes two floats a value.
static size_t scratch_size(const ck_conv *c, int back) {
  return 2 * (back ? (size_t)c->in_height * c->in_width : (size_t)c->out_width) + columns_size(c);
}

static void forward(const ck_conv *c, int n, ck_operands io, float *scratch) {
  double *row = (double *)scratch;
  const int *columns = source_columns(c, scratch + 2 * c->out_width);
  size_t in_plane = (size_t)c->in_height * c->in_width, out_plane = (size_t)c->out_height * c->out_width;
  for (int o = 0; o < c->out_channels; o++)
    for (int i = 0; i < c->out_height; i++) {
      for (int j = 0; j < c->out_width; j++) row[j] = io.bias ? io.bias[o] : 0;
      for (int ic = 0; ic < c->in_channels; ic++) {
        const float *x = channel(io.in, ic, n, in_plane, NULL);
        for (int u = 0; u < c->kernel; u++) {
          int y = source(c, i, u, c->pad_top, c->in_height);
          if (y < 0) continue;
          for (int v = 0; v < c->kernel; v++) {
            double w = io.packed[weight_index(c, o, ic, u, v)];
            for (int j = 0; j < c->out_width; j++) {
              int s = columns[v * c->out_width + j];
              if (s >= 0) row[j] += w * operand(c, x[(size_t)y * c->in_width + s]);
            }
          }
        }
      }
      float *to = channel(io.out, o, n, out_plane, NULL) + (size_t)i * c->out_width;
      for (int j = 0; j < c->out_width; j++) to[j] = (float)(io.relu && row[j] < 0 ? 0 : row[j]);
    }
}

/// dy ⊙ [y > 0] at one place.
static double gradient(const ck_conv *c, ck_slab dy, ck_slab y, int n, size_t at) {
  if (y.data && !(y.data[n * y.image_stride + (int64_t)at] > 0)) return 0;
  return operand(c, dy.data[n * dy.image_stride + (int64_t)at]);
}

static void backward(const ck_conv *c, int n, ck_operands io, float *scratch) {
  double *sums = (double *)scratch;
  size_t in_plane = (size_t)c->in_height * c->in_width, out_plane = (size_t)c->out_height * c->out_width;
  const int *columns = source_columns(c, scratch + 2 * in_plane);
  for (int ic = 0; ic < c->in_channels; ic++) {
    int slab;
    float *to = channel(io.out, ic, n, in_plane, &slab);
    if (!to) continue;
    memset(sums, 0, in_plane * sizeof(double));
    for (int o = 0; o < c->out_channels; o++)
      for (int i = 0; i < c->out_height; i++)
        for (int u = 0; u < c->kernel; u++) {
          int r = source(c, i, u, c->pad_top, c->in_height);
          if (r < 0) continue;
          for (int v = 0; v < c->kernel; v++) {
            double w = io.packed[weight_index(c, o, ic, u, v)];
            for (int j = 0; j < c->out_width; j++) {
              int s = columns[v * c->out_width + j];
              if (s >= 0) sums[(size_t)r * c->in_width + s] += w * gradient(c, *io.in, io.gate, n, o * out_plane + (size_t)i * c->out_width + j);
            }
          }
        }
    for (size_t p = 0; p < in_plane; p++) to[p] = (float)(sums[p] + (io.accumulate[slab] ? to[p] : 0));
  }
}

static void run(const ck_conv *c, int back, int image, ck_operands io, float *scratch) {
  if (back) backward(c, image, io, scratch);
  else forward(c, image, io, scratch);
}

// One image's part: the kernel's gradient, then the bias's.
static size_t part(const ck_conv *c) { return weights(c) + (size_t)c->out_channels; }

static size_t partials(const ck_conv *c) { return part(c) * (size_t)c->images; }

static void backward_weights(const ck_conv *c, int n, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *all,
                             float *scratch) {
  (void)slabs;
  const int *columns = source_columns(c, scratch);
  float *own = all + (size_t)n * part(c);
  size_t in_plane = (size_t)c->in_height * c->in_width, out_plane = (size_t)c->out_height * c->out_width;
  for (int o = 0; o < c->out_channels; o++) {
    double bias = 0;
    for (size_t p = 0; p < out_plane; p++) bias += gradient(c, dy, y, n, o * out_plane + p);
    own[weights(c) + o] = (float)bias;
    for (int ic = 0; ic < c->in_channels; ic++) {
      const float *x = channel(in, ic, n, in_plane, NULL);
      for (int u = 0; u < c->kernel; u++)
        for (int v = 0; v < c->kernel; v++) {
          double sum = 0;
          for (int i = 0; i < c->out_height; i++) {
            int r = source(c, i, u, c->pad_top, c->in_height);
            if (r < 0) continue;
            for (int j = 0; j < c->out_width; j++) {
              int s = columns[v * c->out_width + j];
              if (s >= 0) sum += gradient(c, dy, y, n, o * out_plane + (size_t)i * c->out_width + j) * operand(c, x[(size_t)r * c->in_width + s]);
            }
          }
          own[weight_index(c, o, ic, u, v)] = (float)sum;
        }
    }
  }
}

static int one(const ck_conv *c) {
  (void)c;
  return 1;
}

static void reduce(const ck_conv *c, int task, const float *all, float *dkernel, float *dbias, int accumulate) {
  (void)task;
  for (size_t k = 0; k < part(c); k++) {
    float *to = k < weights(c) ? dkernel + k : dbias + (k - weights(c));
    double sum = accumulate ? *to : 0;
    for (int n = 0; n < c->images; n++) sum += all[(size_t)n * part(c) + k];
    *to = (float)sum;
  }
}

const ck_conv_path ck_conv_reference = {
    .packed = packed_size,
    .pack = pack,
    .tasks = data_images,
    .scratch = scratch_size,
    .run = run,
    .partials = partials,
    .weights_tasks = images,
    .weights_scratch = columns_size,
    .weights = backward_weights,
    .reduce_tasks = one,
    .reduce = reduce,
};
