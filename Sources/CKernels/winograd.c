// Winograd convolutions: where they are used, how they are cut into tasks, and what they need (see winograd.h).
#include "winograd.h"

#include <string.h>

#include "vectors.h"

// ---- How a pass is cut ----------------------------------------------------------------------------------------

// 32 tiles keep V of 128 channels within 1 MB of L2; with fewer channels 64 tiles are as fast, and read U half as often.
static ck_tiling plan(const ck_conv *c, int back) {
  return ck_tiling_data(c, back, 4, (back ? c->out_channels : c->in_channels) > 64 ? 32 : 64);
}

// 128 tiles: 64 add up lanes twice as often (−5 %), 256 leave L2 (−15 to −30 %). But one row of tiles where planes are wide
// (+7 % at 256²).
static ck_tiling weights_plan(const ck_conv *c) { return ck_tiling_weights(c, 4, c->in_width < 256 ? 128 : 64, 32); }

static ptrdiff_t partial_size(const ck_tiling *w) { return ck_tiling_partial(w, 3); }

// A thread's scratch. Strides get one cache line more than a power of two, so that the 36 positions of a tile do not
// compete for one cache set.
typedef struct {
  float *e, *v, *m, *zeros;            // rows transformed along y; V; M; a row of padding
  int32_t *inner;                      // masks of the tiles that have a neighbour before, and after, in their row
  ptrdiff_t e_stride, v_stride, m_stride, size;
} workspace;

/// `m_channels` output channels in M.
static workspace workspace_with(const ck_tiling *w, int m_channels, float *scratch) {
  workspace at = {.e_stride = 4 * w->tiles + 16,
                  .v_stride = (ptrdiff_t)ck_round_up(w->in_channels, 4) * w->tiles + 16,
                  .m_stride = (ptrdiff_t)m_channels * w->tiles + 16};
  ptrdiff_t v = 6 * at.e_stride, m = v + CK_WINOGRAD_POSITIONS * at.v_stride, zeros = m + CK_WINOGRAD_POSITIONS * at.m_stride;
  ptrdiff_t inner = zeros + w->width;
  at.size = inner + 2 * w->tiles;
  if (!scratch) return at;
  at.e = scratch, at.v = scratch + v, at.m = scratch + m, at.zeros = scratch + zeros, at.inner = (int32_t *)(scratch + inner);
  memset(at.zeros, 0, sizeof(float) * w->width);
  for (int t = 0; t < w->tiles; t++) {
    at.inner[t] = t % w->across == 0 ? 0 : -1;
    at.inner[w->tiles + t] = t % w->across == w->across - 1 ? 0 : -1;
  }
  return at;
}

static workspace workspace_of(const ck_tiling *w, float *scratch) { return workspace_with(w, CK_BLOCK, scratch); }

// ---- The passes, for each instruction set ------------------------------------------------------------------------

#define CK_TEMPLATE "winograd.inc.h"
#include "each_isa.h"

// The yardstick is the plain convolution; there is no plain Winograd.
#define ck_winograd_reference ck_winograd_baseline
#define ck_winograd_pack_reference ck_winograd_pack_baseline
#define ck_winograd_weights_reference ck_winograd_weights_baseline
#define ck_winograd_reduce_reference ck_winograd_reduce_baseline

// ---- A convolution's path -------------------------------------------------------------------------------------

static size_t packed_size(const ck_conv *c, int back) {
  const ck_tiling w = plan(c, back);
  return (size_t)ck_round_up(w.out_channels, CK_BLOCK) * CK_WINOGRAD_POSITIONS * w.in_channels;
}

static void pack(const ck_conv *c, int back, const float *kernel, float *packed) {
  const ck_tiling w = plan(c, back);
  const ptrdiff_t outputs = (ptrdiff_t)c->in_channels * 9, inputs = 9;
  CK_PICK(ck_winograd_pack)(&w, kernel, back ? inputs : outputs, back ? outputs : inputs, back, packed);
}

static int tasks(const ck_conv *c, int back) { return ck_tiling_tasks(plan(c, back)); }

static size_t scratch_size(const ck_conv *c, int back) {
  const ck_tiling w = plan(c, back);
  return (size_t)workspace_of(&w, NULL).size;
}

static void run(const ck_conv *c, int back, int task, ck_operands io, float *scratch) {
  const ck_tiling w = plan(c, back);
  CK_PICK(ck_winograd)(&w, task, io, scratch);
}

static size_t partials(const ck_conv *c) {
  const ck_tiling w = weights_plan(c);
  return (size_t)partial_size(&w) * ck_tiling_cuts(&w);
}

static int weights_tasks(const ck_conv *c) { return ck_tiling_tasks(weights_plan(c)); }

static size_t weights_scratch(const ck_conv *c) {
  const ck_tiling w = weights_plan(c);
  const size_t du = (size_t)ck_round_up(w.in_channels, 4) * ck_round_up(w.group_channels, 4) + 16;
  return (size_t)workspace_with(&w, ck_round_up(w.group_channels, 4), NULL).size + CK_WINOGRAD_POSITIONS * du;
}

static void weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials,
                    float *scratch) {
  (void)slabs;
  const ck_tiling w = weights_plan(c);
  CK_PICK(ck_winograd_weights)(&w, task, in, dy, y, partials, scratch);
}

static int reduce_tasks(const ck_conv *c) { return ck_divide_up(c->out_channels, CK_BLOCK); }

static void reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias, int accumulate) {
  const ck_tiling w = weights_plan(c);
  CK_PICK(ck_winograd_reduce)(&w, task, partials, ck_tiling_cuts(&w), dkernel, dbias, accumulate);
}

const ck_conv_path ck_conv_winograd = {
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

// ---- Where it is used -----------------------------------------------------------------------------------------

// One thread of a Zen 5 at about 4 GHz, 4 to 16 images, GFLOP/s of the plain sum (18 · Cin · Cout · H · W), direct →
// Winograd. Backward data is within 5 % of forward. Direct with AVX-512 is near the processor's peak.
//
//                      8 ch 256²  16 ch 256²  32 ch 128²   64 ch 64²  128 ch 32²  256 ch 16²   4 ch 256²
//   AVX-512  forward  162 → 202   181 → 321   191 → 462   196 → 620   209 → 678   207 → 711   120 →  84
//            weights  128 → 177   146 → 270   159 → 380   149 → 482   169 → 532   134 → 426    98 →  80
//   AVX2     forward   49 → 138    50 → 205    51 → 259    50 → 314    51 → 344    46 → 346    48 →  69
//            weights   60 →  87    89 → 196    92 → 245    88 → 280    90 → 282    79 → 243    55 →  51
//   baseline forward   36 →  69    36 → 100    36 → 115    38 → 131    38 → 144    38 → 142    31 →  40
//            weights   35 →  66    38 → 100    39 → 123    38 → 135    40 → 131    38 → 120    31 →  39
//
// F(2 × 2) was not faster anywhere in the prototypes. Error against sums in double: 1e-6 to 3e-6 of the result's norm.
int ck_winograd_suits(const ck_conv *c) {
  enum { least_channels = 8 };
  return c->kind == CK_CONV && c->kernel == 3 && c->stride == 1 && c->pad_top == 1 &&
         c->pad_left == 1 && c->out_height == c->in_height && c->out_width == c->in_width && c->in_height % 4 == 0 &&
         c->in_width % 16 == 0 && c->in_channels >= least_channels && c->out_channels >= least_channels;
}
