// Convolutions by AMX's tiles (conv_amx.c), and what that path needs of the processor (conv_amx.inc.h).
#pragma once
#include "conv.h"
#include "conv_kernels.h"
#include "conv_plan.h"

/// Products of bfloat16.
extern const ck_conv_path ck_conv_amx;

// The weight gradient (conv_amx_weights.c).
size_t ck_amx_weights_partials(const ck_conv *c);
int ck_amx_weights_tasks(const ck_conv *c);
size_t ck_amx_weights_scratch(const ck_conv *c);
void ck_amx_weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials, float *scratch);
int ck_amx_weights_reduce_tasks(const ck_conv *c);
void ck_amx_weights_reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias, int accumulate);

enum {
  CK_TILE = 16,                        ///< rows of a tile, and words of a row: sums, or pairs of bfloat16
  CK_TILE_SUMS = 4 * CK_TILE * CK_TILE ///< what one call works out: four tiles
};

/// Four tiles of sums: 16 channels of four rows of 16 cells, or (`halves` 2) 32 channels of two.
typedef struct {
  const float *in;                     ///< packed cells: the first line, at the first cell; as all that tiles read, whole cache lines
  ptrdiff_t cells, row;                ///< distances between packed channels, and between rows of the output
  int depth, group;                    ///< packed channels of all lines together, and how many a tile takes
  int tap_count;                       ///< along x
  const ptrdiff_t *taps;
  const float *weights;                ///< [depth / group][tap][halves][16 channels][16 packed channels]
  int channels, rows, columns;         ///< how much of it lies within the output
  const float *bias;                   ///< of each channel; NULL for none
  float *const *to;                    ///< each channel's plane; NULL where it is not wanted
  ptrdiff_t first;                     ///< where in these planes the block begins
  const int *paired;                   ///< of each channel: it and the next go to one plane, its own
  const int *accumulate;               ///< of each channel, never where it is paired
  ptrdiff_t to_row;
  int relu;
} ck_amx_block;

/// Lines of a plane as they are packed: cell j of tap t's copy is column phases · (j + offset) + phase. A load that crosses cache
/// lines takes a tile five times as long, so that each tap has its own copy. What lies outside of the plane is 0.
typedef struct {
  int first, lines, height, width, phases;
  int columns;                         ///< of 16 cells
  int tap_count;
  ck_tap taps[CK_MAX_TAPS];
  ptrdiff_t copy, line;                ///< distances between copies, and lines
} ck_amx_lines;

/// Two channels: `planes` has one each, or, where they are paired, both have the one plane of their words; NULL where there is no second.
typedef struct {
  ck_source planes;
  int paired, paired_mask;
} ck_amx_source;

/// Products of planes of x, shifted by a tap, with planes of dy, over 32 cells at a time: tiles of sums [16 of x, 16 of dy].
typedef struct {
  const float *x[4], *dy[2];           ///< four and one, or two and two
  ptrdiff_t channel;                   ///< distance between rows of a tile of x; tiles of dy are whole, one after the other
  int rows, steps;                     ///< of 32 cells
  ptrdiff_t x_row;
} ck_amx_correlation;

typedef struct {
  /// Around the work of a task: a tile takes `group` packed channels, and has `channels` rows where there is but a half.
  void (*begin)(int halves, int group, int channels);
  void (*end)(void);

  /// The lines of a packed channel, once for every tap; `made` has room for a line and three vectors.
  void (*pack)(const ck_amx_lines *, ck_amx_source, float *to, float *made);

  /// The sums of a block [16 · halves channels][4 / halves rows][16], by halves − 1.
  void (*products[2])(const ck_amx_block *, float *sums);

  /// Sums, with bias and ReLU, to where the block says; those of even and odd columns by turns.
  void (*store)(const ck_amx_block *, int rows, const float *sums);
  void (*interleave)(const ck_amx_block *, int rows, const float *even, const float *odd);

  // The weight gradient: tiles of x have `channels` rows.
  void (*begin_gradient)(int channels);
  /// Two channels of x, `channel` floats apart, once for every tap: words of two cells. `columns` counts 32 cells; `made` has room for each
  /// phase of a line and two vectors, twice.
  void (*pack_x)(const ck_amx_lines *, ck_amx_source, ptrdiff_t channel, float *to, float *made);
  /// 16 channels of one phase of dy: tiles [16 words of two cells][16 channels], and Σ dy of each channel.
  void (*pack_dy)(const ck_amx_lines *, const ck_amx_source pairs[CK_TILE / 2], float *to, float bias[CK_TILE]);
  /// sums += [tile][16][16], one after the other: x[0…3] with dy[0], or (1) x[0] and x[1] with dy[0], then with dy[1].
  void (*correlate[2])(const ck_amx_correlation *, float *const sums[4]);
} ck_amx_kernels;

const ck_amx_kernels *ck_amx_kernels_current(void);

/// Channel `first` (even) of image n, and the next below `end`; ⊙ [mask > 0] where a mask has data.
ck_amx_source ck_amx_pair(const ck_slab *slabs, const ck_slab *mask, int first, int end, int n, int64_t plane);

/// Finds the copies of a line that the taps along x need, and which tap of which phase has which.
void ck_amx_find_copies(const ck_axis *x, ck_amx_lines *lines, int copy_of[2][4]);

#if defined(__x86_64__)
extern const ck_amx_kernels ck_amx_kernels_native, ck_amx_kernels_emulated;
#endif
