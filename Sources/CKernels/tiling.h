// How a pass over the tiles of all images is cut into tasks. A tile is what the matrix products of winograd.h, strided.h and
// enlarged.h take as one column: 4 × 4 pixels, of the coarse plane, or one pixel of the small image. The tiles of several
// rows, and of several images where planes are small, are numbered through.
#pragma once
#include "conv.h"
#include "conv_plan.h"

/// A pass from `in_channels` to `out_channels`. It depends on the shape alone.
typedef struct {
  int height, width, in_channels, out_channels;
  int across, rows;           ///< tiles a tile row, tile rows of all images
  int task_rows;              ///< tile rows at a time
  int chunks;                 ///< times task_rows a task
  int tiles;                  ///< tiles of task_rows, rounded up to whole vectors
  int groups, group_channels; ///< output channels are cut into this many tasks
} ck_tiling;

enum { CK_BLOCK = 16 };       ///< output channels whose weights lie together, and which are computed at a time

/// For the forward pass, or `back` from the outputs to the inputs: tiles of `side` × `side` pixels of the convolution's
/// input, about `tiles` of them a task.
ck_tiling ck_tiling_data(const ck_conv *c, int back, int side, int tiles);

/// For the weight gradient: about `tiles` at a time, at most `cuts` cuts of all tiles.
ck_tiling ck_tiling_weights(const ck_conv *c, int side, int tiles, int cuts);

/// Cuts of all tiles; each is shared out to `groups` tasks.
static inline int ck_tiling_cuts(const ck_tiling *t) { return ck_divide_up(t->rows, t->task_rows * t->chunks); }

static inline int ck_tiling_tasks(ck_tiling t) { return ck_tiling_cuts(&t) * t.groups; }

/// Floats that one cut leaves of the weight gradient: k² kernels, whose channels are rounded up to fours, then biases.
static inline ptrdiff_t ck_tiling_partial(const ck_tiling *t, int kernel) {
  return kernel * kernel * ck_round_up(t->in_channels, 4) * ck_round_up(t->out_channels, 4) + ck_round_up(t->out_channels, 16);
}
