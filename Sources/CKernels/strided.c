// Winograd convolutions of stride 2: how they are cut into tasks, what they need, where they are used (see strided.h).
#include "strided.h"

#include <string.h>

#include "vectors.h"

// ---- How a pass is cut ----------------------------------------------------------------------------------------

static ck_strided plan(const ck_conv *c, ck_tiling tiling) {
  const int transposed = c->kind == CK_CONV_TRANSPOSED;
  return (ck_strided){.tiling = tiling,
                      .fine = transposed ? c->out_channels : c->in_channels,
                      .coarse = transposed ? c->in_channels : c->out_channels,
                      .height = transposed ? c->in_height : c->out_height,
                      .width = transposed ? c->in_width : c->out_width,
                      .transposed = transposed};
}

/// A tile's side in the convolution's input.
static int side(const ck_conv *c) { return c->kind == CK_CONV_TRANSPOSED ? 4 : 8; }

/// Whether the pass makes the coarse plane from the fine one.
static int gathers(const ck_conv *c, int back) { return (c->kind == CK_CONV_TRANSPOSED) == back; }

/// As many tiles as keep V within L2 beside U and M.
static ck_strided data_plan(const ck_conv *c, int back) {
  enum { v_floats = 160 * 1024 };
  const int products = gathers(c, back) ? CK_STRIDED_PRODUCTS : CK_STRIDED_POSITIONS;
  const int fit = v_floats / (products * (back ? c->out_channels : c->in_channels));
  return plan(c, ck_tiling_data(c, back, side(c), fit >= 64 ? 64 : fit >= 32 ? 32 : 16));
}

static ck_strided weights_plan(const ck_conv *c) { return plan(c, ck_tiling_weights(c, side(c), 64, 8)); }

/// Floats that one cut leaves of the weight gradient: kernels [coarse/16, fine, 9, 16], then biases.
static ptrdiff_t partial_size(const ck_strided *s) {
  return 9 * s->fine * ck_round_up(s->coarse, CK_BLOCK) + ck_round_up(s->tiling.out_channels, 16);
}

// A thread's scratch. The rows of positions get one cache line more than a power of two, so that they do not compete for one
// cache set.
typedef struct {
  float *e, *v, *m, *zeros;            // rows transformed along y; V; M; a row of padding
  int32_t *inner;                      // masks of the tiles that have a neighbour before, and after, in their row
  ptrdiff_t e_stride, m_stride, size;
} workspace;

/// V and M with this many products, V with this many channels.
static workspace workspace_of(const ck_strided *s, int v_products, int v_channels, int m_products, float *scratch) {
  const int tiles = s->tiling.tiles;
  workspace at = {.e_stride = 8 * tiles + 16, .m_stride = CK_BLOCK * tiles + 16};
  const ptrdiff_t v = 9 * at.e_stride, m = v + (ptrdiff_t)v_products * v_channels * tiles + CK_STRIDED_POSITIONS * 16;
  const ptrdiff_t zeros = m + m_products * at.m_stride, inner = zeros + 2 * s->width;
  at.size = ck_round_up(inner + 2 * tiles, 16);
  if (!scratch) return at;
  at.e = scratch, at.v = scratch + v, at.m = scratch + m, at.zeros = scratch + zeros, at.inner = (int32_t *)(scratch + inner);
  memset(at.zeros, 0, sizeof(float) * 2 * s->width);
  for (int t = 0; t < tiles; t++) {
    at.inner[t] = t % s->tiling.across == 0 ? 0 : -1;
    at.inner[tiles + t] = (t + 1) % s->tiling.across == 0 ? 0 : -1;
  }
  return at;
}

static workspace gather_workspace(const ck_strided *s, float *scratch) {
  return workspace_of(s, CK_STRIDED_PRODUCTS, s->fine, CK_STRIDED_POSITIONS, scratch);
}

static workspace scatter_workspace(const ck_strided *s, float *scratch) {
  return workspace_of(s, CK_STRIDED_POSITIONS, s->coarse, CK_STRIDED_PRODUCTS, scratch);
}

/// A task of the weight gradient has all channels of the input, and of the output those of its group.
typedef struct {
  workspace at;                        // M: 16 coarse channels before they are turned round
  float *turned, *du;                  // A coarse Aᵀ [25, coarse/16, tiles, 16]; dU [coarse/16, 81, fine, 16]
  int fine, coarse;                    // channels
  ptrdiff_t turned_stride, size;
} weights_workspace;

static weights_workspace weights_workspace_of(const ck_strided *s, float *scratch) {
  const int group = s->tiling.group_channels;
  weights_workspace w = {.fine = s->transposed ? ck_min(group, s->fine) : s->fine, .coarse = s->transposed ? s->coarse : group};
  w.coarse = (int)ck_round_up(w.coarse, CK_BLOCK);
  w.at = workspace_of(s, CK_STRIDED_PRODUCTS, w.fine, CK_STRIDED_POSITIONS, scratch);
  w.turned_stride = (ptrdiff_t)w.coarse * s->tiling.tiles + 16;
  const ptrdiff_t du = w.at.size + CK_STRIDED_POSITIONS * w.turned_stride;
  w.size = du + (ptrdiff_t)CK_STRIDED_PRODUCTS * w.fine * w.coarse;
  if (scratch) w.turned = scratch + w.at.size, w.du = scratch + du;
  return w;
}

// ---- Positions and their products -----------------------------------------------------------------------------

/// Phases along one axis that have a product at point a: at ∞ only the even one.
static inline int phases_at(int a) { return a < CK_STRIDED_POINTS - 1 ? 2 : 1; }

/// Number of the first product of position (a, b); those of phases (p, q) follow row by row.
static inline int first_product(int a, int b) { return a < CK_STRIDED_POINTS - 1 ? 18 * a + 4 * b : 72 + 2 * b; }

static inline int product_of(int a, int b, int p, int q) { return first_product(a, b) + p * phases_at(b) + q; }

// ---- The passes, for each instruction set ------------------------------------------------------------------------

#define CK_TEMPLATE "strided.inc.h"
#include "each_isa.h"

// The yardstick is the plain convolution.
#define ck_strided_gather_reference ck_strided_gather_baseline
#define ck_strided_scatter_reference ck_strided_scatter_baseline
#define ck_strided_pack_reference ck_strided_pack_baseline
#define ck_strided_weights_reference ck_strided_weights_baseline
#define ck_strided_reduce_reference ck_strided_reduce_baseline

// ---- A convolution's path -------------------------------------------------------------------------------------

static size_t packed_size(const ck_conv *c, int back) {
  const int in = back ? c->out_channels : c->in_channels, out = back ? c->in_channels : c->out_channels;
  return (size_t)ck_round_up(out, CK_BLOCK) * CK_STRIDED_PRODUCTS * in;
}

static void pack(const ck_conv *c, int back, const float *kernel, float *packed) {
  const ck_strided s = data_plan(c, back);
  const ptrdiff_t coarse_step = (ptrdiff_t)s.fine * 9, fine_step = 9;
  if (gathers(c, back))
    CK_PICK(ck_strided_pack)(&s, kernel, coarse_step, fine_step, packed);
  else
    CK_PICK(ck_strided_pack)(&s, kernel, fine_step, coarse_step, packed);
}

static size_t scratch_size(const ck_conv *c, int back) {
  const ck_strided s = data_plan(c, back);
  return (size_t)(gathers(c, back) ? gather_workspace(&s, NULL) : scatter_workspace(&s, NULL)).size;
}

static void run(const ck_conv *c, int back, int task, ck_operands io, float *scratch) {
  const ck_strided s = data_plan(c, back);
  if (gathers(c, back))
    CK_PICK(ck_strided_gather)(&s, task, io, scratch);
  else
    CK_PICK(ck_strided_scatter)(&s, task, io, scratch);
}

static int tasks(const ck_conv *c, int back) { return ck_tiling_tasks(data_plan(c, back).tiling); }

static size_t partials(const ck_conv *c) {
  const ck_strided s = weights_plan(c);
  return (size_t)(partial_size(&s) * ck_tiling_cuts(&s.tiling));
}

static int weights_tasks(const ck_conv *c) { return ck_tiling_tasks(weights_plan(c).tiling); }

static size_t weights_scratch(const ck_conv *c) {
  const ck_strided s = weights_plan(c);
  return (size_t)weights_workspace_of(&s, NULL).size;
}

static void weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials,
                    float *scratch) {
  (void)slabs;
  const ck_strided s = weights_plan(c);
  CK_PICK(ck_strided_weights)(&s, task, in, dy, y, partials, scratch);
}

static int reduce_tasks(const ck_conv *c) { return ck_divide_up(weights_plan(c).coarse, CK_BLOCK); }

static void reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias, int accumulate) {
  const ck_strided s = weights_plan(c);
  CK_PICK(ck_strided_reduce)(&s, task, partials, dkernel, dbias, accumulate);
}

const ck_conv_path ck_conv_strided = {
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

// One thread of a Zen 5 at about 4 GHz, 4 to 8 images, GFLOP/s of the plain sum (18 · coarse · fine channels · coarse pixels),
// direct (weights: the better of direct and OpenBLAS's products) → this. Channels and sides of the coarse plane:
//
//                     plain: 8>16 128²  16>32 128²   32>64 64²  64>128 32²  128>256 16²
//   AVX-512  forward      92 → 150   113 → 205   127 → 284   159 → 278   172 → 277
//            data         55 → 133    77 → 182    98 → 265   138 → 295   137 → 275
//            weights      68 → 106    91 → 161   110 → 221   137 → 231   132 → 195
//   AVX2     forward      65 →  69    80 →  95    84 → 119    86 → 156    87 → 153
//            data         49 →  65    62 →  96    72 → 117    77 → 156    76 → 166
//            weights      64 →  54    73 →  73    78 →  85    77 → 111    76 → 111
//   baseline forward      43 →  30    38 →  38    41 →  42    42 →  46    45 →  47
//            data         33 →  29    31 →  36    35 →  44    38 →  47    41 →  52
//            weights      37 →  27    39 →  33    43 →  37    41 →  36    39 →  35
//
//                transposed: 32>16 128²  96>16 128²  192>32 64²  384>64 32²  256>128 16²
//   AVX-512  forward     106 → 198    94 → 254   117 → 299   152 → 301   149 → 327
//            data        112 → 152   116 → 237   151 → 301   173 → 309   182 → 312
//            weights      88 → 135    89 → 201   135 → 258   166 → 243   146 → 228
//   AVX2     forward      90 → 125    86 → 141    75 → 152    82 → 148    73 → 162
//            data         84 → 100    98 → 134    91 → 154    92 → 154    84 → 149
//            weights      68 →  89    80 → 100    81 → 125    92 → 105    85 → 107
//   baseline forward      42 →  54    43 →  59    42 →  63    43 →  49    42 →  65
//            data         43 →  49    47 →  56    45 →  63    45 →  49    45 →  63
//            weights      41 →  41    44 →  47    46 →  45    43 →  46    37 →  45
//
// Error against sums in double: 5e-7 to 3e-6 of the result's norm.
int ck_strided_suits(const ck_conv *c) {
  const int least_channels = ck_isa_current() == CK_ISA_BASELINE ? 16 : 8;
  if (c->kind == CK_CONV_NEAREST2 || c->kernel != 3 || c->stride != 2 || c->pad_top != 0 || c->pad_left != 0) return 0;
  const ck_strided s = plan(c, (ck_tiling){0});
  const int fine_height = s.transposed ? c->out_height : c->in_height, fine_width = s.transposed ? c->out_width : c->in_width;
  return fine_height == 2 * s.height && fine_width == 2 * s.width && s.height % 4 == 0 && s.width % 16 == 0 &&
         c->in_channels >= least_channels && c->out_channels >= least_channels;
}
