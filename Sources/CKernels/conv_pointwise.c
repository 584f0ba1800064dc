// 1 × 1 convolutions to a few channels (see conv_pointwise.h). A task is a segment of an image, gone through in blocks
// whose output, or masked gradient, stays in the first-level cache while the input's planes pass by.
#include "conv_pointwise.h"

#include <string.h>

#include "conv_plan.h"

enum {
  CK_POINTWISE_PLANES = 4,             // planes read at a time, and the most output channels
  CK_POINTWISE_AHEAD = 512,            // floats to ask memory for ahead
  BLOCK = 2048,                        // pixels
  SEGMENT = 4 * BLOCK,
};

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")
#define CK_TEMPLATE "conv_pointwise.inc.h"
#include "each_isa.h"
#define mix_reference mix_baseline
#define dots_reference dots_baseline

static int64_t pixels(const ck_conv *c) { return (int64_t)c->in_height * c->in_width; }

static int segments(const ck_conv *c) { return (int)((pixels(c) + SEGMENT - 1) / SEGMENT); }

static int tasks(const ck_conv *c) { return c->images * segments(c); }

/// The blocks of a task.
typedef struct {
  int image;
  int64_t begin, end;                  // pixels
} segment;

static segment segment_of(const ck_conv *c, int task) {
  int64_t begin = (int64_t)(task % segments(c)) * SEGMENT, end = begin + SEGMENT;
  return (segment){task / segments(c), begin, end < pixels(c) ? end : pixels(c)};
}

static int block_at(segment s, int64_t at) { return s.end - at < BLOCK ? (int)(s.end - at) : BLOCK; }

static void copy_kernel(const ck_conv *c, const float *kernel, float *packed) {
  memcpy(packed, kernel, ck_conv_kernel_size(c) * sizeof(float));
}

static size_t no_scratch(const ck_conv *c) {
  (void)c;
  return 0;
}

static void forward(const ck_conv *c, int task, const ck_slab *in, int slabs, const float *packed, const float *bias, int relu,
                    ck_slab out, float *scratch) {
  (void)slabs, (void)scratch;
  segment s = segment_of(c, task);
  for (int64_t at = s.begin; at < s.end; at += BLOCK)
    for (int i = 0; i < c->in_channels; i += CK_POINTWISE_PLANES) {
      const float *x[CK_POINTWISE_PLANES];
      int planes = ck_min(CK_POINTWISE_PLANES, c->in_channels - i);
      for (int k = 0; k < planes; k++) x[k] = ck_channel(in, i + k, s.image, pixels(c), NULL) + at;
      int last = i + planes == c->in_channels;
      for (int o = 0; o < c->out_channels; o++)
        CK_PICK(mix)(planes, x, packed + (ptrdiff_t)o * c->in_channels + i, 1, ck_channel(&out, o, s.image, pixels(c), NULL) + at,
                     block_at(s, at), bias ? bias[o] : 0, i > 0, relu && last);
    }
}

/// dy ⊙ [y > 0] of a block in `scratch`, or where dy lies if there is no y.
static void mask_block(const ck_conv *c, ck_slab dy, ck_slab y, int n, int64_t at, int count, float *scratch, const float **g) {
  for (int o = 0; o < c->out_channels; o++) {
    const float *from = ck_channel(&dy, o, n, pixels(c), NULL) + at;
    g[o] = from;
    if (!y.data) continue;
    const float *mask = ck_channel(&y, o, n, pixels(c), NULL) + at;
    float *restrict to = scratch + o * BLOCK;
    for (int j = 0; j < count; j++) to[j] = mask[j] > 0 ? from[j] : 0;
    g[o] = to;
  }
}

static size_t block_scratch(const ck_conv *c) { return (size_t)c->out_channels * BLOCK; }

static void backward_data(const ck_conv *c, int task, ck_slab dy, ck_slab y, const float *packed, const ck_slab *dx,
                          const int *accumulate, int slabs, float *scratch) {
  (void)slabs;
  segment s = segment_of(c, task);
  for (int64_t at = s.begin; at < s.end; at += BLOCK) {
    const float *g[CK_POINTWISE_PLANES];
    int count = block_at(s, at);
    mask_block(c, dy, y, s.image, at, count, scratch, g);
    for (int i = 0; i < c->in_channels; i++) {
      int slab;
      float *to = ck_channel(dx, i, s.image, pixels(c), &slab);
      if (to) CK_PICK(mix)(c->out_channels, g, packed + i, c->in_channels, to + at, count, 0, accumulate[slab], 0);
    }
  }
}

// Partial sums of a task: the kernel's, then the bias's.

static ptrdiff_t partial_floats(const ck_conv *c) { return (ptrdiff_t)ck_conv_kernel_size(c) + c->out_channels; }

static size_t weights_partials(const ck_conv *c) { return (size_t)(tasks(c) * partial_floats(c)); }

// The row of ones behind the gradient's block turns the bias's gradient into one more product.
static size_t weights_scratch(const ck_conv *c) { return block_scratch(c) + BLOCK; }

static void backward_weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials,
                             float *scratch) {
  (void)slabs;
  segment s = segment_of(c, task);
  float *sums = partials + task * partial_floats(c), *ones = scratch + block_scratch(c);
  memset(sums, 0, (size_t)partial_floats(c) * sizeof(float));
  for (int j = 0; j < BLOCK; j++) ones[j] = 1;
  for (int64_t at = s.begin; at < s.end; at += BLOCK) {
    const float *g[CK_POINTWISE_PLANES];
    int count = block_at(s, at);
    mask_block(c, dy, y, s.image, at, count, scratch, g);
    for (int i = 0; i < c->in_channels; i++)
      CK_PICK(dots)(c->out_channels, g, ck_channel(in, i, s.image, pixels(c), NULL) + at, count, sums + i, c->in_channels);
    CK_PICK(dots)(c->out_channels, g, ones, count, sums + ck_conv_kernel_size(c), 1);
  }
}

static int one(const ck_conv *c) {
  (void)c;
  return 1;
}

static void reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias, int accumulate) {
  (void)task;
  ptrdiff_t size = (ptrdiff_t)ck_conv_kernel_size(c);
  for (ptrdiff_t i = 0; i < partial_floats(c); i++) {
    float sum = 0, *to = i < size ? dkernel + i : dbias + (i - size);
    for (int t = 0; t < tasks(c); t++) sum += partials[t * partial_floats(c) + i];
    *to = accumulate ? *to + sum : sum;
  }
}

const ck_conv_path ck_conv_pointwise = {
    .forward_packed = ck_conv_kernel_size,
    .forward_pack = copy_kernel,
    .forward_tasks = tasks,
    .forward_scratch = no_scratch,
    .forward = forward,
    .backward_data_packed = ck_conv_kernel_size,
    .backward_data_pack = copy_kernel,
    .backward_data_tasks = tasks,
    .backward_data_scratch = block_scratch,
    .backward_data = backward_data,
    .backward_weights_partials = weights_partials,
    .backward_weights_tasks = tasks,
    .backward_weights_scratch = weights_scratch,
    .backward_weights = backward_weights,
    .backward_weights_reduce_tasks = one,
    .backward_weights_reduce = reduce,
};

int ck_pointwise_suits(const ck_conv *c) {
  return c->kind == CK_CONV && c->kernel == 1 && c->stride == 1 && c->pad_top == 0 && c->pad_left == 0 &&
         c->out_height == c->in_height && c->out_width == c->in_width && c->out_channels <= CK_POINTWISE_PLANES;
}
