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

static size_t packed_size(const ck_conv *c, int back) {
  (void)back;
  return ck_conv_kernel_size(c);
}

static void pack(const ck_conv *c, int back, const float *kernel, float *packed) {
  (void)back;
  memcpy(packed, kernel, ck_conv_kernel_size(c) * sizeof(float));
}

static void forward(const ck_conv *c, int task, ck_operands io) {
  segment s = segment_of(c, task);
  for (int64_t at = s.begin; at < s.end; at += BLOCK)
    for (int i = 0; i < c->in_channels; i += CK_POINTWISE_PLANES) {
      const float *x[CK_POINTWISE_PLANES];
      int planes = ck_min(CK_POINTWISE_PLANES, c->in_channels - i);
      for (int k = 0; k < planes; k++) x[k] = ck_channel(io.in, i + k, s.image, pixels(c), NULL) + at;
      const int last = i + planes == c->in_channels;
      for (int o = 0; o < c->out_channels; o++)
        CK_PICK(mix)(planes, x, io.packed + (ptrdiff_t)o * c->in_channels + i, 1, ck_channel(io.out, o, s.image, pixels(c), NULL) + at,
                     block_at(s, at), io.bias ? io.bias[o] : 0, i > 0, io.relu && last);
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

static void backward(const ck_conv *c, int task, ck_operands io, float *scratch) {
  segment s = segment_of(c, task);
  for (int64_t at = s.begin; at < s.end; at += BLOCK) {
    const float *g[CK_POINTWISE_PLANES];
    int count = block_at(s, at);
    mask_block(c, *io.in, io.gate, s.image, at, count, scratch, g);
    for (int i = 0; i < c->in_channels; i++) {
      int slab;
      float *to = ck_channel(io.out, i, s.image, pixels(c), &slab);
      if (to) CK_PICK(mix)(c->out_channels, g, io.packed + i, c->in_channels, to + at, count, 0, io.accumulate[slab], 0);
    }
  }
}

static int data_tasks(const ck_conv *c, int back) {
  (void)back;
  return tasks(c);
}

static size_t data_scratch(const ck_conv *c, int back) { return back ? block_scratch(c) : 0; }

static void run(const ck_conv *c, int back, int task, ck_operands io, float *scratch) {
  if (back) backward(c, task, io, scratch);
  else forward(c, task, io);
}

// Partial sums of a task: the kernel's, then the bias's.

static ptrdiff_t partial_floats(const ck_conv *c) { return (ptrdiff_t)ck_conv_kernel_size(c) + c->out_channels; }

static size_t partials_size(const ck_conv *c) { return (size_t)(tasks(c) * partial_floats(c)); }

// The row of ones behind the gradient's block turns the bias's gradient into one more product.
static size_t weights_scratch(const ck_conv *c) { return block_scratch(c) + BLOCK; }

static void weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials,
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
    .packed = packed_size,
    .pack = pack,
    .tasks = data_tasks,
    .scratch = data_scratch,
    .run = run,
    .partials = partials_size,
    .weights_tasks = tasks,
    .weights_scratch = weights_scratch,
    .weights = weights,
    .reduce_tasks = one,
    .reduce = reduce,
};

int ck_pointwise_suits(const ck_conv *c) {
  return c->kind == CK_CONV && c->kernel == 1 && c->stride == 1 && c->pad_top == 0 && c->pad_left == 0 &&
         c->out_height == c->in_height && c->out_width == c->in_width && c->out_channels <= CK_POINTWISE_PLANES;
}
