// The direct path's inner loops, in clang's vector extensions. The including file sets the instruction set (with a
// `#pragma clang attribute` around this file) and defines
//   TABLE            the table's name
//   LANES            floats a vector: 4, 8 or 16
//   CHANNELS, ROWS   a tile: CHANNELS · ROWS accumulators, ROWS inputs and one weight must fit in the registers
//   GRADIENT_CHANNELS, STREAMS   a block of the weight gradient, likewise: STREAMS inputs and one dy
//   DEPTH            values a packed cell holds: 1, or 2 for bfloat16 (conv_bf16.inc.h says how those are packed and multiplied)
#include "conv_packing.inc.h"

static void pack(float *to, ptrdiff_t plane, ptrdiff_t row, int rows, int first_row, int first_column, ck_source from,
                 int height, int width, int phases) {
  for (int r = 0; r < rows; r++, to += row)
    for (int p = 0; p < phases; p++) {
      int source = phases * (first_row + r) + p;
      float *at = to + p * phases * plane;
      if (source < 0 || source >= height || !from.from[0]) {
        clear_around(at, row, 0, 0);
        if (phases == 2) clear_around(at + plane, row, 0, 0);
        continue;
      }
      const ck_source line = advanced(from, (ptrdiff_t)source * width);
      if (phases == 2) split_row(at, plane, row, first_column, &line, width);
      else place_row(at, row, first_column, &line, width);
    }
}

// ---- Forward and data gradient

static void tile(const ck_tile *t) {
  vec sums[CHANNELS][ROWS];
  UNROLL for (int o = 0; o < CHANNELS; o++) {
    UNROLL for (int r = 0; r < ROWS; r++) sums[o][r] = (vec){0} + t->bias[o];
  }
  const float *w = t->weights, *in = t->in;
  const ptrdiff_t row = t->row, *taps = t->taps;
  const int tap_count = t->tap_count;
  for (int c = 0; c < t->in_channels; c++, in += t->channel) {
    for (int k = 0; k < tap_count; k++, w += CHANNELS) {
      const float *p = in + taps[k];
      vec x[ROWS];
      UNROLL for (int r = 0; r < ROWS; r++) x[r] = load(p + r * row);
      UNROLL for (int o = 0; o < CHANNELS; o++) {
        const vec weight = broadcast(w + o);
        UNROLL for (int r = 0; r < ROWS; r++) sums[o][r] = multiply_add(sums[o][r], x[r], weight);
      }
    }
  }
  if (t->relu) {
    UNROLL for (int o = 0; o < CHANNELS; o++) {
      UNROLL for (int r = 0; r < ROWS; r++) sums[o][r] = positive(sums[o][r]);
    }
  }
  UNROLL for (int o = 0; o < CHANNELS; o++) {
    if (!t->to[o]) continue;
    UNROLL for (int r = 0; r < ROWS; r++) {
      if (r < t->rows) store_some(t->to[o] + r * t->to_row, sums[o][r], t->columns, t->accumulate[o]);
    }
  }
}

static void interleave(const ck_tile *t, const float *buffer) {
  for (int o = 0; o < CHANNELS; o++) {
    if (!t->to[o]) continue;
    for (int r = 0; r < t->rows; r++) {
      const float *at = buffer + (o * ROWS + r) * LANES;
      vec even = load(at), odd = load(at + CHANNELS * ROWS * LANES);
      if (t->relu) even = positive(even), odd = positive(odd);
      float *to = t->to[o] + r * t->to_row;
      store_some(to, ZIP_LOW(even, odd), t->columns, t->accumulate[o]);
      store_some(to + LANES, ZIP_HIGH(even, odd), t->columns - LANES, t->accumulate[o]);
    }
  }
}

// ---- Weight gradient

// Halves the lanes a sum takes: two vectors become one that holds the sums of both, in order.
#define FOLD(KIND)                                                                                                     \
  for (int i = 0; i < (count + 1) / 2; i++) {                                                                          \
    vec a = v[2 * i], b = 2 * i + 1 < count ? v[2 * i + 1] : a;                                                        \
    v[i] = KIND##_LOW(a, b) + KIND##_HIGH(a, b);                                                                       \
  }                                                                                                                    \
  count = (count + 1) / 2;
#define EVEN_ODD_LOW EVEN
#define EVEN_ODD_HIGH ODD

static void correlate(const ck_correlation *k) {
  vec sums[GRADIENT_CHANNELS][STREAMS];
  UNROLL for (int o = 0; o < GRADIENT_CHANNELS; o++) {
    UNROLL for (int s = 0; s < STREAMS; s++) sums[o][s] = (vec){0};
  }
  const float *x[STREAMS], *dy[GRADIENT_CHANNELS];
  UNROLL for (int s = 0; s < STREAMS; s++) x[s] = k->x[s];
  UNROLL for (int o = 0; o < GRADIENT_CHANNELS; o++) dy[o] = k->dy + o * k->dy_channel;
  for (int g = 0; g < k->segments; g++)
    for (int r = 0; r < k->rows; r++) {
      ptrdiff_t i = g * k->segment + r * k->row, end = i + k->vectors * LANES;
      for (; i < end; i += LANES) {
        vec in[STREAMS];
        UNROLL for (int s = 0; s < STREAMS; s++) in[s] = load(x[s] + i);
        UNROLL for (int o = 0; o < GRADIENT_CHANNELS; o++) {
          vec d = load(dy[o] + i);
          UNROLL for (int s = 0; s < STREAMS; s++) sums[o][s] = multiply_add(sums[o][s], d, in[s]);
        }
      }
    }
  vec v[GRADIENT_CHANNELS * STREAMS];
  int count = GRADIENT_CHANNELS * STREAMS;
  UNROLL for (int o = 0; o < GRADIENT_CHANNELS; o++) {
    UNROLL for (int s = 0; s < STREAMS; s++) v[o * STREAMS + s] = sums[o][s];
  }
#if LANES == 16
  UNROLL FOLD(EIGHTS)
#endif
#if LANES >= 8
  UNROLL FOLD(FOURS)
#endif
  UNROLL FOLD(PAIRS)
  UNROLL FOLD(EVEN_ODD)
  float found[GRADIENT_CHANNELS * STREAMS + LANES];
  UNROLL for (int i = 0; i < count; i++) store(found + i * LANES, v[i]);
  for (int o = 0; o < k->channels; o++) {
    float *to = k->to + o * k->to_channel;
    if (k->streams == STREAMS) {
      UNROLL for (int s = 0; s < STREAMS; s++) to[s] += found[o * STREAMS + s];
    } else {
      for (int s = 0; s < k->streams; s++) to[s] += found[o * STREAMS + s];
    }
  }
}

static float sum(const float *from, ptrdiff_t row, int rows, int vectors) {
  vec sums = {0};
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < vectors; i++) sums += values_of(load(from + r * row + i * LANES));
  float total = 0;
  for (int i = 0; i < LANES; i++) total += sums[i];
  return total;
}

const ck_conv_kernels TABLE = {
    .lanes = LANES,
    .depth = DEPTH,
    .channels = CHANNELS,
    .rows = ROWS,
    .gradient_channels = GRADIENT_CHANNELS,
    .streams = STREAMS,
    .tile = tile,
    .interleave = interleave,
    .pack = pack,
    .correlate = correlate,
    .sum = sum,
};
