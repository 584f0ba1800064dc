// The weight gradients of conv_gemm.h: the unfolding, the product, the sum.
//
// A task has the fine channels of a part in the strips of a group, and partial sums of its own: the kernel's, then the bias's.
#include "conv_gemm.h"

#include <COpenBLAS.h>
#include <string.h>

#include "conv_direct.h"

#define CK_TEMPLATE "conv_gemm.inc.h"
#include "each_isa.h"
#define add_up_reference add_up_baseline

enum {
  TAPS = 4,
  UNFOLDED_FLOATS = 128 * 1024,        // a strip's U: half of a second-level cache
  MOST_COLUMNS = 2048,
  MOST_CHANNELS = 64,                  // fine channels a task
  MOST_GROUPS = 16,
  FEWEST_GROUPS = 4,
  PARTIAL_FLOATS = 1024 * 1024,        // all groups together, where that leaves more than FEWEST_GROUPS
  REDUCE_FLOATS = 16 * 1024,           // a reduce task
};

typedef struct {
  const ck_conv_kernels *k;
  int coarse, fine;                    // channels
  int height, width;                   // of the coarse tensor
  int rows, strips;                    // coarse rows a strip, strips an image
  ptrdiff_t stride;                    // floats between the rows of U
} plan;

static plan make(const ck_conv *c) {
  plan g = {.k = ck_conv_kernels_current(), .coarse = c->in_channels, .fine = c->out_channels, .height = c->in_height, .width = c->in_width};
  ptrdiff_t fit = ck_min(UNFOLDED_FLOATS / (g.fine * TAPS), MOST_COLUMNS) / g.width;
  g.strips = ck_divide_up(g.height, ck_max(1, (int)fit));
  g.rows = ck_divide_up(g.height, g.strips);
  g.strips = ck_divide_up(g.height, g.rows);
  g.stride = ck_odd_lines((ptrdiff_t)g.rows * g.width);
  return g;
}

// ---- The pass -------------------------------------------------------------------------------------------------

static int weights_part(const plan *g) { return ck_divide_up(g->fine, ck_divide_up(g->fine, MOST_CHANNELS)); }

static int weights_parts(const plan *g) { return ck_divide_up(g->fine, weights_part(g)); }

static ptrdiff_t partial_floats(const ck_conv *c) { return (ptrdiff_t)ck_conv_kernel_size(c) + c->out_channels; }

static int weights_groups(const ck_conv *c, const plan *g) {
  int groups = (int)(PARTIAL_FLOATS / partial_floats(c));
  return ck_min(c->images * g->strips, ck_max(FEWEST_GROUPS, ck_min(MOST_GROUPS, groups)));
}

static size_t weights_partials(const ck_conv *c) {
  plan g = make(c);
  return (size_t)weights_groups(c, &g) * partial_floats(c);
}

static int weights_tasks(const ck_conv *c) {
  plan g = make(c);
  return weights_groups(c, &g) * weights_parts(&g);
}

static size_t weights_scratch(const ck_conv *c) {
  plan g = make(c);
  return (size_t)(weights_part(&g) * TAPS * g.stride);
}

static void weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials,
                             float *u) {
  plan g = make(c);
  int groups = weights_groups(c, &g), part = weights_part(&g), parts = weights_parts(&g), items = c->images * g.strips;
  int group = task / parts, first = task % parts * part, channels = ck_min(part, g.fine - first);
  int64_t plane = (int64_t)g.height * g.width;
  float *sums = partials + group * partial_floats(c), *bias = sums + ck_conv_kernel_size(c);
  memset(bias + first, 0, channels * sizeof(float));

  int begin = (int)((int64_t)items * group / groups), end = (int)((int64_t)items * (group + 1) / groups);
  for (int item = begin; item < end; item++) {
    int n = item / g.strips, first_row = item % g.strips * g.rows, rows = ck_min(g.rows, g.height - first_row);
    for (int f = 0; f < channels; f++) {
      float *to = u + f * TAPS * g.stride;   // the phases are the taps
      const ck_source source = {{ck_channel(&dy, first + f, n, 4 * plane, NULL)},
                                {y.data ? ck_channel(&y, first + f, n, 4 * plane, NULL) : NULL}};
      g.k->pack(to, g.stride, g.width, rows, first_row, 0, source, 2 * g.height, 2 * g.width, 2);
      for (int t = 0; t < TAPS; t++) bias[first + f] += g.k->sum(to + t * g.stride, g.width, rows, g.width / g.k->lanes);
    }
    float *to = sums + (ptrdiff_t)first * TAPS;
    for (int s = 0; s < slabs; s++) {
      openblas_sgemm(0, 1, (int)in[s].channels, channels * TAPS, rows * g.width, in[s].data + n * in[s].image_stride + first_row * g.width,
                     (int)plane, u, (int)g.stride, item > begin, to, g.fine * TAPS);
      to += in[s].channels * g.fine * TAPS;
    }
  }
}

static int reduce_tasks(const ck_conv *c) { return ck_divide_up((int)ck_conv_kernel_size(c), REDUCE_FLOATS); }

static void reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias, int accumulate) {
  plan g = make(c);
  int groups = weights_groups(c, &g), size = (int)ck_conv_kernel_size(c), first = task * REDUCE_FLOATS;
  ptrdiff_t stride = partial_floats(c);
  CK_PICK(add_up)(dkernel + first, partials + first, groups, stride, ck_min(REDUCE_FLOATS, size - first), accumulate);
  if (task == 0) CK_PICK(add_up)(dbias, partials + size, groups, stride, c->out_channels, accumulate);
}

// ---- The path -------------------------------------------------------------------------------------------------

const ck_conv_path ck_conv_gemm = {
    .partials = weights_partials,
    .weights_tasks = weights_tasks,
    .weights_scratch = weights_scratch,
    .weights = weights,
    .reduce_tasks = reduce_tasks,
    .reduce = reduce,
};

// ---- Where it is used -----------------------------------------------------------------------------------------

/// Whether OpenBLAS runs on the instruction set in use: a narrower one would be slow, a wider one not what was asked for.
static int library_fits(void) {
  const char *const wide[] = {"SkylakeX", "Cooperlake", "SapphireRapids"}, *const narrow[] = {"Haswell", "Zen"};
  ck_isa isa = ck_isa_current();
  if (isa < CK_ISA_AVX2 || !openblas_available()) return 0;
  const char *core = openblas_core();
  if (isa == CK_ISA_AVX2) return !strcmp(core, narrow[0]) || !strcmp(core, narrow[1]);
  return !strcmp(core, wide[0]) || !strcmp(core, wide[1]) || !strcmp(core, wide[2]);
}

const char *ck_conv_library(void) { return library_fits() ? openblas_description() : "none"; }

// One thread of a Zen 5 in company, 2 images (8 where planes are 32² or less), GFLOP/s of the plain sum, direct → product (AVX-512 with
// SkylakeX, AVX2 with Haswell). Channels and sides of the coarse and the fine tensor:
//
//                  32>16 128²   64>32 64²   128>64 32²   256>128 16²
//         AVX-512   58 →  60    76 → 102     94 → 115      78 → 144
//         AVX2      52 →  50    66 →  65     72 →  70      59 →  86
//
// 3 × 3 kernels go Winograd's way (strided.h), which is faster (256>128 16²: 146 → 228).
//
// Forward passes and data gradients as products were tried as well: 2 × 2 forward 81, 133, 165, 165 → 85, 125, 140, 155, data
// 86, 105, 120, 165 → 73, 108, 130, 165. What is unfolded goes through memory once more than in the direct path, and OpenBLAS
// packs it again; only where a product has many rows does its speed (200) make up for that.
int ck_gemm_suits(const ck_conv *c) {
  if (c->kind != CK_CONV_TRANSPOSED || c->kernel != 2 || c->stride != 2 || c->pad_top || c->pad_left) return 0;
  if (c->in_width % 16 || c->out_height != 2 * c->in_height || c->out_width != 2 * c->in_width || c->out_channels < 16) return 0;
  return c->in_channels >= (ck_isa_current() >= CK_ISA_AVX512 ? 64 : 256) && library_fits();
}
