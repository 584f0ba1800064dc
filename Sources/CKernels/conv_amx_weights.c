// Weight and bias gradient by AMX's tiles: sums, over all cells, of products of planes of x, shifted by a tap, with planes of dy.
//
// A task has some of the images' strips (a group, with partial sums of its own) and some of the output's channels. It packs as many lines of
// x and dy as stay in the second-level cache, and for each tap runs tiles along them.
#include <string.h>

#include "conv_amx.h"

enum {
  STRIP_FLOATS = 160 * 1024,           // packed x and dy
  IN_BLOCK = 32,                       // input channels packed at a time
  OUT_BLOCK = 128,                     // output channels a task
  FEWEST_ROWS = 4,
  ENOUGH_TASKS = 8,
  MOST_GROUPS = 16,
  PARTIAL_FLOATS = 1024 * 1024,        // all groups together, where that leaves enough tasks
  TILE = CK_TILE * CK_TILE,
};

typedef struct {
  const ck_amx_kernels *k;
  ck_taps taps;
  ck_amx_lines x;                      // a strip of a channel
  int copy_of[2][4];                   // each phase's taps along x: which copy
  int in_block, out_block, in_tiles, out_tiles;
  int cells_high, steps;               // of one phase of the output; 32 cells
  ptrdiff_t channel;                   // distances in packed x
  ptrdiff_t dy_tile, dy_phase;         // and in packed dy
  int strip, strips;                   // rows a strip, strips an image
  int items, groups, parts;            // strips of all images
  ptrdiff_t sums;                      // floats of a group: [tap][tile of x][tile of dy][16][16], then biases
} plan;

static plan make(const ck_conv *c) {
  plan g = {.k = ck_amx_kernels_current(), .taps = ck_taps_make(ck_axis_forward(c, c->pad_top), ck_axis_forward(c, c->pad_left))};
  const ck_axis *y = &g.taps.y, *x = &g.taps.x;
  const int halo = y->high - y->low;
  g.in_tiles = ck_divide_up(c->in_channels, CK_TILE);
  g.out_tiles = ck_divide_up(c->out_channels, CK_TILE);
  g.in_block = ck_min(IN_BLOCK, g.in_tiles * CK_TILE);
  g.out_block = ck_min(OUT_BLOCK, g.out_tiles * CK_TILE);
  g.cells_high = ck_divide_up(c->out_height, y->out_phases);
  g.steps = ck_divide_up(ck_divide_up(c->out_width, x->out_phases), 2 * CK_TILE);
  g.x = (ck_amx_lines){.height = c->in_height, .width = c->in_width, .phases = x->in_phases, .columns = g.steps, .line = g.steps * CK_TILE};
  ck_amx_find_copies(x, &g.x, g.copy_of);

  g.parts = ck_divide_up(c->out_channels, g.out_block);
  g.sums = (ptrdiff_t)g.taps.total * g.in_tiles * g.out_tiles * TILE + g.out_tiles * CK_TILE;
  const int wanted = ck_max(ck_divide_up(ENOUGH_TASKS, g.parts), ck_min(MOST_GROUPS, (int)(PARTIAL_FLOATS / g.sums)));

  const ptrdiff_t a_row = g.x.line * (g.in_block * g.x.tap_count * y->in_phases + g.out_block * g.taps.phases);
  const int fit = (int)(STRIP_FLOATS / a_row) - halo;
  g.strips = ck_divide_up(g.cells_high, ck_max(fit, FEWEST_ROWS));
  g.strip = ck_divide_up(g.cells_high, g.strips);
  g.items = c->images * g.strips;
  g.groups = ck_min(g.items, wanted);

  g.x.lines = (g.strip + halo) * y->in_phases;
  g.channel = ck_odd_lines(g.x.lines * g.x.line);
  g.x.copy = g.in_block * g.channel;
  g.dy_tile = (ptrdiff_t)g.strip * g.steps * TILE;
  g.dy_phase = g.out_block / CK_TILE * g.dy_tile;
  return g;
}

static ptrdiff_t x_floats(const plan *g) { return g->x.tap_count * g->x.copy; }
static ptrdiff_t dy_floats(const plan *g) { return g->taps.phases * g->dy_phase; }

size_t ck_amx_weights_partials(const ck_conv *c) {
  const plan g = make(c);
  return (size_t)(g.groups * g.sums);
}

int ck_amx_weights_tasks(const ck_conv *c) {
  const plan g = make(c);
  return g.groups * g.parts;
}

size_t ck_amx_weights_scratch(const ck_conv *c) {
  const plan g = make(c);
  return (size_t)(x_floats(&g) + dy_floats(&g) + 2 * g.x.phases * (g.steps + 2) * CK_TILE) + TILE;
}

/// Sums of a tap (counted through all phases), a tile of x and one of dy.
static ptrdiff_t sums_at(const plan *g, int tap, int in_tile, int out_tile) {
  return (((ptrdiff_t)tap * g->in_tiles + in_tile) * g->out_tiles + out_tile) * TILE;
}

/// Adds the products of packed x with packed dy; `spare` takes what fills a call up.
static void multiply(const plan *g, const float *x, int first_in, int in_tiles, const float *dy, int first_out, int out_tiles,
                     int rows, float *sums, float *spare) {
  const ck_axis *ay = &g->taps.y, *ax = &g->taps.x;
  ck_amx_correlation job = {.channel = g->channel, .rows = rows, .steps = g->steps, .x_row = ay->in_phases * g->x.line};
  int tap = 0;
  for (int p = 0; p < ay->out_phases; p++)
    for (int q = 0; q < ax->out_phases; q++, dy += g->dy_phase) {
      enum { MOST = CK_MAX_TAPS * IN_BLOCK / CK_TILE };
      const float *streams[MOST + 4];
      ptrdiff_t to[MOST];
      int count = 0;
      for (int a = 0; a < ay->count[p]; a++)
        for (int b = 0; b < ax->count[q]; b++, tap++)
          for (int i = 0; i < in_tiles; i++, count++) {
            const int line = (ay->taps[p][a].offset - ay->low) * ay->in_phases + ay->taps[p][a].phase;
            streams[count] = x + g->copy_of[q][b] * g->x.copy + i * CK_TILE * g->channel + line * g->x.line;
            to[count] = sums_at(g, tap, first_in + i, first_out);
          }
      for (int s = count; s < count + 4; s++) streams[s] = streams[0];
      for (int o = 0; o < out_tiles; o += 2) {
        const int outs = ck_min(2, out_tiles - o), at_a_time = 4 / outs;
        job.dy[0] = dy + o * g->dy_tile, job.dy[1] = job.dy[0] + g->dy_tile;
        for (int s = 0; s < count; s += at_a_time) {
          float *found[4];
          for (int k = 0; k < 4; k++) {
            const int stream = s + k % at_a_time;
            job.x[k] = streams[stream];
            found[k] = stream < count ? sums + to[stream] + (o + k / at_a_time) * TILE : spare;
          }
          g->k->correlate[outs - 1](&job, found);
        }
      }
    }
}

void ck_amx_weights(const ck_conv *c, int task, const ck_slab *in, int slabs, ck_slab dy, ck_slab y, float *partials, float *scratch) {
  (void)slabs;
  const plan g = make(c);
  const int64_t in_area = (int64_t)c->in_height * c->in_width, out_area = (int64_t)c->out_height * c->out_width;
  float *x = scratch, *d = x + x_floats(&g), *spare = d + dy_floats(&g);
  const int group = task / g.parts, first = task % g.parts * g.out_block, channels = ck_min(g.out_block, c->out_channels - first);
  const int first_tile = first / CK_TILE, tiles = ck_divide_up(channels, CK_TILE);
  float *sums = partials + group * g.sums, *bias = sums + g.sums - g.out_tiles * CK_TILE + first;
  for (int t = 0; t < g.taps.total; t++)
    for (int i = 0; i < g.in_tiles; i++) memset(sums + sums_at(&g, t, i, first_tile), 0, (size_t)tiles * TILE * sizeof *sums);
  memset(bias, 0, (size_t)tiles * CK_TILE * sizeof *bias);

  g.k->begin_gradient(c->in_channels);
  for (int item = (int)((int64_t)g.items * group / g.groups); item < (int)((int64_t)g.items * (group + 1) / g.groups); item++) {
    const int n = item / g.strips, first_row = item % g.strips * g.strip, rows = ck_min(g.strip, g.cells_high - first_row);
    for (int p = 0; p < g.taps.phases; p++) {
      const int across = g.taps.x.out_phases;
      const ck_amx_lines lines = {.first = g.taps.y.out_phases * first_row + p / across, .lines = rows, .height = c->out_height,
                                  .width = c->out_width, .phases = across, .columns = g.steps, .tap_count = 1, .taps = {{.phase = p % across}}};
      for (int tile = 0; tile < tiles; tile++) {
        ck_amx_source pairs[CK_TILE / 2];
        for (int o = 0; o < CK_TILE; o += 2)
          pairs[o / 2] = ck_amx_pair(&dy, &y, first + tile * CK_TILE + o, first + channels, n, out_area);
        g.k->pack_dy(&lines, pairs, d + p * g.dy_phase + tile * g.dy_tile, bias + tile * CK_TILE);
      }
    }
    ck_amx_lines lines = g.x;
    lines.first = (first_row + g.taps.y.low) * g.taps.y.in_phases;
    for (int i = 0; i < c->in_channels; i += g.in_block) {
      const int block = ck_min(g.in_block, c->in_channels - i);
      for (int j = 0; j < block; j += 2)
        g.k->pack_x(&lines, ck_amx_pair(in, NULL, i + j, c->in_channels, n, in_area), g.channel, x + j * g.channel, spare + TILE);
      multiply(&g, x, i / CK_TILE, ck_divide_up(block, CK_TILE), d, first_tile, tiles, rows, sums, spare);
    }
  }
  g.k->end();
}

// ---- The sum of the groups

int ck_amx_weights_reduce_tasks(const ck_conv *c) { return ck_divide_up(c->out_channels, CK_TILE); }

void ck_amx_weights_reduce(const ck_conv *c, int task, const float *partials, float *dkernel, float *dbias, int accumulate) {
  const plan g = make(c);
  const ck_axis *y = &g.taps.y, *x = &g.taps.x;
  const int first = task * CK_TILE, channels = ck_min(CK_TILE, c->out_channels - first);
  const float *bias = partials + g.sums - g.out_tiles * CK_TILE + first;
  for (int o = 0; o < channels; o++) {
    float sum = accumulate ? dbias[first + o] : 0;
    for (int n = 0; n < g.groups; n++) sum += bias[n * g.sums + o];
    dbias[first + o] = sum;
  }
  const int area = c->kernel * c->kernel;
  for (int i = 0; i < c->in_channels; i++) {
    enum { MOST_POSITIONS = 9 };
    float found[CK_TILE][MOST_POSITIONS] = {{0}};
    int tap = 0;
    for (int p = 0; p < y->out_phases; p++)
      for (int q = 0; q < x->out_phases; q++)
        for (int a = 0; a < y->count[p]; a++)
          for (int b = 0; b < x->count[q]; b++, tap++) {
            const float *from = partials + sums_at(&g, tap, i / CK_TILE, task) + i % CK_TILE * CK_TILE;
            float sum[CK_TILE] = {0};
            for (int n = 0; n < g.groups; n++)
              for (int o = 0; o < CK_TILE; o++) sum[o] += from[n * g.sums + o];
            for (unsigned u = y->taps[p][a].positions; u; u &= u - 1)
              for (unsigned v = x->taps[q][b].positions; v; v &= v - 1)
                for (int o = 0; o < CK_TILE; o++) found[o][__builtin_ctz(u) * c->kernel + __builtin_ctz(v)] += sum[o];
          }
    for (int o = 0; o < channels; o++) {
      float *to = dkernel + ck_kernel_plane(c, first + o, i);
      for (int k = 0; k < area; k++) to[k] = accumulate ? to[k] + found[o][k] : found[o][k];
    }
  }
}
