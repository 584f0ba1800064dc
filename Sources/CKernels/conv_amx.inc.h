// A tile of output by AMX (part of conv_kernels.inc.h): 32 channels × 2 rows × 16 cells, four products a tap.
//
// TDPBF16PS adds to a tile of sums [16, 16] the product of a tile of words [16, k] and one [k, 16]. Here those are the weights
// [channels, packed input channels], as they are packed, and the cells [packed input channels, cells], as they stand in the
// packed planes: its rows lie a packed channel apart. k is at most 16, that is 32 input channels.
#include "conv_amx_tiles.h"

// Registers: 0 … 3 sums [channels 0 … 15, 16 … 31][row 0, 1], 4 and 5 weights, 6 and 7 cells.
static void begin(int group) {
  ck_tile_config config = {.palette = 1};
  for (int t = 0; t < 8; t++) {
    config.bytes[t] = (uint16_t)(t == 4 || t == 5 ? 4 * group : 64);
    config.rows[t] = (uint8_t)(t >= 6 ? group : 16);
  }
  tile_configure(&config);
}

static void end(void) { tile_release(); }

static void tile(const ck_tile *t) {
  enum { HALF = 16 };
  const float *w = t->weights, *in = t->in;
  tile_zero(0);
  tile_zero(1);
  tile_zero(2);
  tile_zero(3);
  for (int c = 0; c < t->in_channels; c += t->group, in += t->group * t->channel)
    for (int k = 0; k < t->tap_count; k++, w += CHANNELS * t->group) {
      tile_load(6, in + t->taps[k], t->channel);
      tile_load(7, in + t->taps[k] + t->row, t->channel);
      tile_load(4, w, t->group);
      tile_multiply(0, 4, 6);
      tile_multiply(1, 4, 7);
      tile_load(5, w + HALF * t->group, t->group);
      tile_multiply(2, 5, 6);
      tile_multiply(3, 5, 7);
    }
  float sums[CHANNELS][ROWS][LANES] __attribute__((aligned(64)));
  tile_store(0, sums[0][0], ROWS * LANES);
  tile_store(1, sums[0][1], ROWS * LANES);
  tile_store(2, sums[HALF][0], ROWS * LANES);
  tile_store(3, sums[HALF][1], ROWS * LANES);
  for (int o = 0; o < CHANNELS; o++) {
    if (!t->to[o]) continue;
    for (int r = 0; r < ROWS && r < t->rows; r++) {
      const vec sum = load(sums[o][r]) + t->bias[o];
      store_some(t->to[o] + r * t->to_row, t->relu ? positive(sum) : sum, t->columns, t->accumulate[o]);
    }
  }
}
