// Forward pass and data gradient of the direct path. Both gather: output cells from taps on packed input planes.
//
// A task is a strip of rows of one image (and, where that makes too few tasks, a part of the output's channels). It
// packs the rows of all input channels that the strip needs, with zeros around them, and runs the tiles over them.
#include "conv_direct.h"

#include <string.h>

#include "conv_bf16.h"

// Packed rows should stay in the second-level cache (1 MiB or more on processors with AVX-512) beside what flows through.
enum { STRIP_FLOATS = 96 * 1024, ENOUGH_TASKS = 8, FEWEST_CHANNELS = 32 };

typedef struct {
  const ck_conv_kernels *k;
  ck_taps taps;
  int packed_in;                       // packed input channels
  int images, in_channels, out_channels, in_height, in_width, out_height, out_width;
  int cells_high, cells_wide;          // of one phase of the output
  int vectors;                         // a row of cells
  ptrdiff_t row, plane, channel;       // packed distances in floats
  int packed_rows;
  int strip, strips;                   // rows of cells a task, tasks an image
  int part, parts;                     // output channels a task, tasks a strip
} gather;

const ck_conv_kernels *ck_conv_kernels_current(void) {
#if defined(__x86_64__)
  switch (ck_isa_current()) {
  case CK_ISA_AVX512:
  case CK_ISA_AVX512BF16:
  case CK_ISA_AMX:
    return &ck_conv_kernels_avx512;
  case CK_ISA_AVX2:
    return &ck_conv_kernels_avx2;
  default:
    break;
  }
#endif
  return &ck_conv_kernels_baseline;
}

const ck_conv_kernels *ck_conv_kernels_for(const ck_conv *c, ck_conv_pass pass) {
  return ck_conv_products(c, pass) == CK_BFLOAT16 ? ck_conv_bf16_current() : ck_conv_kernels_current();
}

static gather plan(const ck_conv *c, int backward) {
  const ck_conv_kernels *k = ck_conv_kernels_for(c, backward ? CK_BACKWARD_DATA : CK_FORWARD);
  gather g = {.k = k, .images = c->images};
  if (backward) {
    g.taps = ck_taps_make(ck_axis_backward(c, c->pad_top), ck_axis_backward(c, c->pad_left));
    g.in_channels = c->out_channels, g.in_height = c->out_height, g.in_width = c->out_width;
    g.out_channels = c->in_channels, g.out_height = c->in_height, g.out_width = c->in_width;
  } else {
    g.taps = ck_taps_make(ck_axis_forward(c, c->pad_top), ck_axis_forward(c, c->pad_left));
    g.in_channels = c->in_channels, g.in_height = c->in_height, g.in_width = c->in_width;
    g.out_channels = c->out_channels, g.out_height = c->out_height, g.out_width = c->out_width;
  }
  const ck_axis *y = &g.taps.y, *x = &g.taps.x;
  int phases = y->in_phases * x->in_phases, halo = y->high - y->low;
  g.packed_in = ck_divide_up(g.in_channels, k->depth);
  g.cells_high = ck_divide_up(g.out_height, y->out_phases);
  g.cells_wide = ck_divide_up(g.out_width, x->out_phases);
  g.vectors = ck_divide_up(g.cells_wide, k->lanes);
  g.row = ck_round_up(g.vectors * k->lanes + x->high - x->low, 16);

  int whole = (int)ck_round_up(g.cells_high, k->rows);
  ptrdiff_t fit = STRIP_FLOATS / (g.row * phases * g.packed_in) - halo;
  int strip = fit < 2 * k->rows ? 2 * k->rows : (int)(fit < whole ? fit : whole);
  g.strips = ck_divide_up(g.cells_high, strip);
  g.strip = (int)ck_round_up(ck_divide_up(g.cells_high, g.strips), k->rows);
  g.strips = ck_divide_up(g.cells_high, g.strip);
  g.packed_rows = g.strip + halo;
  g.plane = ck_odd_lines(g.packed_rows * g.row);
  g.channel = phases * g.plane;

  int blocks = ck_divide_up(g.out_channels, k->channels);
  g.parts = ck_divide_up(ENOUGH_TASKS, g.images * g.strips);
  g.parts = ck_max(1, ck_min(g.parts, g.out_channels / FEWEST_CHANNELS));
  g.part = ck_divide_up(blocks, g.parts) * k->channels;
  g.parts = ck_divide_up(g.out_channels, g.part);
  return g;
}

static size_t scratch_floats(const gather *g) { return (size_t)(g->packed_in * g->channel); }

// ---- Weights: [block of channels][phase][packed channel][tap][channel of the block]

static size_t packed_floats(const gather *g) {
  return (size_t)ck_round_up(g->out_channels, g->k->channels) * g->packed_in * g->taps.total;
}

static float tap_weight(const float *kernel, int side, unsigned rows, unsigned columns) {
  float sum = 0;
  for (int u = 0; u < side; u++)
    for (int v = 0; v < side; v++)
      if (rows >> u & 1 && columns >> v & 1) sum += kernel[u * side + v];
  return sum;
}

/// The weight of a tap between two channels of the pass; 0 where one of them only fills up.
static float weight(const ck_conv *c, const gather *g, int backward, const float *kernel, int o, int i, ck_tap row, ck_tap column) {
  if (o >= g->out_channels || i >= g->in_channels) return 0;
  const float *plane = kernel + (backward ? ck_kernel_plane(c, i, o) : ck_kernel_plane(c, o, i));
  return tap_weight(plane, c->kernel, row.positions, column.positions);
}

static void pack_weights(const ck_conv *c, int backward, const float *kernel, float *packed) {
  const gather plan_of_pass = plan(c, backward), *g = &plan_of_pass;
  const ck_axis *y = &g->taps.y, *x = &g->taps.x;
  for (int first = 0; first < g->out_channels; first += g->k->channels)
    for (int p = 0; p < y->out_phases; p++)
      for (int q = 0; q < x->out_phases; q++)
        for (int i = 0; i < g->packed_in; i++)
          for (int a = 0; a < y->count[p]; a++)
            for (int b = 0; b < x->count[q]; b++)
              for (int o = first; o < first + g->k->channels; o++, packed++) {
                const ck_tap row = y->taps[p][a], column = x->taps[q][b];
                if (g->k->depth == 1) *packed = weight(c, g, backward, kernel, o, i, row, column);
                else
                  ck_bf16_set_word(packed, weight(c, g, backward, kernel, o, 2 * i, row, column),
                                   weight(c, g, backward, kernel, o, 2 * i + 1, row, column));
              }
}

// ---- The pass

/// One block of output channels over a strip whose input is packed.
static void run_block(const gather *g, const ck_operands *a, int n, int first_channel, int first_row, const float *packed,
                      const float *scratch) {
  const ck_conv_kernels *k = g->k;
  const ck_axis *y = &g->taps.y, *x = &g->taps.x;
  int wide = x->out_phases == 2;
  ck_tile t = {.channel = g->channel, .row = g->row, .in_channels = g->packed_in};
  float *to[CK_MAX_CHANNELS];
  int accumulate[CK_MAX_CHANNELS];
  int stored = 0;
  for (int o = 0; o < k->channels; o++) {
    int channel = first_channel + o, slab = 0;
    int inside = channel < g->out_channels;
    to[o] = inside ? ck_channel(a->out, channel, n, (int64_t)g->out_height * g->out_width, &slab) : NULL;
    accumulate[o] = inside && a->accumulate && a->accumulate[slab];
    t.bias[o] = inside && a->bias ? a->bias[channel] : 0;
    stored |= to[o] != NULL;
  }
  if (!stored) return;

  ptrdiff_t offsets[2][2][CK_MAX_TAPS];
  const float *weights[2][2];
  for (int p = 0; p < y->out_phases; p++)
    for (int q = 0; q < x->out_phases; q++) {
      ck_taps_offsets(&g->taps, p, q, g->plane, g->row, offsets[p][q]);
      weights[p][q] = packed;
      packed += (ptrdiff_t)g->packed_in * ck_taps_count(&g->taps, p, q) * k->channels;
    }

  float buffer[2 * CK_MAX_CHANNELS * CK_MAX_ROWS * CK_MAX_LANES] __attribute__((aligned(64)));
  int area = k->channels * k->rows * k->lanes;
  int rows = ck_min(g->strip, g->cells_high - first_row);
  for (int r = 0; r < rows; r += k->rows)
    for (int v = 0; v < g->vectors; v++)
      for (int p = 0; p < y->out_phases; p++) {
        t.in = scratch + r * g->row + v * k->lanes;
        for (int q = 0; wide && q < 2; q++) {
          t.taps = offsets[p][q];
          t.tap_count = ck_taps_count(&g->taps, p, q);
          t.weights = weights[p][q];
          t.to_row = k->lanes, t.rows = k->rows, t.columns = k->lanes, t.relu = 0;
          for (int o = 0; o < k->channels; o++) {
            t.to[o] = buffer + q * area + o * k->rows * k->lanes;
            t.accumulate[o] = 0;
          }
          k->tile(&t);
        }
        // Rows of this phase within the strip and the output: row p of a last, odd pair may be missing.
        int row = y->out_phases * (first_row + r) + p, column = x->out_phases * v * k->lanes;
        t.to_row = (ptrdiff_t)y->out_phases * g->out_width;
        t.rows = ck_min(ck_min(k->rows, rows - r), ck_divide_up(g->out_height - row, y->out_phases));
        t.columns = g->out_width - column;
        t.relu = a->relu;
        for (int o = 0; o < k->channels; o++) {
          t.to[o] = to[o] ? to[o] + (ptrdiff_t)row * g->out_width + column : NULL;
          t.accumulate[o] = accumulate[o];
        }
        if (wide) {
          k->interleave(&t, buffer);
          continue;
        }
        t.taps = offsets[p][0];
        t.tap_count = ck_taps_count(&g->taps, p, 0);
        t.weights = weights[p][0];
        k->tile(&t);
      }
}

static void run(const ck_conv *c, int back, int task, ck_operands io, float *scratch) {
  const gather plan_of_pass = plan(c, back), *g = &plan_of_pass;
  const ck_operands *a = &io;
  const ck_conv_kernels *k = g->k;
  const ck_axis *y = &g->taps.y, *x = &g->taps.x;
  int part = task % g->parts, strip = task / g->parts % g->strips, n = task / g->parts / g->strips;
  int first_row = strip * g->strip;
  int64_t in_plane = (int64_t)g->in_height * g->in_width;
  for (int i = 0; i < g->packed_in; i++) {
    ck_source source = {{NULL}};
    for (int d = 0; d < k->depth && k->depth * i + d < g->in_channels; d++) {
      source.from[d] = ck_channel(a->in, k->depth * i + d, n, in_plane, NULL);
      source.mask[d] = a->gate.data ? ck_channel(&a->gate, k->depth * i + d, n, in_plane, NULL) : NULL;
    }
    k->pack(scratch + i * g->channel, g->plane, g->row, g->packed_rows, first_row + y->low, x->low, source, g->in_height, g->in_width,
            y->in_phases);
  }
  int end = ck_min((part + 1) * g->part, g->out_channels);
  for (int o = part * g->part; o < end; o += k->channels)
    run_block(g, a, n, o, first_row, a->packed + (ptrdiff_t)o * g->packed_in * g->taps.total, scratch);
}

// ---- The path

static size_t packed_size(const ck_conv *c, int back) {
  gather g = plan(c, back);
  return packed_floats(&g);
}

static int tasks(const ck_conv *c, int back) {
  gather g = plan(c, back);
  return g.images * g.strips * g.parts;
}

static size_t scratch_size(const ck_conv *c, int back) {
  gather g = plan(c, back);
  return scratch_floats(&g);
}

const ck_conv_path ck_conv_direct = {
    .packed = packed_size,
    .pack = pack_weights,
    .tasks = tasks,
    .scratch = scratch_size,
    .run = run,
    .partials = ck_direct_weights_partials,
    .weights_tasks = ck_direct_weights_tasks,
    .weights_scratch = ck_direct_weights_scratch,
    .weights = ck_direct_weights,
    .reduce_tasks = ck_direct_weights_reduce_tasks,
    .reduce = ck_direct_weights_reduce,
};
