// Weight and bias gradient of the direct path: sums of products of planes of dy with shifted planes of x.
//
// The shifted planes ("streams") of a phase of the output are all pairs of an input channel and a tap; a block of
// channels of dy and streams keeps its sums in registers over a chunk of rows that stays in the first-level cache.
// A task has some of the images' strips (a group, with partial sums of its own) and some of the output's channels.
// Products of bfloat16 come in twos: there a packed plane holds a channel of two images, and the sums run over both.
#include <string.h>

#include "conv_direct.h"

enum {
  STRIP_FLOATS = 96 * 1024,           // packed x and dy: half of a second-level cache
  CHUNK_VECTORS = 256,                 // a row of a chunk's blocks: fewer would make adding up lanes cost more than cache misses
  IN_BLOCK = 8,                       // input channels packed at a time
  OUT_BLOCK = 64,                      // output channels a task
  MOST_GROUPS = 16,
  FEWEST_GROUPS = 4,
  PARTIAL_FLOATS = 1024 * 1024,        // all groups together, where that leaves more than FEWEST_GROUPS
};

typedef struct {
  const ck_conv_kernels *k;
  ck_taps taps;
  int in_block, out_block;             // channels
  int cells_high, cells_wide, vectors; // of one phase of the output
  ptrdiff_t row, segment, in_plane, out_plane;
  int chunk, strip, strips;            // rows
  int images;                          // as they are packed: one or two in one
  int stack;                           // of these, side by side in one packed plane, where they are small
  int items;                           // (images / stack) × strips
  int groups, parts;
  ptrdiff_t per_channel;               // sums an output channel: in_channels × taps of all phases
} plan;

static plan make(const ck_conv *c) {
  const ck_conv_kernels *k = ck_conv_kernels_for(c, CK_BACKWARD_WEIGHTS);
  plan g = {.k = k, .taps = ck_taps_make(ck_axis_forward(c, c->pad_top), ck_axis_forward(c, c->pad_left))};
  const ck_axis *y = &g.taps.y, *x = &g.taps.x;
  int halo = y->high - y->low, in_phases = y->in_phases * x->in_phases;
  g.in_block = ck_min(IN_BLOCK, c->in_channels);
  g.out_block = ck_min(OUT_BLOCK, (int)ck_round_up(c->out_channels, k->gradient_channels));
  g.cells_high = ck_divide_up(c->out_height, y->out_phases);
  g.cells_wide = ck_divide_up(c->out_width, x->out_phases);
  g.vectors = ck_divide_up(g.cells_wide, k->lanes);
  g.row = ck_round_up(g.vectors * k->lanes + x->high - x->low, 16);
  g.images = ck_divide_up(c->images, k->depth);

  // Wider registers take more floats through the first-level cache in a chunk; the cache is the same.
  int chunk_vectors = CHUNK_VECTORS * CK_MAX_LANES / k->lanes;
  ptrdiff_t a_row = g.row * (g.in_block * in_phases + g.out_block * g.taps.phases);
  int fit = (int)(STRIP_FLOATS / a_row);
  g.chunk = ck_min(g.cells_high, ck_max(1, chunk_vectors / g.vectors));
  g.stack = 1;
  if (fit - halo >= g.cells_high) {
    g.strip = g.cells_high;
    int enough = ck_divide_up(chunk_vectors, g.cells_high * g.vectors);
    g.stack = ck_max(1, ck_min(ck_min(enough, fit / (g.cells_high + halo)), g.images));
  } else {
    g.strip = ck_max(1, (fit - halo) / g.chunk) * g.chunk;
  }
  g.strips = ck_divide_up(g.cells_high, g.strip);
  g.segment = (g.strip + halo) * g.row;
  g.in_plane = g.out_plane = ck_odd_lines(g.stack * g.segment);

  g.items = ck_divide_up(g.images, g.stack) * g.strips;
  g.per_channel = (ptrdiff_t)c->in_channels * g.taps.total;
  ptrdiff_t all = (g.per_channel + 1) * c->out_channels;
  int groups = (int)(PARTIAL_FLOATS / all);
  g.groups = ck_min(g.items, ck_max(FEWEST_GROUPS, ck_min(MOST_GROUPS, groups)));
  g.parts = ck_divide_up(c->out_channels, g.out_block);
  return g;
}

size_t ck_direct_weights_partials(const ck_conv *c) {
  plan g = make(c);
  return (size_t)g.groups * c->out_channels * (g.per_channel + 1);
}

int ck_direct_weights_tasks(const ck_conv *c) {
  plan g = make(c);
  return g.groups * g.parts;
}

size_t ck_direct_weights_scratch(const ck_conv *c) {
  plan g = make(c);
  return (size_t)(g.in_block * g.taps.y.in_phases * g.taps.x.in_phases * g.in_plane + g.out_block * g.taps.phases * g.out_plane);
}

/// A run of rows of packed planes, the same in each of the stacked images.
typedef struct {
  int images, first, rows;
} chunk;

/// Adds the products of `out_channels` packed channels of dy with `in_channels` packed channels of x to
/// `to` [out_channels][per_channel], at the sums of input channel `first_in`.
static void multiply(const plan *g, const ck_conv *c, const float *x, int first_in, int in_channels, const float *dy,
                     int out_channels, chunk rows, float *to) {
  const ck_conv_kernels *k = g->k;
  ptrdiff_t in_channel = g->taps.y.in_phases * g->taps.x.in_phases * g->in_plane;
  ptrdiff_t out_channel = g->taps.phases * g->out_plane;
  ck_correlation job = {.dy_channel = out_channel, .segments = rows.images, .rows = rows.rows, .vectors = g->vectors,
                        .segment = g->segment, .row = g->row, .to_channel = g->per_channel};
  for (int p = 0; p < g->taps.y.out_phases; p++)
    for (int q = 0; q < g->taps.x.out_phases; q++) {
      ptrdiff_t offsets[CK_MAX_TAPS];
      int count = ck_taps_count(&g->taps, p, q), streams = in_channels * count;
      ck_taps_offsets(&g->taps, p, q, g->in_plane, g->row, offsets);
      // The last block is filled up with streams that are there anyway.
      const float *pointers[IN_BLOCK * CK_MAX_TAPS + CK_MAX_STREAMS];
      for (int i = 0, s = 0; i < in_channels; i++)
        for (int t = 0; t < count; t++) pointers[s++] = x + i * in_channel + offsets[t] + rows.first * g->row;
      for (int s = streams; s < streams + CK_MAX_STREAMS; s++) pointers[s] = pointers[0];

      const float *phase = dy + (p * g->taps.x.out_phases + q) * g->out_plane + rows.first * g->row;
      for (int o = 0; o < out_channels; o += k->gradient_channels) {
        job.dy = phase + o * out_channel;
        job.channels = ck_min(k->gradient_channels, out_channels - o);
        for (int s = 0; s < streams; s += k->streams) {
          job.x = pointers + s;
          job.streams = ck_min(k->streams, streams - s);
          job.to = to + o * g->per_channel + (ptrdiff_t)first_in * count + s;
          k->correlate(&job);
        }
      }
      to += (ptrdiff_t)c->in_channels * count;
    }
}

/// A channel of packed image `n`: of one image, or of two; the last may have no second.
static ck_source source(const ck_conv *c, int depth, const ck_slab *in, const ck_slab *mask, int channel, int n, int64_t area) {
  ck_source s = {{NULL}};
  for (int d = 0; d < depth && depth * n + d < c->images; d++) {
    s.from[d] = ck_channel(in, channel, depth * n + d, area, NULL);
    s.mask[d] = mask->data ? ck_channel(mask, channel, depth * n + d, area, NULL) : NULL;
  }
  return s;
}

void ck_direct_weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials,
                       float *scratch) {
  (void)slabs;
  plan g = make(c);
  const ck_conv_kernels *k = g.k;
  int in_phases = g.taps.y.in_phases, out_phases = g.taps.y.out_phases;
  ptrdiff_t in_channel = in_phases * in_phases * g.in_plane, out_channel = g.taps.phases * g.out_plane;
  int64_t in_area = (int64_t)c->in_height * c->in_width, out_area = (int64_t)c->out_height * c->out_width;
  float *x = scratch, *d = scratch + g.in_block * in_channel;

  const ck_slab none = {NULL};
  int group = task / g.parts, first = task % g.parts * g.out_block;
  int channels = ck_min(g.out_block, c->out_channels - first);
  int padded = (int)ck_round_up(channels, k->gradient_channels);
  float *sums = partials + (ptrdiff_t)group * c->out_channels * (g.per_channel + 1);
  float *bias = sums + c->out_channels * g.per_channel + first;
  sums += first * g.per_channel;
  memset(sums, 0, channels * g.per_channel * sizeof(float));
  memset(bias, 0, channels * sizeof(float));

  for (int item = (int)((int64_t)g.items * group / g.groups); item < (int)((int64_t)g.items * (group + 1) / g.groups); item++) {
    int first_image = item / g.strips * g.stack, first_row = item % g.strips * g.strip;
    int images = ck_min(g.stack, g.images - first_image), rows = ck_min(g.strip, g.cells_high - first_row);
    for (int o = 0; o < padded; o++)
      for (int n = 0; n < images; n++) {
        float *to = d + o * out_channel + n * g.segment;
        // Channels that only fill the last block up stay out of the sums, but must not be slow or strange numbers.
        int channel = first + ck_min(o, channels - 1);
        k->pack(to, g.out_plane, g.row, rows, first_row, 0, source(c, k->depth, &dy, &y, channel, first_image + n, out_area),
                c->out_height, c->out_width, out_phases);
        for (int p = 0; o < channels && p < g.taps.phases; p++) bias[o] += k->sum(to + p * g.out_plane, g.row, rows, g.vectors);
      }
    for (int i = 0; i < c->in_channels; i += g.in_block) {
      int block = ck_min(g.in_block, c->in_channels - i);
      for (int j = 0; j < block; j++)
        for (int n = 0; n < images; n++)
          k->pack(x + j * in_channel + n * g.segment, g.in_plane, g.row, rows + g.taps.y.high - g.taps.y.low,
                  first_row + g.taps.y.low, g.taps.x.low, source(c, k->depth, in, &none, i + j, first_image + n, in_area),
                  c->in_height, c->in_width, in_phases);
      for (int r = 0; r < rows; r += g.chunk)
        multiply(&g, c, x, i, block, d, channels, (chunk){images, r, ck_min(g.chunk, rows - r)}, sums);
    }
  }
}

// ---- The sum of the groups

int ck_direct_weights_reduce_tasks(const ck_conv *c) { return ck_divide_up(c->out_channels, 8); }

void ck_direct_weights_reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias,
                              int accumulate) {
  plan g = make(c);
  const ck_axis *y = &g.taps.y, *x = &g.taps.x;
  ptrdiff_t stride = (ptrdiff_t)c->out_channels * (g.per_channel + 1);
  for (int o = 8 * task; o < ck_min(8 * task + 8, c->out_channels); o++) {
    float sum = 0;
    for (int n = 0; n < g.groups; n++) sum += partials[n * stride + c->out_channels * g.per_channel + o];
    dbias[o] = accumulate ? dbias[o] + sum : sum;
    const float *from = partials + o * g.per_channel;
    if (c->kind == CK_CONV) {
      // Its taps are the kernel's positions in their order.
      float *to = dkernel + ck_kernel_plane(c, o, 0);
      if (!accumulate) memset(to, 0, g.per_channel * sizeof(float));
      for (int n = 0; n < g.groups; n++)
        for (ptrdiff_t s = 0; s < g.per_channel; s++) to[s] += from[n * stride + s];
      continue;
    }
    for (int i = 0; i < c->in_channels; i++) {
      float *to = dkernel + ck_kernel_plane(c, o, i);
      if (!accumulate) memset(to, 0, (size_t)c->kernel * c->kernel * sizeof(float));
      const float *phase = from;
      for (int p = 0; p < y->out_phases; p++)
        for (int q = 0; q < x->out_phases; q++) {
          const float *tap = phase + (ptrdiff_t)i * ck_taps_count(&g.taps, p, q);
          for (int a = 0; a < y->count[p]; a++)
            for (int b = 0; b < x->count[q]; b++, tap++) {
              sum = 0;
              for (int n = 0; n < g.groups; n++) sum += tap[n * stride];
              for (int u = 0; u < c->kernel; u++)
                for (int v = 0; v < c->kernel; v++)
                  if (y->taps[p][a].positions >> u & 1 && x->taps[q][b].positions >> v & 1) to[u * c->kernel + v] += sum;
            }
          phase += (ptrdiff_t)c->in_channels * ck_taps_count(&g.taps, p, q);
        }
    }
  }
}
