// Winograd convolutions: where they are used, how they are cut into tasks, and what they need (see winograd.h).
#include "winograd.h"

#include <string.h>

// ---- How a pass is cut ----------------------------------------------------------------------------------------

static int minimum(int a, int b) { return a < b ? a : b; }
static int maximum(int a, int b) { return a > b ? a : b; }
static int divide_up(int a, int b) { return (a + b - 1) / b; }

static ck_winograd plan(const ck_conv *c, int back) {
  ck_winograd w = {.height = c->in_height, .width = c->in_width};
  w.in_channels = back ? c->out_channels : c->in_channels;
  w.out_channels = back ? c->in_channels : c->out_channels;
  w.across = w.width / 4;
  w.rows = c->images * w.height / 4;
  // 32 tiles keep V of 128 channels within 1 MB of L2; with fewer channels 64 tiles are as fast, and read U half as often.
  w.task_rows = minimum(w.rows, maximum(1, (w.in_channels > 64 ? 32 : 64) / w.across));
  w.tiles = divide_up(w.task_rows * w.across, 16) * 16;
  const int blocks = divide_up(w.out_channels, CK_WINOGRAD_BLOCK);
  // Few tiles: the output channels are shared out as well, at the price of transforming the input once a group.
  const int wanted = divide_up(8, divide_up(w.rows, w.task_rows));
  w.group_channels = divide_up(blocks, minimum(wanted, maximum(1, blocks / 2))) * CK_WINOGRAD_BLOCK;
  w.groups = divide_up(w.out_channels, w.group_channels);
  return w;
}

// A thread's scratch, in floats from its beginning. Strides get one cache line more than a power of two, so that the
// 36 positions of a tile do not compete for one cache set.
typedef struct {
  ptrdiff_t e, e_stride, v, v_stride, m, m_stride, zeros, inner, size;
} layout;

static layout layout_of(const ck_winograd *w) {
  layout at = {.e_stride = 4 * w->tiles + 16,
               .v_stride = (ptrdiff_t)w->in_channels * w->tiles + 16,
               .m_stride = (ptrdiff_t)CK_WINOGRAD_BLOCK * w->tiles + 16};
  at.v = at.e + 6 * at.e_stride;
  at.m = at.v + CK_WINOGRAD_POSITIONS * at.v_stride;
  at.zeros = at.m + CK_WINOGRAD_POSITIONS * at.m_stride;
  at.inner = at.zeros + w->width;
  at.size = at.inner + 2 * w->tiles;
  return at;
}

// ---- The passes, for each instruction set ------------------------------------------------------------------------

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")
#define CK_TEMPLATE "winograd.inc.h"
#include "each_isa.h"

// The yardstick is the plain convolution; there is no plain Winograd.
#define ck_winograd_reference ck_winograd_baseline
#define ck_winograd_pack_reference ck_winograd_pack_baseline

// ---- A convolution's path -------------------------------------------------------------------------------------

static size_t packed_size(ck_winograd w) {
  return (size_t)divide_up(w.out_channels, CK_WINOGRAD_BLOCK) * CK_WINOGRAD_BLOCK * CK_WINOGRAD_POSITIONS * w.in_channels;
}

static int tasks(ck_winograd w) { return divide_up(w.rows, w.task_rows) * w.groups; }

static size_t forward_packed(const ck_conv *c) { return packed_size(plan(c, 0)); }
static int forward_tasks(const ck_conv *c) { return tasks(plan(c, 0)); }

static size_t forward_scratch(const ck_conv *c) {
  const ck_winograd w = plan(c, 0);
  return (size_t)layout_of(&w).size;
}

static void forward_pack(const ck_conv *c, const float *kernel, float *packed) {
  const ck_winograd w = plan(c, 0);
  CK_PICK(ck_winograd_pack)(&w, kernel, (ptrdiff_t)c->in_channels * 9, 9, 0, packed);
}

static void forward(const ck_conv *c, int task, const ck_slab *in, int slabs, const float *packed, const float *bias, int relu,
                    ck_slab out, float *scratch) {
  (void)slabs;
  const ck_winograd w = plan(c, 0);
  const ck_winograd_operands io = {.in = in, .out = &out, .packed = packed, .bias = bias, .relu = relu};
  CK_PICK(ck_winograd)(&w, task, io, scratch);
}

static size_t backward_data_packed(const ck_conv *c) { return packed_size(plan(c, 1)); }
static int backward_data_tasks(const ck_conv *c) { return tasks(plan(c, 1)); }

static size_t backward_data_scratch(const ck_conv *c) {
  const ck_winograd w = plan(c, 1);
  return (size_t)layout_of(&w).size;
}

static void backward_data_pack(const ck_conv *c, const float *kernel, float *packed) {
  const ck_winograd w = plan(c, 1);
  CK_PICK(ck_winograd_pack)(&w, kernel, 9, (ptrdiff_t)c->in_channels * 9, 1, packed);
}

static void backward_data(const ck_conv *c, int task, ck_slab dy, ck_slab y, const float *packed, const ck_slab *dx,
                          const int *accumulate, int slabs, float *scratch) {
  (void)slabs;
  const ck_winograd w = plan(c, 1);
  const ck_winograd_operands io = {.in = &dy, .out = dx, .gate = y, .packed = packed, .accumulate = accumulate};
  CK_PICK(ck_winograd)(&w, task, io, scratch);
}

const ck_conv_path ck_conv_winograd = {
  .forward_packed = forward_packed,
  .forward_pack = forward_pack,
  .forward_tasks = forward_tasks,
  .forward_scratch = forward_scratch,
  .forward = forward,
  .backward_data_packed = backward_data_packed,
  .backward_data_pack = backward_data_pack,
  .backward_data_tasks = backward_data_tasks,
  .backward_data_scratch = backward_data_scratch,
  .backward_data = backward_data,
};

// ---- Where it is used -----------------------------------------------------------------------------------------

// Forward, one thread of a Zen 5 at about 4 GHz, 4 to 16 images, GFLOP/s of the plain sum (18 · Cin · Cout · H · W), direct →
// Winograd; backward data is within 5 % of it. Direct is near the processor's peak with AVX-512.
//
//              8 ch 256²  16 ch 256²  32 ch 128²   64 ch 64²  128 ch 32²  256 ch 16²   4 ch 256²
//   AVX-512    162 → 202   181 → 321   191 → 462   196 → 620   209 → 678   207 → 711   120 →  84
//   AVX2        49 → 138    50 → 205    51 → 259    50 → 314    51 → 344    46 → 346    48 →  69
//   baseline    36 →  69    36 → 100    36 → 115    38 → 131    38 → 144    38 → 142    31 →  40
//
// F(2 × 2) was not faster anywhere in the prototypes. Error against sums in double: 1e-6 of the output's norm.
int ck_winograd_suits(const ck_conv *c, ck_conv_pass pass) {
  enum { least_channels = 8 };
  return pass != CK_CONV_BACKWARD_WEIGHTS && c->kind == CK_CONV && c->kernel == 3 && c->stride == 1 && c->pad_top == 1 &&
         c->pad_left == 1 && c->out_height == c->in_height && c->out_width == c->in_width && c->in_height % 4 == 0 &&
         c->in_width % 16 == 0 && c->in_channels >= least_channels && c->out_channels >= least_channels;
}
