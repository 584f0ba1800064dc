// Convolutions of enlarged images: what they need, their weights, where they are used (see enlarged.h).
#include "enlarged.h"

#include <string.h>

#include "vectors.h"

// 128 pixels a task: V of 256 channels takes half of L2.
static ck_tiling plan(const ck_conv *c, int back) { return ck_tiling_data(c, back, 1, 128); }
static ck_tiling weights_plan(const ck_conv *c) { return ck_tiling_weights(c, 1, 128, 32); }

// A thread's scratch. V and D have four rows of tiles a channel.
typedef struct {
  float *v, *m, *zeros;
  ptrdiff_t v_stride, m_stride, size;
} workspace;

static workspace workspace_of(int channels, const ck_tiling *t, float *scratch) {
  workspace at = {.v_stride = (ptrdiff_t)channels * t->tiles + 16, .m_stride = (ptrdiff_t)CK_BLOCK * t->tiles + 16};
  const ptrdiff_t m = 4 * at.v_stride, zeros = m + 4 * at.m_stride;
  at.size = zeros + 2 * t->width;
  if (!scratch) return at;
  at.v = scratch, at.m = scratch + m, at.zeros = scratch + zeros;
  memset(at.zeros, 0, sizeof(float) * 2 * t->width);
  return at;
}

typedef struct {
  float *x, *d, *zeros;
  ptrdiff_t d_stride, size;
} weights_workspace;

static weights_workspace weights_workspace_of(const ck_tiling *t, float *scratch) {
  weights_workspace at = {.d_stride = (ptrdiff_t)t->group_channels * t->tiles + 16};
  const ptrdiff_t d = ck_round_up(t->in_channels, 4) * t->tiles, zeros = d + 4 * at.d_stride;
  at.size = zeros + 2 * t->width;
  if (!scratch) return at;
  at.x = scratch, at.d = scratch + d, at.zeros = scratch + zeros;
  memset(at.zeros, 0, sizeof(float) * 2 * t->width);
  return at;
}

#define CK_TEMPLATE "enlarged.inc.h"
#include "each_isa.h"

// The yardstick is the plain convolution.
#define ck_enlarged_forward_reference ck_enlarged_forward_baseline
#define ck_enlarged_back_reference ck_enlarged_back_baseline
#define ck_enlarged_weights_reference ck_enlarged_weights_baseline
#define ck_enlarged_reduce_reference ck_enlarged_reduce_baseline

// ---- A convolution's path -------------------------------------------------------------------------------------

static size_t packed_size(const ck_conv *c, int back) {
  const ck_tiling t = plan(c, back);
  return (size_t)ck_round_up(t.out_channels, CK_BLOCK) * 4 * t.in_channels;
}

static void pack(const ck_conv *c, int back, const float *kernel, float *packed) {
  memset(packed, 0, sizeof(float) * packed_size(c, back));
  const ptrdiff_t position = (ptrdiff_t)c->in_channels * CK_BLOCK;
  for (int o = 0; o < c->out_channels; o++)
    for (int i = 0; i < c->in_channels; i++) {
      const float *k = kernel + ((ptrdiff_t)o * c->in_channels + i) * 4;
      if (back) {
        float *to = packed + ((ptrdiff_t)(i / CK_BLOCK) * c->out_channels + o) * 4 * CK_BLOCK + i % CK_BLOCK;
        for (int p = 0; p < 4; p++) to[p * CK_BLOCK] = k[p];
      } else {
        float *to = packed + (o / CK_BLOCK) * 4 * position + (ptrdiff_t)i * CK_BLOCK + o % CK_BLOCK;
        to[0] = (k[0] + k[1]) + (k[2] + k[3]);
        to[position] = k[1] + k[3];
        to[2 * position] = k[2] + k[3];
        to[3 * position] = k[3];
      }
    }
}

static int tasks(const ck_conv *c, int back) { return ck_tiling_tasks(plan(c, back)); }

static size_t scratch_size(const ck_conv *c, int back) {
  const ck_tiling t = plan(c, back);
  return (size_t)workspace_of(t.in_channels, &t, NULL).size;
}

static void run(const ck_conv *c, int back, int task, ck_operands io, float *scratch) {
  const ck_tiling t = plan(c, back);
  if (back) CK_PICK(ck_enlarged_back)(&t, task, io, scratch);
  else CK_PICK(ck_enlarged_forward)(&t, task, io, scratch);
}

static size_t partials(const ck_conv *c) {
  const ck_tiling t = weights_plan(c);
  return (size_t)ck_tiling_partial(&t, 2) * ck_tiling_cuts(&t);
}

static int weights_tasks(const ck_conv *c) { return ck_tiling_tasks(weights_plan(c)); }

static size_t weights_scratch(const ck_conv *c) {
  const ck_tiling t = weights_plan(c);
  return (size_t)weights_workspace_of(&t, NULL).size;
}

static void weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials,
                    float *scratch) {
  (void)slabs;
  const ck_tiling t = weights_plan(c);
  CK_PICK(ck_enlarged_weights)(&t, task, in, dy, y, partials, scratch);
}

static int reduce_tasks(const ck_conv *c) { return ck_divide_up(c->out_channels, CK_BLOCK); }

static void reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias, int accumulate) {
  const ck_tiling t = weights_plan(c);
  CK_PICK(ck_enlarged_reduce)(&t, task, partials, dkernel, dbias, accumulate);
}

const ck_conv_path ck_conv_enlarged = {
    .packed = packed_size,
    .pack = pack,
    .tasks = tasks,
    .scratch = scratch_size,
    .run = run,
    .partials = partials,
    .weights_tasks = weights_tasks,
    .weights_scratch = weights_scratch,
    .weights = weights,
    .reduce_tasks = reduce_tasks,
    .reduce = reduce,
};

// One thread of a Zen 5 at about 4 GHz, 16 images, GFLOP/s of the plain sum on the enlarged image (32 · Cin · Cout · H · W),
// direct (which adds up the kernel's equal taps) → this:
//
//                      256 → 128, 16²   128 → 64, 32²   64 → 32, 64²   32 → 16, 128²   16 → 8, 128²   8 → 4, 128²
//   AVX-512  forward      306 → 613       248 → 540      208 → 381       225 → 314       135 → 178      78 → 106
//            back         286 → 610       246 → 520      207 → 359       233 → 339       202 → 193     154 → 120
//            weights      194 → 513       173 → 445      195 → 349       191 → 322       153 → 203     108 → 119
//   AVX2     forward       76 → 346        80 → 301       70 → 229        64 → 173        52 → 118      37 →  75
//   baseline forward       58 → 139        58 → 121       59 → 128        57 → 115        47 →  88      35 →  65
//
// Error against sums in double: 3e-7 of the result's norm.
int ck_enlarged_suits(const ck_conv *c) {
  enum { least_channels = 8 };
  return c->kind == CK_CONV_NEAREST2 && c->kernel == 2 && c->stride == 1 && c->pad_top == 0 && c->pad_left == 0 &&
         c->out_height == 2 * c->in_height && c->out_width == 2 * c->in_width && c->in_width % 16 == 0 &&
         c->in_channels >= least_channels && c->out_channels >= least_channels;
}
