// AMX's inner loops. The including file sets the instruction set, TABLE, and EMULATED_AMX where tiles are plain C.
//
// TDPBF16PS adds to a tile of sums [channels, cells] the product of a tile of words [channels, k] and one [k, cells]. Here those
// are the weights, as they are packed, and cells as they stand in the packed lines, whose packed channels lie `cells` apart. k is at most 16, that
// is 32 values. A product takes the time of the first tile's rows, whatever k: it pays to fill k.
#define NATIVE_BF16 1
#define DEPTH 2
#define LANES 16
#include "conv_packing.inc.h"
#include "conv_amx_tiles.h"

// Registers: 0 … 3 sums, 4 and up weights, the rest cells.
static void begin(int halves, int group, int channels) {
  ck_tile_config config = {.palette = 1};
  for (int t = 0; t < 8; t++) {
    const int weights = t >= 4 && t < 4 + halves, cells = t >= 4 + halves;
    config.bytes[t] = (uint16_t)(weights ? 4 * group : 64);
    config.rows[t] = (uint8_t)(cells ? group : halves == 1 && channels < CK_TILE ? channels : CK_TILE);
  }
  tile_configure(&config);
}

static void end(void) { tile_release(); }

/// 16 values of a line from column j on; 0 outside of it.
INLINE vec within(const float *line, ptrdiff_t j, int width) {
  if (j >= 0 && j + LANES <= width) return load(line + j);
  const ptrdiff_t before = j < 0 ? -j : 0, count = width - j < LANES ? width - j : LANES;
  if (before >= count) return (vec){0};
  return (vec)_mm512_maskz_loadu_ps((__mmask16)(((1u << count) - 1) & ~((1u << before) - 1)), line + j);
}

/// One channel's values of words.
INLINE vec values_in(vec words, int second) { return second ? high_half(words) : low_half(words); }

/// Both halves of words, each where that of m is positive.
INLINE vec where_both_positive(vec words, vec m) {
  return (vec)_mm512_maskz_mov_epi16(_mm512_cmpgt_epi16_mask((__m512i)m, _mm512_setzero_si512()), (__m512i)words);
}

/// A vector of a line at column j: all of it `whole`, or what lies within the line.
INLINE vec at_column(const float *line, ptrdiff_t j, int width, int whole) {
  if (!whole) return within(line, j, width);
  ahead(line + j);
  return load(line + j);
}

/// The words of a line at column j.
INLINE vec words_at(const ck_amx_source *line, ptrdiff_t j, int width, int whole) {
  const float *const *from = line->planes.from, *const *mask = line->planes.mask;
  if (line->paired) {
    const vec v = at_column(from[0], j, width, whole);
    return mask[0] ? where_both_positive(v, at_column(mask[0], j, width, whole)) : v;
  }
  vec v[2] = {{0}, {0}};
  UNROLL for (int d = 0; d < 2; d++) {
    if (!from[d]) continue;
    v[d] = at_column(from[d], j, width, whole);
    if (!mask[d]) continue;
    const vec m = at_column(mask[d], j, width, whole);
    v[d] = where_positive(v[d], line->paired_mask ? values_in(m, d) : m);
  }
  return words(v[0], v[1]);
}

/// A line as words, zeros before and after.
INLINE void make_words(ck_amx_source line, int width, float *made) {
  store(made, (vec){0});
  made += LANES;
  int j = 0;
  for (; j + LANES <= width; j += LANES) store(made + j, words_at(&line, j, width, 1));
  if (j < width) store(made + j, words_at(&line, j, width, 0)), j += LANES;
  store(made + j, (vec){0});
}

/// The line `offset` floats further on.
INLINE ck_amx_source line_of(ck_amx_source s, ptrdiff_t offset) {
  s.planes = advanced(s.planes, offset);
  return s;
}

INLINE vec phase_of(vec a, vec z, int odd) { return odd ? ODD(a, z) : EVEN(a, z); }

/// to[j] = line[first + j] up to `end`; zeros outside of the line.
INLINE void shifted(const float *line, int width, int first, int end, float *to) {
  int j = 0;
  if (first < 0) store(to, within(line, first, width)), j = LANES;
  for (; j < end && first + j + LANES <= width; j += LANES) store(to + j, load(line + first + j));
  for (; j < end; j += LANES) store(to + j, within(line, first + j, width));
}

static void pack(const ck_amx_lines *l, ck_amx_source source, float *to, float *made) {
  const int width = l->width, end = l->columns * LANES, as_it_is = source.paired && !source.planes.mask[0];
  for (int n = l->first; n < l->first + l->lines; n++, to += l->line) {
    const int there = n >= 0 && n < l->height && source.planes.from[0];
    const ck_amx_source line = line_of(source, there ? (ptrdiff_t)n * width : 0);
    const float *plain = line.planes.from[0];
    if (there && !as_it_is) make_words(line, width, made);
    for (int j = 0; there && as_it_is && j < width; j += LANES) ahead(plain + j);
    for (int t = 0; t < l->tap_count; t++) {
      float *at = to + t * l->copy;
      const int first = l->phases * l->taps[t].offset, odd = l->taps[t].phase;
      const float *from = made + LANES + first;
      if (!there)
        for (int j = 0; j < end; j += LANES) store(at + j, (vec){0});
      else if (!as_it_is)
        for (int j = 0; j < end; j += LANES) store(at + j, l->phases == 1 ? load(from + j) : phase_of(load(from + 2 * j), load(from + 2 * j + LANES), odd));
      else if (l->phases == 1)
        shifted(plain, width, first, end, at);
      else
        for (int j = 0; j < end; j += LANES)
          store(at + j, phase_of(within(plain, first + 2 * j, width), within(plain, first + 2 * j + LANES, width), odd));
    }
  }
}

enum { TILE = CK_TILE * CK_TILE };

/// 16 channels, four rows.
static void narrow(const ck_amx_block *b, float *sums) {
  const float *w = b->weights, *in = b->in;
  tile_zero(0);
  tile_zero(1);
  tile_zero(2);
  tile_zero(3);
  for (int c = 0; c < b->depth; c += b->group, in += b->group * b->cells)
    for (int k = 0; k < b->tap_count; k++, w += TILE) {
      const float *at = in + b->taps[k];
      tile_load(4, w, CK_TILE);
      tile_load(5, at, b->cells);
      tile_multiply(0, 4, 5);
      tile_load(6, at + b->row, b->cells);
      tile_multiply(1, 4, 6);
      tile_load(7, at + 2 * b->row, b->cells);
      tile_multiply(2, 4, 7);
      tile_load(5, at + 3 * b->row, b->cells);
      tile_multiply(3, 4, 5);
    }
  tile_store(0, sums, 4 * CK_TILE);
  tile_store(1, sums + CK_TILE, 4 * CK_TILE);
  tile_store(2, sums + 2 * CK_TILE, 4 * CK_TILE);
  tile_store(3, sums + 3 * CK_TILE, 4 * CK_TILE);
}

/// 32 channels, two rows.
static void wide(const ck_amx_block *b, float *sums) {
  const float *w = b->weights, *in = b->in;
  tile_zero(0);
  tile_zero(1);
  tile_zero(2);
  tile_zero(3);
  for (int c = 0; c < b->depth; c += b->group, in += b->group * b->cells)
    for (int k = 0; k < b->tap_count; k++, w += 2 * TILE) {
      const float *at = in + b->taps[k];
      tile_load(4, w, CK_TILE);
      tile_load(6, at, b->cells);
      tile_multiply(0, 4, 6);
      tile_load(7, at + b->row, b->cells);
      tile_multiply(1, 4, 7);
      tile_load(5, w + TILE, CK_TILE);
      tile_multiply(2, 5, 6);
      tile_multiply(3, 5, 7);
    }
  tile_store(0, sums, 2 * CK_TILE);
  tile_store(1, sums + CK_TILE, 2 * CK_TILE);
  tile_store(2, sums + 2 * TILE, 2 * CK_TILE);
  tile_store(3, sums + 2 * TILE + CK_TILE, 2 * CK_TILE);
}

/// How sums of a channel, or of a pair of them, leave.
typedef struct {
  ptrdiff_t a_channel;                 // from the first of a pair to its second
  float bias[2];
  int paired, relu;
} channel_output;

INLINE channel_output output_of(const ck_amx_block *b, int o, int rows) {
  const float none = -0.0f;            // changes nothing, not even −0
  const int paired = b->paired[o];
  return (channel_output){.a_channel = rows * CK_TILE, .bias = {b->bias ? b->bias[o] : none, b->bias && paired ? b->bias[o + 1] : none},
                   .paired = paired, .relu = b->relu};
}

INLINE vec finished(const channel_output *c, int second, const float *sums) {
  const vec v = load(sums + second * c->a_channel) + c->bias[second];
  return c->relu ? positive(v) : v;
}

INLINE vec leaving(const channel_output *c, const float *sums) {
  const vec first = finished(c, 0, sums);
  return c->paired ? words(first, finished(c, 1, sums)) : first;
}

// A block's vectors go to lines of as many planes, and every one waits for its line unless that was asked for: the next block's lie right behind.

static void store_block(const ck_amx_block *b, int rows, const float *sums) {
  const int channels = b->channels, high = b->rows, columns = b->columns;
  const ptrdiff_t to_row = b->to_row;
  for (int o = 0, step; o < channels; o += step) {
    const channel_output c = output_of(b, o, rows);
    step = 1 + c.paired;
    if (!b->to[o]) continue;
    const int accumulate = b->accumulate[o];
    const float *from = sums + o * rows * CK_TILE;
    float *to = b->to[o] + b->first;
    for (int r = 0; r < high; r++, to += to_row, from += CK_TILE) {
      __builtin_prefetch(to + LANES, 1);
      store_some(to, leaving(&c, from), columns, accumulate);
    }
  }
}

static void interleave_block(const ck_amx_block *b, int rows, const float *even, const float *odd) {
  const int channels = b->channels, high = b->rows, columns = b->columns;
  const ptrdiff_t to_row = b->to_row;
  for (int o = 0, step; o < channels; o += step) {
    const channel_output c = output_of(b, o, rows);
    step = 1 + c.paired;
    if (!b->to[o]) continue;
    const int accumulate = b->accumulate[o];
    ptrdiff_t i = o * rows * CK_TILE;
    float *to = b->to[o] + b->first;
    for (int r = 0; r < high; r++, to += to_row, i += CK_TILE) {
      __builtin_prefetch(to + 2 * LANES, 1);
      __builtin_prefetch(to + 3 * LANES, 1);
      const vec a = leaving(&c, even + i), z = leaving(&c, odd + i);
      store_some(to, ZIP_LOW(a, z), columns, accumulate);
      store_some(to + LANES, ZIP_HIGH(a, z), columns - LANES, accumulate);
    }
  }
}

#include "conv_amx_weights.inc.h"

const ck_amx_kernels TABLE = {
    .begin = begin, .end = end, .pack = pack, .products = {narrow, wide}, .store = store_block, .interleave = interleave_block,
    .begin_gradient = begin_gradient, .pack_x = pack_x, .pack_dy = pack_dy, .correlate = {four_by_one, two_by_two}};
