// Part of strided.inc.h: U from kernels, M = U · V, and from M to the planes.

// G g: five values from two taps, four from a single one.
INLINE void CK_NAME(tap_values)(const VEC *g, const int count, VEC *o) {
  const VEC a = g[0], sixth = a * (1.0f / 6);
  o[0] = a * 0.5f;
  o[1] = a * -0.5f;
  o[2] = -sixth;
  o[3] = sixth;
  if (count == 4) return;
  const VEC b = g[1];
  o[1] -= b * 0.5f;
  o[2] += b * (1.0f / 6);
  o[3] += b * (1.0f / 3);
  o[4] = b;
}

// Aᵀ m, of five vectors or four.
INLINE void CK_NAME(outputs)(const VEC *m, const int count, VEC o[4]) {
  const VEC a = m[1] + m[2], b = m[1] - m[2];
  o[0] = m[0] + (a + m[3]);
  o[1] = b + 2 * m[3];
  o[2] = a + 4 * m[3];
  o[3] = b + 8 * m[3];
  if (count == 5) o[3] += m[4];
}

void CK_NAME(ck_strided_pack)(const ck_strided *s, const float *kernel, ptrdiff_t out_step, ptrdiff_t in_step, float *packed) {
  const int in = s->tiling.in_channels, out = s->tiling.out_channels;
  const ptrdiff_t product = (ptrdiff_t)in * CK_BLOCK;
  for (int block = 0; block < out; block += CK_BLOCK, packed += CK_STRIDED_PRODUCTS * product)
    for (int c = 0; c < in; c++) {
      _Alignas(64) float g[9][CK_BLOCK] = {0};
      for (int o = 0; o < CK_BLOCK && block + o < out; o++)
        for (int k = 0; k < 9; k++) g[k][o] = kernel[(block + o) * out_step + c * in_step + k];
      for (int o = 0; o < CK_BLOCK; o += CK_LANES)
        for (int p = 0; p < 2; p++) {
          VEC h[3][5];
          UNROLL for (int j = 0; j < 3; j++) {
            const VEC taps[2] = {LOAD(g[3 * p + j] + o), LOAD(g[6 + j] + o)};
            CK_NAME(tap_values)(taps, p ? 4 : 5, h[j]);
          }
          for (int a = 0; a < 5 - p; a++) {
            VEC even[5], odd[4];
            CK_NAME(tap_values)((VEC[2]){h[0][a], h[2][a]}, 5, even);
            CK_NAME(tap_values)(&h[1][a], 4, odd);
            for (int b = 0; b < 5; b++) STORE_LOOSE(packed + product_of(a, b, p, 0) * product + c * CK_BLOCK + o, even[b]);
            for (int b = 0; b < 4; b++) STORE_LOOSE(packed + product_of(a, b, p, 1) * product + c * CK_BLOCK + o, odd[b]);
          }
        }
    }
}

// A vector of an output plane: `y` and the bias, added to what is there where `accumulate`.
INLINE void CK_NAME(put)(float *to, VEC y, float bias, float floor, int accumulate, ptrdiff_t ahead) {
  __builtin_prefetch(to + ahead);
  y += bias;
  if (accumulate) y += LOAD_LOOSE(to);
  STORE_LOOSE(to, CK_NAME(at_least)(y, floor));
}

// Where the `count` vectors go that begin at column x of tile rows laid end to end: their first rows; NULL beyond the last.
INLINE void CK_NAME(places)(const ck_slab *out, int channel, int row0, int rows, int height, int width, int tile, int x, const int count,
                            float **to) {
  const int per_image = height / tile;
  for (int k = 0; k < count; k++, x += CK_LANES) {
    const int j = x / width, n = (row0 + j) / per_image, y = (row0 + j) % per_image * tile;
    to[k] = j < rows ? out->data + n * out->image_stride + ((int64_t)channel * height + y) * width + x % width : NULL;
  }
}

// Coarse pixels of the tiles of one vector.
INLINE void CK_NAME(coarse_tiles)(const float *m, ptrdiff_t m_stride, float bias, float floor, int accumulate, float *const to[4], int width,
                                  ptrdiff_t ahead) {
  VEC z[4][5];
  UNROLL for (int b = 0; b < 5; b++) {
    VEC column[5], o[4];
    UNROLL for (int a = 0; a < 5; a++) column[a] = LOAD(m + (a * 5 + b) * m_stride);
    CK_NAME(outputs)(column, 5, o);
    UNROLL for (int i = 0; i < 4; i++) z[i][b] = o[i];
  }
  UNROLL for (int i = 0; i < 4; i++) {
    VEC o[4];
    CK_NAME(outputs)(z[i], 5, o);
    CK_NAME(interleave)(o, 4);
    UNROLL for (int k = 0; k < 4; k++)
      if (to[k]) CK_NAME(put)(to[k] + i * width, o[k], bias, floor, accumulate, ahead);
  }
}

// Fine pixels of the tiles of one vector, which were read backwards: the last come first.
INLINE void CK_NAME(fine_tiles)(const float *m, ptrdiff_t m_stride, float bias, float floor, int accumulate, float *const to[8], int width,
                                ptrdiff_t ahead) {
  VEC z[8][9];
  for (int b = 0; b < 5; b++)
    for (int q = 0; q < phases_at(b); q++)
      UNROLL for (int p = 0; p < 2; p++) {
        VEC column[5], o[4];
        UNROLL for (int a = 0; a < 5 - p; a++) column[a] = LOAD(m + product_of(a, b, p, q) * m_stride);
        CK_NAME(outputs)(column, 5 - p, o);
        UNROLL for (int i = 0; i < 4; i++) z[2 * i + p][q * 5 + b] = o[3 - i];
      }
  for (int i = 0; i < 8; i++) {
    VEC even[4], odd[4];
    CK_NAME(outputs)(z[i], 5, even);
    CK_NAME(outputs)(z[i] + 5, 4, odd);
    VEC row[8] = {even[3], odd[3], even[2], odd[2], even[1], odd[1], even[0], odd[0]};
    CK_NAME(interleave)(row, 8);
    UNROLL for (int k = 0; k < 8; k++)
      if (to[k]) CK_NAME(put)(to[k] + i * width, row[k], bias, floor, accumulate, ahead);
  }
}

// A task of either direction: V of its tiles, then the products and the planes of 16 output channels at a time.
INLINE void CK_NAME(strided_pass)(const ck_strided *s, int task, ck_operands io, const int gather, float *scratch) {
  const ck_tiling *t = &s->tiling;
  const int tiles = t->tiles, group = task % t->groups, row0 = task / t->groups * t->task_rows;
  const int rows = ck_min(t->task_rows, t->rows - row0);
  const workspace at = gather ? gather_workspace(s, scratch) : scatter_workspace(s, scratch);
  if (gather)
    CK_NAME(fine_channels)(s, row0, rows, 0, s->fine, io.in, io.gate, at, NULL);
  else
    CK_NAME(coarse_channels)(s, row0, rows, io.in, io.gate, at);

  const int tile = gather ? 4 : 8, height = tile / 4 * s->height, width = tile / 4 * s->width;
  const ptrdiff_t plane = (ptrdiff_t)height * width, product = (ptrdiff_t)t->in_channels * CK_BLOCK;
  const ptrdiff_t depth_tiles = (ptrdiff_t)t->in_channels * tiles;
  const int end = ck_min((group + 1) * t->group_channels, t->out_channels);
  for (int block = group * t->group_channels; block < end; block += CK_BLOCK) {
    const int channels = ck_min(CK_BLOCK, end - block);
    const float *u = io.packed + block / CK_BLOCK * CK_STRIDED_PRODUCTS * product;
    for (int a = 0; a < 5; a++)
      for (int b = 0; b < 5; b++) {
        const int position = a * 5 + b, first = first_product(a, b), phases = phases_at(a) * phases_at(b);
        if (gather) {
          CK_NAME(position)(u + first * product, at.v + first * depth_tiles + position * 16, tiles, phases * t->in_channels, channels,
                            at.m + position * at.m_stride);
          continue;
        }
        for (int p = first; p < first + phases; p++)
          CK_NAME(position)(u + p * product, at.v + position * (depth_tiles + 16), tiles, t->in_channels, channels, at.m + p * at.m_stride);
      }
    const ck_slab *out = io.out;
    int base = 0;
    for (int o = block; o < block + channels; o++) {
      while (o - base >= out->channels) base += (int)out++->channels;
      if (!out->data) continue;
      const float bias = io.bias ? io.bias[o] : 0, floor = io.relu ? 0 : -__builtin_inff();
      const int accumulate = io.accumulate && io.accumulate[out - io.out];
      for (int i = 0; i < rows * t->across; i += CK_LANES) {
        float *to[8];
        const float *from = at.m + (ptrdiff_t)(o - block) * tiles + i;
        CK_NAME(places)(out, o - base, row0, rows, height, width, tile, tile * i, tile, to);
        if (gather)
          CK_NAME(coarse_tiles)(from, at.m_stride, bias, floor, accumulate, to, width, plane);
        else
          CK_NAME(fine_tiles)(from, at.m_stride, bias, floor, accumulate, to, width, plane);
      }
    }
  }
}

void CK_NAME(ck_strided_gather)(const ck_strided *s, int task, ck_operands io, float *scratch) {
  CK_NAME(strided_pass)(s, task, io, 1, scratch);
}

void CK_NAME(ck_strided_scatter)(const ck_strided *s, int task, ck_operands io, float *scratch) {
  CK_NAME(strided_pass)(s, task, io, 0, scratch);
}
