// What the direct path needs of an instruction set. The one source is conv_kernels.inc.h, compiled for each set by
// conv_baseline.c, conv_avx2.c and conv_avx512.c, and for bfloat16 by conv_bf16_….c.
#pragma once
#include "CKernels.h"

enum { CK_MAX_CHANNELS = 4, CK_MAX_ROWS = 8, CK_MAX_LANES = 16, CK_MAX_STREAMS = 8, CK_MAX_TAPS = 16 };

/// What is packed into one plane: `depth` channels (or images, in the weight gradient), each ⊙ [mask > 0] where it has a
/// mask. NULL stands for zeros. float32 takes the first alone.
typedef struct {
  const float *from[2], *mask[2];
} ck_source;

/// One tile of output: `channels` × `rows` of the set, one vector wide.
typedef struct {
  const float *in;                     ///< packed planes, at the tile's first cell
  ptrdiff_t channel, row;              ///< distances between packed channels and rows
  int in_channels;                     ///< packed
  int tap_count;
  const ptrdiff_t *taps;
  const float *weights;                ///< [in_channels][tap_count][channels of the tile]
  float bias[CK_MAX_CHANNELS];
  // Where it goes. A channel with NULL is not stored.
  float *to[CK_MAX_CHANNELS];
  int accumulate[CK_MAX_CHANNELS];
  ptrdiff_t to_row;
  int rows, columns;                   ///< how much of the tile lies within the output
  int relu;
} ck_tile;

/// Sums of products of a block of planes of dy with a block of shifted planes of x, over cells of packed planes.
typedef struct {
  const float *dy;
  ptrdiff_t dy_channel;
  const float *const *x;               ///< one pointer a stream; as many as a block has
  int segments, rows, vectors;
  ptrdiff_t segment, row;
  float *to;                           ///< where the sums are added: [channels][streams], channels `to_channel` apart
  ptrdiff_t to_channel;
  int channels, streams;               ///< how many of the block's are wanted
} ck_correlation;

typedef struct {
  int lanes;
  int depth;                           ///< values a packed cell holds: a float32, or two bfloat16, the first in the low half
  int channels, rows;                  ///< a tile of the forward and data passes
  int gradient_channels, streams;      ///< a block of the weight gradient

  void (*tile)(const ck_tile *);

  /// Two tiles, the even and the odd columns of the output, from buffers [2][channels][rows][lanes] to where `t` says.
  void (*interleave)(const ck_tile *t, const float *buffer);

  /// Packs a source (dense height × width), split into phases × phases planes `plane` cells apart, as `rows` rows of `row`
  /// cells from cell (first_row, first_column) on; zeros around it.
  void (*pack)(float *to, ptrdiff_t plane, ptrdiff_t row, int rows, int first_row, int first_column, ck_source source,
               int height, int width, int phases);

  void (*correlate)(const ck_correlation *);

  /// Sum of the values of `rows` packed rows of `vectors` vectors.
  float (*sum)(const float *from, ptrdiff_t row, int rows, int vectors);
} ck_conv_kernels;

extern const ck_conv_kernels ck_conv_kernels_baseline, ck_conv_bf16_baseline;
#if defined(__x86_64__)
extern const ck_conv_kernels ck_conv_kernels_avx2, ck_conv_kernels_avx512;
extern const ck_conv_kernels ck_conv_bf16_avx2, ck_conv_bf16_avx512, ck_conv_bf16_avx512bf16;
#endif
