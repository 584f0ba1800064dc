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

/// One half of 32 words.
INLINE vec halves_of(vec low, vec high, int second) {
  static const short every_second[2][32] __attribute__((aligned(64))) = {
      {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 62},
      {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63}};
  return (vec)_mm512_permutex2var_epi16((__m512i)low, *(const __m512i *)every_second[second], (__m512i)high);
}

/// 32 cells of a phase of a line, from its cell j on, as words of two neighbours: of both channels, 0 where there is no second.
INLINE void neighbours_at(const ck_amx_source *line, ptrdiff_t j, const ck_amx_lines *l, int phase, vec v[2]) {
  const float *const *from = line->planes.from, *const *mask = line->planes.mask;
  const int width = l->width, phases = l->phases;
  vec cells[2];
  if (line->paired) {
    ahead(from[0] + phases * j);
    UNROLL for (int k = 0; k < 2; k++) {
      cells[k] = cells_of(from[0], j + k * LANES, width, phases, phase);
      if (mask[0]) cells[k] = where_both_positive(cells[k], cells_of(mask[0], j + k * LANES, width, phases, phase));
    }
    UNROLL for (int d = 0; d < 2; d++) v[d] = halves_of(cells[0], cells[1], d);
    return;
  }
  UNROLL for (int d = 0; d < 2; d++) {
    v[d] = (vec){0};
    if (!from[d]) continue;
    ahead(from[d] + phases * j);
    UNROLL for (int k = 0; k < 2; k++) {
      cells[k] = cells_of(from[d], j + k * LANES, width, phases, phase);
      if (!mask[d]) continue;
      const vec m = cells_of(mask[d], j + k * LANES, width, phases, phase);
      cells[k] = where_positive(cells[k], line->paired_mask ? values_in(m, d) : m);
    }
    v[d] = neighbours(cells[0], cells[1]);
  }
}

/// A phase of a line as bfloat16, each channel's from its `made` + LANES on, zeros before; one vector more than columns, for taps that look ahead.
INLINE void make_neighbours(ck_amx_source line, const ck_amx_lines *l, int phase, float *made, ptrdiff_t a_channel) {
  for (int d = 0; d < 2; d++) store(made + d * a_channel, (vec){0});
  made += LANES;
  for (int i = 0; i <= l->columns; i++) {
    vec v[2];
    neighbours_at(&line, 2 * LANES * i, l, phase, v);
    for (int d = 0; d < 2; d++) store(made + d * a_channel + i * LANES, v[d]);
  }
}

/// From any cell on.
typedef float vec_of_halves __attribute__((vector_size(4 * LANES), aligned(2)));

static void pack_x(const ck_amx_lines *l, ck_amx_source source, ptrdiff_t channel, float *to, float *made) {
  const ptrdiff_t a_phase = (l->columns + 2) * LANES, a_channel = l->phases * a_phase;
  for (int n = l->first; n < l->first + l->lines; n++, to += l->line) {
    const int there = n >= 0 && n < l->height;
    for (int p = 0; there && p < l->phases; p++)
      make_neighbours(line_of(source, (ptrdiff_t)n * l->width), l, p, made + p * a_phase, a_channel);
    for (int d = 0; d < 2 && source.planes.from[d]; d++)
      for (int t = 0; t < l->tap_count; t++) {
        // A cell is half a float.
        const char *from = (const char *)(made + d * a_channel + l->taps[t].phase * a_phase + LANES) + 2 * l->taps[t].offset;
        float *at = to + d * channel + t * l->copy;
        for (int i = 0; i < l->columns * LANES; i += LANES) store(at + i, there ? *(const vec_of_halves *)(from + 4 * i) : (vec){0});
      }
  }
}

static void pack_dy(const ck_amx_lines *l, const ck_amx_source pairs[CK_TILE / 2], float *to, float bias[CK_TILE]) {
  vec sums[CK_TILE];
  UNROLL for (int o = 0; o < CK_TILE; o++) sums[o] = (vec){0};
  for (int n = 0; n < l->lines; n++) {
    const int there = l->first + n * l->phases < l->height;  // a last, odd pair of rows may lack its second
    const ptrdiff_t line = (ptrdiff_t)(l->first + n * l->phases) * l->width;
    for (int i = 0; i < l->columns; i++, to += CK_TILE * CK_TILE) {
      vec v[CK_TILE];
      for (int o = 0; o < CK_TILE; o += 2) {
        v[o] = v[o + 1] = (vec){0};
        if (!there || !pairs[o / 2].planes.from[0]) continue;
        const ck_amx_source here = line_of(pairs[o / 2], line);
        neighbours_at(&here, 2 * LANES * i, l, l->taps[0].phase, v + o);
        sums[o] += values_of(v[o]);
        sums[o + 1] += values_of(v[o + 1]);
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
