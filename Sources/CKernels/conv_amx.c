// Forward pass and data gradient by AMX's tiles (the weight gradient: conv_amx_weights.c). Both gather: output cells from taps on packed input lines.
//
// Input is packed as words of two channels, line by line, and within a line channel by channel: the lines that an output row reads stand one
// after the other, and their channels count as one, so that even eight channels fill a tile (3 lines × 4 words of 16). What is left
// of the taps goes along x.
//
// A task is a strip of rows of one image (and, where that makes too few tasks, a part of the output's channels).
#include "conv_amx.h"

#include <string.h>

#include "conv_bf16.h"

// Packed lines should stay in the second-level cache, 2 MiB on processors with AMX. A task packs all input channels, so that it should
// have enough of the output's to make up for it.
enum { STRIP_FLOATS = 160 * 1024, ENOUGH_TASKS = 8, FEWEST_CHANNELS = 128, MOST_LINES = 4 };

/// The lines that rows of one phase of the output read: `count` from `first` on. A line's weights are the sum of the kernel's `positions`.
typedef struct {
  int first, count;
  unsigned positions[MOST_LINES];
} window;

typedef struct {
  const ck_amx_kernels *k;
  ck_axis y, x;
  window windows[2];                   // of each phase along y
  int images, in_channels, out_channels, in_height, in_width, out_height, out_width;
  int words, group;                    // packed channels of a line, and how many a tile takes, of all lines together
  int depth[2];                        // packed channels that a phase reads, rounded up to groups
  int halves, block_rows;              // a block: 16 or 32 channels, four rows or two
  int cells_high, columns;             // of one phase of the output; blocks side by side
  ptrdiff_t cells;                     // distance between packed channels
  ck_amx_lines lines;                  // that a task packs; behind every copy stands a group of zeros
  int copy_of[2][4];                   // each phase's taps along x: which copy
  int strip, strips;                   // rows of cells a task, tasks an image
  int part, parts;                     // output channels a task, tasks a strip
} gather;

static window window_of(const ck_axis *y, int phase) {
  window w = {.first = 1 << 30};
  if (!y->count[phase]) return (window){0};  // a phase that no tap reaches is its bias
  int last = 0;
  for (int t = 0; t < y->count[phase]; t++) {
    const int line = (y->taps[phase][t].offset - y->low) * y->in_phases + y->taps[phase][t].phase;
    w.first = ck_min(w.first, line);
    last = ck_max(last, line);
  }
  w.count = last - w.first + 1;
  for (int t = 0; t < y->count[phase]; t++) {
    const ck_tap tap = y->taps[phase][t];
    w.positions[(tap.offset - y->low) * y->in_phases + tap.phase - w.first] = tap.positions;
  }
  return w;
}

const ck_amx_kernels *ck_amx_kernels_current(void) {
#if defined(__x86_64__)
  return ck_isa_emulates_amx() ? &ck_amx_kernels_emulated : &ck_amx_kernels_native;
#else
  return NULL;
#endif
}

void ck_amx_find_copies(const ck_axis *x, ck_amx_lines *l, int copy_of[2][4]) {
  for (int q = 0; q < x->out_phases; q++)
    for (int t = 0; t < x->count[q]; t++) {
      const ck_tap tap = x->taps[q][t];
      int i = 0;
      while (i < l->tap_count && (l->taps[i].phase != tap.phase || l->taps[i].offset != tap.offset)) i++;
      if (i == l->tap_count) l->taps[l->tap_count++] = tap;
      copy_of[q][t] = i;
    }
}

ck_amx_source ck_amx_pair(const ck_slab *slabs, const ck_slab *mask, int first, int end, int n, int64_t plane) {
  ck_amx_source source = {.paired_mask = mask && mask->paired};
  for (int d = 0; d < 2 && first + d < end; d++) {
    int slab = 0;
    source.planes.from[d] = ck_channel(slabs, first + d, n, plane, &slab);
    source.planes.mask[d] = mask && mask->data ? ck_channel(mask, first + d, n, plane, NULL) : NULL;
    source.paired |= slabs[slab].paired;
  }
  return source;
}

static gather plan(const ck_conv *c, int backward) {
  gather g = {.k = ck_amx_kernels_current(), .images = c->images};
  if (backward) {
    g.y = ck_axis_backward(c, c->pad_top), g.x = ck_axis_backward(c, c->pad_left);
    g.in_channels = c->out_channels, g.in_height = c->out_height, g.in_width = c->out_width;
    g.out_channels = c->in_channels, g.out_height = c->in_height, g.out_width = c->in_width;
  } else {
    g.y = ck_axis_forward(c, c->pad_top), g.x = ck_axis_forward(c, c->pad_left);
    g.in_channels = c->in_channels, g.in_height = c->in_height, g.in_width = c->in_width;
    g.out_channels = c->out_channels, g.out_height = c->out_height, g.out_width = c->out_width;
  }
  g.words = ck_divide_up(g.in_channels, 2);
  int deepest = 0;
  for (int p = 0; p < g.y.out_phases; p++) {
    g.windows[p] = window_of(&g.y, p);
    deepest = ck_max(deepest, g.windows[p].count * g.words);
  }
  g.group = ck_divide_up(deepest, ck_divide_up(deepest, CK_TILE));
  for (int p = 0; p < g.y.out_phases; p++) g.depth[p] = (int)ck_round_up(g.windows[p].count * g.words, g.group);

  g.halves = g.out_channels > CK_TILE ? 2 : 1;
  g.block_rows = 4 / g.halves;
  g.cells_high = ck_divide_up(g.out_height, g.y.out_phases);
  g.columns = ck_divide_up(ck_divide_up(g.out_width, g.x.out_phases), CK_TILE);
  g.cells = ck_odd_lines(g.columns * CK_TILE);
  g.lines = (ck_amx_lines){.height = g.in_height, .width = g.in_width, .phases = g.x.in_phases, .columns = g.columns, .line = g.words * g.cells};
  ck_amx_find_copies(&g.x, &g.lines, g.copy_of);

  const int whole = (int)ck_round_up(g.cells_high, g.block_rows), halo = g.y.high - g.y.low;
  const int fit = (int)(STRIP_FLOATS / (g.lines.line * g.lines.tap_count * g.y.in_phases)) - halo;
  const int strip = ck_min(whole, ck_max(fit, 2 * g.block_rows));
  g.strips = ck_divide_up(g.cells_high, strip);
  g.strip = (int)ck_round_up(ck_divide_up(g.cells_high, g.strips), g.block_rows);
  g.strips = ck_divide_up(g.cells_high, g.strip);
  g.lines.lines = (g.strip + halo) * g.y.in_phases;
  g.lines.copy = g.lines.lines * g.lines.line + g.group * g.cells;

  const int block = g.halves * CK_TILE, blocks = ck_divide_up(g.out_channels, block);
  g.parts = ck_divide_up(ENOUGH_TASKS, g.images * g.strips);
  g.parts = ck_max(1, ck_min(g.parts, g.out_channels / FEWEST_CHANNELS));
  g.part = ck_divide_up(blocks, g.parts) * block;
  g.parts = ck_divide_up(g.out_channels, g.part);
  return g;
}

/// Of a line as words, before it is moved to its copies.
static ptrdiff_t made_floats(const gather *g) { return (g->x.in_phases * g->columns + 4) * CK_TILE; }

static size_t scratch_floats(const gather *g) { return (size_t)(g->lines.tap_count * g->lines.copy + made_floats(g)); }

// ---- Weights: [block of channels][phase][group of packed channels][tap along x][16 or 32 channels][16 packed channels]

/// Floats of phase (p, q) of one block.
static ptrdiff_t phase_floats(const gather *g, int p, int q) {
  return (ptrdiff_t)(g->depth[p] / g->group) * g->x.count[q] * g->halves * CK_TILE * CK_TILE;
}

static size_t packed_floats(const gather *g) {
  ptrdiff_t block = 0;
  for (int p = 0; p < g->y.out_phases; p++)
    for (int q = 0; q < g->x.out_phases; q++) block += phase_floats(g, p, q);
  return (size_t)(block * ck_divide_up(g->out_channels, g->halves * CK_TILE));
}

/// The sum of a kernel's values at these positions along y and x.
static float summed(const float *kernel, int side, unsigned rows, unsigned columns) {
  float sum = 0;
  for (; rows; rows &= rows - 1)
    for (unsigned left = columns; left; left &= left - 1) sum += kernel[__builtin_ctz(rows) * side + __builtin_ctz(left)];
  return sum;
}

/// The weight between two channels of the pass; 0 where one of them only fills up.
static float weight(const ck_conv *c, const gather *g, int backward, const float *kernel, int o, int i, unsigned rows, unsigned columns) {
  if (o >= g->out_channels || i >= g->in_channels) return 0;
  return summed(kernel + (backward ? ck_kernel_plane(c, i, o) : ck_kernel_plane(c, o, i)), c->kernel, rows, columns);
}

static void pack_weights(const ck_conv *c, int backward, const float *kernel, float *packed) {
  const gather g = plan(c, backward);
  const int block = g.halves * CK_TILE;
  float *tile = packed;
  for (int first = 0; first < g.out_channels; first += block)
    for (int p = 0; p < g.y.out_phases; p++)
      for (int q = 0; q < g.x.out_phases; q++)
        for (int group = 0; group < g.depth[p]; group += g.group)
          for (int t = 0; t < g.x.count[q]; t++, tile += block * CK_TILE)
            for (int k = 0; k < CK_TILE; k++) {
              const int i = group + k, line = i / g.words, word = i % g.words;
              const int there = k < g.group && line < g.windows[p].count;
              const unsigned rows = there ? g.windows[p].positions[line] : 0, columns = g.x.taps[q][t].positions;
              for (int o = 0; o < block; o++)
                ck_bf16_set_word(tile + o * CK_TILE + k, weight(c, &g, backward, kernel, first + o, 2 * word, rows, columns),
                                 weight(c, &g, backward, kernel, first + o, 2 * word + 1, rows, columns));
            }
}

// ---- The pass

/// One block of output channels over a strip whose input is packed.
static void run_block(const gather *g, const ck_operands *a, int n, int first_channel, int first_row, const float *packed,
                      const float *scratch) {
  enum { MOST_CHANNELS = 2 * CK_TILE };
  const int channels = ck_min(g->halves * CK_TILE, g->out_channels - first_channel);
  float *to[MOST_CHANNELS];
  int accumulate[MOST_CHANNELS], paired[MOST_CHANNELS], wanted = 0;
  for (int o = 0; o < channels; o++) {
    int slab = 0;
    to[o] = ck_channel(a->out, first_channel + o, n, (int64_t)g->out_height * g->out_width, &slab);
    accumulate[o] = a->accumulate && a->accumulate[slab];
    paired[o] = a->out[slab].paired;
    wanted |= to[o] != NULL;
  }
  if (!wanted) return;

  ptrdiff_t taps[2][CK_MAX_TAPS];
  for (int q = 0; q < g->x.out_phases; q++)
    for (int t = 0; t < g->x.count[q]; t++) taps[q][t] = g->copy_of[q][t] * g->lines.copy;

  ck_amx_block b = {.cells = g->cells, .row = g->y.in_phases * g->lines.line, .group = g->group, .channels = channels, .relu = a->relu,
                    .bias = a->bias ? a->bias + first_channel : NULL, .to = to, .paired = paired, .accumulate = accumulate,
                    .to_row = (ptrdiff_t)g->y.out_phases * g->out_width};
  float sums[2][CK_TILE_SUMS] __attribute__((aligned(64)));
  const int rows = ck_min(g->strip, g->cells_high - first_row);
  for (int r = 0; r < rows; r += g->block_rows)
    for (int v = 0; v < g->columns; v++) {
      const float *weights = packed;
      for (int p = 0; p < g->y.out_phases; p++) {
        b.in = scratch + r * b.row + g->windows[p].first * g->lines.line + v * CK_TILE;
        b.depth = g->depth[p];
        for (int q = 0; q < g->x.out_phases; q++) {
          b.taps = taps[q], b.tap_count = g->x.count[q], b.weights = weights;
          g->k->products[g->halves - 1](&b, sums[q]);
          weights += phase_floats(g, p, q);
        }
        // Rows of this phase within the strip and the output: row p of a last, odd pair may be missing.
        const int row = g->y.out_phases * (first_row + r) + p, column = g->x.out_phases * v * CK_TILE;
        b.rows = ck_min(ck_min(g->block_rows, rows - r), ck_divide_up(g->out_height - row, g->y.out_phases));
        b.columns = g->out_width - column, b.first = (ptrdiff_t)row * g->out_width + column;
        if (g->x.out_phases == 2) g->k->interleave(&b, g->block_rows, sums[0], sums[1]);
        else g->k->store(&b, g->block_rows, sums[0]);
      }
    }
}

static void pack_input(const gather *g, const ck_operands *a, int n, int first_row, float *scratch) {
  const int64_t plane = (int64_t)g->in_height * g->in_width;
  ck_amx_lines lines = g->lines;
  lines.first = (first_row + g->y.low) * g->y.in_phases;
  for (int word = 0; word < g->words; word++)
    g->k->pack(&lines, ck_amx_pair(a->in, &a->gate, 2 * word, g->in_channels, n, plane), scratch + word * g->cells,
               scratch + lines.tap_count * lines.copy);
  // What a last group reads beyond its lines is multiplied by 0, and must be a number.
  for (int t = 0; t < lines.tap_count; t++)
    memset(scratch + t * lines.copy + lines.lines * lines.line, 0, (size_t)(g->group * g->cells) * sizeof *scratch);
}

static void run(const ck_conv *c, int back, int task, ck_operands io, float *scratch) {
  const gather plan_of_pass = plan(c, back), *g = &plan_of_pass;
  const ck_operands *a = &io;
  const int part = task % g->parts, strip = task / g->parts % g->strips, n = task / g->parts / g->strips;
  const int first_row = strip * g->strip, block = g->halves * CK_TILE;
  const ptrdiff_t block_floats = (ptrdiff_t)packed_floats(g) / ck_divide_up(g->out_channels, block);
  pack_input(g, a, n, first_row, scratch);
  g->k->begin(g->halves, g->group, ck_min(g->out_channels, CK_TILE));
  const int end = ck_min((part + 1) * g->part, g->out_channels);
  for (int o = part * g->part; o < end; o += block) run_block(g, a, n, o, first_row, a->packed + o / block * block_floats, scratch);
  g->k->end();
}

// ---- The path

static size_t packed_size(const ck_conv *c, int back) {
  const gather g = plan(c, back);
  return packed_floats(&g);
}

static int tasks(const ck_conv *c, int back) {
  const gather g = plan(c, back);
  return g.images * g.strips * g.parts;
}

static size_t scratch_size(const ck_conv *c, int back) {
  const gather g = plan(c, back);
  return scratch_floats(&g);
}

const ck_conv_path ck_conv_amx = {
    .packed = packed_size,
    .pack = pack_weights,
    .tasks = tasks,
    .scratch = scratch_size,
    .run = run,
    .partials = ck_amx_weights_partials,
    .weights_tasks = ck_amx_weights_tasks,
    .weights_scratch = ck_amx_weights_scratch,
    .weights = ck_amx_weights,
    .reduce_tasks = ck_amx_weights_reduce_tasks,
    .reduce = ck_amx_weights_reduce,
};
