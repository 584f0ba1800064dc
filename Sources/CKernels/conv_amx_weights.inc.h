// The weight gradient's inner loops (part of conv_amx.inc.h).
//
// Here k runs along cells: a word holds two neighbours of a row. Tiles of x are [channels, words] as they stand in packed planes,
// of which every tap has its own copy, shifted; tiles of dy are [words, channels], turned over once for all taps.

// Registers: 0 … 3 sums, 4 and 5 dy, 6 and 7 x.
static void begin_gradient(int channels) {
  ck_tile_config config = {.palette = 1};
  for (int t = 0; t < 8; t++) {
    config.bytes[t] = 64;
    config.rows[t] = (uint8_t)(t == 4 || t == 5 || channels > CK_TILE ? CK_TILE : channels);
  }
  tile_configure(&config);
}

/// 16 cells of a phase from cell j on.
INLINE vec cells_of(const float *line, ptrdiff_t j, int width, int phases, int phase) {
  if (phases == 1) return within(line, j, width);
  return phase_of(within(line, 2 * j, width), within(line, 2 * j + LANES, width), phase);
}

INLINE vec neighbours(vec low, vec high) { return (vec)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low); }

/// A phase of a line as bfloat16, from `made` + LANES on, zeros before; one vector more than columns, for taps that look ahead.
INLINE void make_halves(const float *line, const ck_amx_lines *l, int phase, float *made) {
  store(made, (vec){0});
  made += LANES;
  for (int i = 0; i <= l->columns; i++) {
    ahead(line + l->phases * 2 * LANES * i);
    store(made + i * LANES, neighbours(cells_of(line, 2 * LANES * i, l->width, l->phases, phase),
                                       cells_of(line, 2 * LANES * i + LANES, l->width, l->phases, phase)));
  }
}

static void pack_x(const ck_amx_lines *l, const float *plane, float *to, float *made) {
  const ptrdiff_t a_phase = (l->columns + 2) * LANES;
  for (int n = l->first; n < l->first + l->lines; n++, to += l->line) {
    const int there = n >= 0 && n < l->height;
    for (int p = 0; there && p < l->phases; p++) make_halves(plane + (ptrdiff_t)n * l->width, l, p, made + p * a_phase);
    for (int t = 0; t < l->tap_count; t++) {
      // A cell is half a float.
      const char *from = (const char *)(made + l->taps[t].phase * a_phase + LANES) + 2 * l->taps[t].offset;
      float *at = to + t * l->copy;
      for (int i = 0; i < l->columns * LANES; i += LANES) store(at + i, there ? load((const float *)(from + 4 * i)) : (vec){0});
    }
  }
}

INLINE vec gated(const ck_source *line, ptrdiff_t offset, ptrdiff_t j, int width, int phases, int phase) {
  const vec v = cells_of(line->from[0] + offset, j, width, phases, phase);
  return line->mask[0] ? where_positive(v, cells_of(line->mask[0] + offset, j, width, phases, phase)) : v;
}

static void pack_dy(const ck_amx_lines *l, const ck_source planes[CK_TILE], float *to, float bias[CK_TILE]) {
  vec sums[CK_TILE];
  UNROLL for (int o = 0; o < CK_TILE; o++) sums[o] = (vec){0};
  for (int n = 0; n < l->lines; n++) {
    const int there = l->first + n * l->phases < l->height;  // a last, odd pair of rows may lack its second
    const ptrdiff_t line = (ptrdiff_t)(l->first + n * l->phases) * l->width;
    for (int i = 0; i < l->columns; i++, to += CK_TILE * CK_TILE) {
      vec v[CK_TILE];
      for (int o = 0; o < CK_TILE; o++) {
        v[o] = (vec){0};
        if (!there || !planes[o].from[0]) continue;
        ahead(planes[o].from[0] + line + l->phases * 2 * LANES * i);
        v[o] = neighbours(gated(&planes[o], line, 2 * LANES * i, l->width, l->phases, l->taps[0].phase),
                          gated(&planes[o], line, 2 * LANES * i + LANES, l->width, l->phases, l->taps[0].phase));
        sums[o] += values_of(v[o]);
      }
      UNROLL for (int stage = 1; stage < CK_TILE; stage *= 2) {
        vec w[CK_TILE];
        UNROLL for (int k = 0; k < CK_TILE / 2; k++) {
          w[2 * k] = ZIP_LOW(v[k], v[CK_TILE / 2 + k]);
          w[2 * k + 1] = ZIP_HIGH(v[k], v[CK_TILE / 2 + k]);
        }
        UNROLL for (int k = 0; k < CK_TILE; k++) v[k] = w[k];
      }
      UNROLL for (int k = 0; k < CK_TILE; k++) store(to + k * CK_TILE, v[k]);
    }
  }
  for (int o = 0; o < CK_TILE; o++)
    for (int lane = 0; lane < LANES; lane++) bias[o] += sums[o][lane];
}

static void four_by_one(const ck_amx_correlation *c, float *const sums[4]) {
  tile_load(0, sums[0], CK_TILE);
  tile_load(1, sums[1], CK_TILE);
  tile_load(2, sums[2], CK_TILE);
  tile_load(3, sums[3], CK_TILE);
  const float *dy = c->dy[0];
  for (int r = 0; r < c->rows; r++) {
    ptrdiff_t at = r * c->x_row;
    for (int i = 0; i < c->steps; i++, at += CK_TILE, dy += TILE) {
      tile_load(4, dy, CK_TILE);
      tile_load(6, c->x[0] + at, c->channel);
      tile_multiply(0, 6, 4);
      tile_load(7, c->x[1] + at, c->channel);
      tile_multiply(1, 7, 4);
      tile_load(6, c->x[2] + at, c->channel);
      tile_multiply(2, 6, 4);
      tile_load(7, c->x[3] + at, c->channel);
      tile_multiply(3, 7, 4);
    }
  }
  tile_store(0, sums[0], CK_TILE);
  tile_store(1, sums[1], CK_TILE);
  tile_store(2, sums[2], CK_TILE);
  tile_store(3, sums[3], CK_TILE);
}

static void two_by_two(const ck_amx_correlation *c, float *const sums[4]) {
  tile_load(0, sums[0], CK_TILE);
  tile_load(1, sums[1], CK_TILE);
  tile_load(2, sums[2], CK_TILE);
  tile_load(3, sums[3], CK_TILE);
  ptrdiff_t d = 0;
  for (int r = 0; r < c->rows; r++) {
    ptrdiff_t at = r * c->x_row;
    for (int i = 0; i < c->steps; i++, at += CK_TILE, d += TILE) {
      tile_load(4, c->dy[0] + d, CK_TILE);
      tile_load(6, c->x[0] + at, c->channel);
      tile_multiply(0, 6, 4);
      tile_load(7, c->x[1] + at, c->channel);
      tile_multiply(1, 7, 4);
      tile_load(5, c->dy[1] + d, CK_TILE);
      tile_multiply(2, 6, 5);
      tile_multiply(3, 7, 5);
    }
  }
  tile_store(0, sums[0], CK_TILE);
  tile_store(1, sums[1], CK_TILE);
  tile_store(2, sums[2], CK_TILE);
  tile_store(3, sums[3], CK_TILE);
}
