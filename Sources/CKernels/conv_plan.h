// How a convolution is computed: as correlations of packed planes.
//
// Where a convolution has stride 2, or enlarges its input, one of its sides is split into 2 × 2 phases (even and odd rows
// and columns). Between phases every kind of convolution, and every gradient of one, is the same thing: output cell a of
// phase p is the sum of input cells a + offset over a few taps, each with its own weight. A convolution's forward pass,
// its data gradient and a transposed convolution then differ only in their lists of taps.
#pragma once
#include "CKernels.h"

/// One tap along one axis: it reads cell a + `offset` of the input's phase `phase`; its weight is the sum of the
/// kernel's positions in the bit set `positions`.
typedef struct {
  int phase, offset;
  unsigned positions;
} ck_tap;

/// The taps of each phase of the output along one axis, and the range their offsets span.
typedef struct {
  int in_phases, out_phases;
  int low, high;
  int count[2];
  ck_tap taps[2][4];
} ck_axis;

/// Along y (`pad` = pad_top) or x (pad_left): from the convolution's input to its output, and back.
ck_axis ck_axis_forward(const ck_conv *c, int pad);
ck_axis ck_axis_backward(const ck_conv *c, int pad);

/// The taps of a pass, over both axes.
typedef struct {
  ck_axis y, x;
  int phases;                          ///< of the output: 1 or 4
  int total;                           ///< taps of all phases together
} ck_taps;

ck_taps ck_taps_make(ck_axis y, ck_axis x);

/// Taps of output phase (p, q), row by row.
static inline int ck_taps_count(const ck_taps *t, int p, int q) { return t->y.count[p] * t->x.count[q]; }

/// Offsets of the taps of phase (p, q) from a cell of a packed channel: its phases are `plane` floats apart, rows `row`,
/// and its first row and column lie `low` cells before cell (0, 0).
void ck_taps_offsets(const ck_taps *t, int p, int q, ptrdiff_t plane, ptrdiff_t row, ptrdiff_t *offsets);

/// Index into the kernel [·, ·, k, k] of position (0, 0) for an output and input channel of the convolution.
size_t ck_kernel_plane(const ck_conv *c, int out_channel, int in_channel);

static inline int ck_divide_up(int a, int b) { return (a + b - 1) / b; }
static inline ptrdiff_t ck_round_up(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b * b; }
static inline int ck_min(int a, int b) { return a < b ? a : b; }
static inline int ck_max(int a, int b) { return a > b ? a : b; }

/// Channels lie an odd number of cache lines apart, or the same row of many channels would compete for a few cache sets.
static inline ptrdiff_t ck_odd_lines(ptrdiff_t floats) {
  floats = ck_round_up(floats, 16);
  return floats / 16 % 2 == 0 ? floats + 16 : floats;
}

/// Channel `c` of image `n` of a virtual concatenation of planes (where it is paired, its pair's), and its slab's number; NULL where the slab
/// has no data.
static inline float *ck_channel(const ck_slab *slabs, int64_t c, int n, int64_t plane, int *slab) {
  int s = 0;
  while (c >= slabs[s].channels) c -= slabs[s++].channels;
  if (slab) *slab = s;
  return slabs[s].data ? slabs[s].data + n * slabs[s].image_stride + (slabs[s].paired ? c / 2 : c) * plane : NULL;
}
