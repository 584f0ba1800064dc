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
  UNFOLDED_FLOATS = 128 * 1024,        // a strip's U: half of a second-level cache
  MOST_COLUMNS = 2048,
  MOST_CHANNELS = 64,                  // fine channels a task
  MOST_GROUPS = 16,
  FEWEST_GROUPS = 4,
  PARTIAL_FLOATS = 1024 * 1024,        // all groups together, where that leaves more than FEWEST_GROUPS
  REDUCE_FLOATS = 16 * 1024,           // a reduce task
};

/// Images, and which of their pixels count: those where `mask` is positive (NULL: all).
typedef struct {
  const ck_slab *slabs, *mask;
} operand;

typedef struct {
  const ck_conv_kernels *k;
  int coarse, fine;                    // channels
  int height, width;                   // of the coarse tensor
  int taps;                            // k · k
  int rows, strips;                    // coarse rows a strip, strips an image
  ptrdiff_t stride;                    // floats between the rows of U
  ptrdiff_t stage_row, stage_plane;    // of a fine channel split into its four phases (3 × 3)
} plan;

static plan make(const ck_conv *c) {
  int transposed = c->kind == CK_CONV_TRANSPOSED;
  plan g = {.k = ck_conv_kernels_current(), .taps = c->kernel * c->kernel};
  g.coarse = transposed ? c->in_channels : c->out_channels;
  g.fine = transposed ? c->out_channels : c->in_channels;
  g.height = transposed ? c->in_height : c->out_height;
  g.width = transposed ? c->in_width : c->out_width;
  ptrdiff_t fit = ck_min(UNFOLDED_FLOATS / (g.fine * g.taps), MOST_COLUMNS) / g.width;
  g.strips = ck_divide_up(g.height, ck_max(1, (int)fit));
  g.rows = ck_divide_up(g.height, g.strips);
  g.strips = ck_divide_up(g.height, g.rows);
  g.stride = ck_odd_lines((ptrdiff_t)g.rows * g.width);
  if (c->kernel == 3) {
    g.stage_row = g.width + 16;
    g.stage_plane = ck_odd_lines((g.rows + 1) * g.stage_row);
  }
  return g;
}

/// Rows of strip `strip`.
static int rows_of(const plan *g, int strip) { return ck_min(g->rows, g->height - strip * g->rows); }

static size_t unfolded_floats(const plan *g, int channels) {
  return (size_t)(channels * g->taps * g->stride + 4 * g->stage_plane);
}

/// U of `channels` fine channels from `first` on: [channels · taps][stride]. `stage` follows it.
static void unfold(const plan *g, operand fine, int first, int channels, int n, int strip, float *to, float *stage) {
  int height = 2 * g->height, width = 2 * g->width, first_row = strip * g->rows, rows = rows_of(g, strip);
  int64_t plane = (int64_t)height * width;
  for (int f = first; f < first + channels; f++, to += g->taps * g->stride) {
    const float *from = ck_channel(fine.slabs, f, n, plane, NULL), *mask = fine.mask ? ck_channel(fine.mask, f, n, plane, NULL) : NULL;
    if (g->taps == 4) {                // the phases are the taps
      g->k->pack(to, g->stride, g->width, rows, first_row, 0, from, mask, height, width, 2);
      continue;
    }
    g->k->pack(stage, g->stage_plane, g->stage_row, rows + 1, first_row, 0, from, mask, height, width, 2);
    for (int u = 0; u < 3; u++)
      for (int v = 0; v < 3; v++) {
        const float *phase = stage + (u % 2 * 2 + v % 2) * g->stage_plane + u / 2 * g->stage_row + v / 2;
        for (int r = 0; r < rows; r++)
          memcpy(to + (u * 3 + v) * g->stride + r * g->width, phase + r * g->stage_row, g->width * sizeof(float));
      }
  }
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
  size_t masked = c->kind == CK_CONV ? (size_t)(g.coarse * g.stride) : 0;
  return unfolded_floats(&g, weights_part(&g)) + masked;
}

static float strip_sum(const plan *g, const float *from, int rows) {
  return g->k->sum(from, g->width, rows, g->width / g->k->lanes);
}

static void backward_weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials,
                             float *scratch) {
  plan g = make(c);
  int groups = weights_groups(c, &g), part = weights_part(&g), parts = weights_parts(&g), items = c->images * g.strips;
  int group = task / parts, first = task % parts * part, channels = ck_min(part, g.fine - first);
  int transposed = c->kind == CK_CONV_TRANSPOSED;
  operand gradient = {&dy, y.data ? &y : NULL}, input = {in, NULL};
  int64_t plane = (int64_t)g.height * g.width;
  float *sums = partials + group * partial_floats(c), *bias = sums + ck_conv_kernel_size(c);
  float *u = scratch, *stage = u + part * g.taps * g.stride, *coarse = stage + 4 * g.stage_plane;
  // The bias's sums are those of a transposed convolution's fine channels, or of all coarse ones: then the first part's.
  if (transposed) memset(bias + first, 0, channels * sizeof(float));
  else if (first == 0) memset(bias, 0, g.coarse * sizeof(float));

  int begin = (int)((int64_t)items * group / groups), end = (int)((int64_t)items * (group + 1) / groups);
  for (int item = begin; item < end; item++) {
    int n = item / g.strips, strip = item % g.strips, first_row = strip * g.rows, rows = rows_of(&g, strip);
    unfold(&g, transposed ? gradient : input, first, channels, n, strip, u, stage);
    // Taps 0 and 1 along each axis see every pixel once.
    static const int once[2][4] = {{0, 1, 2, 3}, {0, 1, 3, 4}};
    for (int f = 0; transposed && f < channels; f++)
      for (int t = 0; t < 4; t++)
        bias[first + f] += strip_sum(&g, u + (f * g.taps + once[c->kernel - 2][t]) * g.stride, rows);
    float *to = sums + (ptrdiff_t)first * g.taps;
    if (transposed) {
      for (int s = 0; s < slabs; s++) {
        openblas_sgemm(0, 1, (int)in[s].channels, channels * g.taps, rows * g.width,
                       in[s].data + n * in[s].image_stride + first_row * g.width, (int)plane, u, (int)g.stride, item > begin, to,
                       g.fine * g.taps);
        to += in[s].channels * g.fine * g.taps;
      }
      continue;
    }
    for (int o = 0; o < g.coarse; o++) {
      float *row = coarse + o * g.stride;
      g.k->pack(row, 0, g.width, rows, first_row, 0, ck_channel(&dy, o, n, plane, NULL),
                gradient.mask ? ck_channel(&y, o, n, plane, NULL) : NULL, g.height, g.width, 1);
      if (first == 0) bias[o] += strip_sum(&g, row, rows);
    }
    openblas_sgemm(0, 1, g.coarse, channels * g.taps, rows * g.width, coarse, (int)g.stride, u, (int)g.stride, item > begin, to,
                   g.fine * g.taps);
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
    .backward_weights_partials = weights_partials,
    .backward_weights_tasks = weights_tasks,
    .backward_weights_scratch = weights_scratch,
    .backward_weights = backward_weights,
    .backward_weights_reduce_tasks = reduce_tasks,
    .backward_weights_reduce = reduce,
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
//                  32>16 128²   64>32 64²   128>64 32²   256>128 16²   128>16 128²   256>32 64²
//   2 × 2  AVX-512   58 →  60    76 → 102     94 → 115      78 → 144
//          AVX2      52 →  50    66 →  65     72 →  70      59 →  86
//   3 × 3  AVX-512  100 →  72   114 → 107    113 → 133                   121 → 132    125 → 158
//          AVX2      70 →  60    71 →  75     77 →  78                    77 →  77     80 →  92
// A plain convolution, 64>128 32²: 157 → 120 and 94 → 78; 128>256 16²: 126 → 147 and 59 → 85.
//
// Forward passes and data gradients as products were tried as well: 2 × 2 forward 81, 133, 165, 165 → 85, 125, 140, 155, data
// 86, 105, 120, 165 → 73, 108, 130, 165. What is unfolded goes through memory once more than in the direct path, and OpenBLAS
// packs it again; only where a product has many rows does its speed (200) make up for that.
int ck_gemm_suits(const ck_conv *c) {
  int transposed = c->kind == CK_CONV_TRANSPOSED;
  if (c->kind == CK_CONV_NEAREST2 || c->stride != 2 || c->kernel == 1 || c->pad_top || c->pad_left) return 0;
  int coarse = transposed ? c->in_channels : c->out_channels, fine = transposed ? c->out_channels : c->in_channels;
  int height = transposed ? c->in_height : c->out_height, width = transposed ? c->in_width : c->out_width;
  int fine_height = transposed ? c->out_height : c->in_height, fine_width = transposed ? c->out_width : c->in_width;
  if (width % 16 || fine_height != 2 * height || fine_width != 2 * width || fine < 16) return 0;
  int least = ck_isa_current() == CK_ISA_AVX512 && transposed ? (c->kernel == 2 ? 64 : 128) : 256;
  return coarse >= least && library_fits();
}
