// Template of enlarged.c, compiled for each instruction set (each_isa.h). A tile is one pixel of the small image.
#include "products.inc.h"

// The tile rows of one step: which image and which row each of them is.
#define FOR_ROWS(t, row0, rows)                                                                       \
  for (int j = 0; j < (rows); j++)                                                                    \
    for (int n = ((row0) + j) / (t)->height, i = ((row0) + j) % (t)->height, once = 1; once; once = 0)

INLINE int CK_NAME(rows_from)(const ck_tiling *t, int row0) { return ck_min(t->task_rows, t->rows - row0); }

// Zeros after the last row of a short step, up to whole vectors.
INLINE void CK_NAME(clear_rest)(float *tiles, const ck_tiling *t, int rows) {
  memset(tiles + rows * t->width, 0, sizeof(float) * (t->tiles - rows * t->width));
}

// V[p, t] of one channel's row: the pixel, and its differences to the right, below, and both.
INLINE void CK_NAME(differences)(const float *row, const float *below, int width, ptrdiff_t ahead, float *v, ptrdiff_t v_stride) {
  VEC a = LOAD_LOOSE(row), b = LOAD_LOOSE(below);
  for (int x = 0; x < width; x += CK_LANES) {
    const int more = x + CK_LANES < width;
    const VEC a_next = more ? LOAD_LOOSE(row + x + CK_LANES) : (VEC){0}, b_next = more ? LOAD_LOOSE(below + x + CK_LANES) : (VEC){0};
    const VEC right = AFTER(a, a_next) - a;
    __builtin_prefetch(row + ahead + x);    // of the next channel, whose rows lie far away
    __builtin_prefetch(below + ahead + x);
    STORE(v + x, a);
    STORE(v + v_stride + x, right);
    STORE(v + 2 * v_stride + x, b - a);
    STORE(v + 3 * v_stride + x, (AFTER(b, b_next) - b) - right);
    a = a_next;
    b = b_next;
  }
}

void CK_NAME(ck_enlarged_forward)(const ck_tiling *t, int task, ck_operands io, float *scratch) {
  const int group = task % t->groups, row0 = task / t->groups * t->task_rows, rows = CK_NAME(rows_from)(t, row0);
  const int width = t->width, tiles = t->tiles;
  const int64_t plane = (int64_t)t->height * width;
  const workspace at = workspace_of(t->in_channels, t, scratch);
  const ck_slab *in = io.in;
  for (int c = 0, base = 0; c < t->in_channels; c++) {
    while (c - base >= in->channels) base += (int)in++->channels;
    float *v = at.v + (ptrdiff_t)c * tiles;
    FOR_ROWS(t, row0, rows) {
      const float *row = in->data + n * in->image_stride + (c - base) * plane + (int64_t)i * width;
      CK_NAME(differences)(row, i + 1 < t->height ? row + width : at.zeros, width, plane, v + j * width, at.v_stride);
    }
    for (int p = 0; p < 4; p++) CK_NAME(clear_rest)(v + p * at.v_stride, t, rows);
  }

  const int end = ck_min(t->out_channels, (group + 1) * t->group_channels);
  const float floor = io.relu ? 0 : -__builtin_inff();
  for (int block = group * t->group_channels; block < end; block += CK_BLOCK) {
    const int channels = ck_min(CK_BLOCK, end - block);
    const ptrdiff_t u_stride = (ptrdiff_t)t->in_channels * CK_BLOCK;
    const float *u = io.packed + block / CK_BLOCK * 4 * u_stride;
    for (int p = 0; p < 4; p++)
      CK_NAME(position)(u + p * u_stride, at.v + p * at.v_stride, tiles, t->in_channels, channels, at.m + p * at.m_stride);
    for (int o = 0; o < channels; o++) {
      const float bias = io.bias ? io.bias[block + o] : 0;
      FOR_ROWS(t, row0, rows) {
        const float *m = at.m + (ptrdiff_t)o * tiles + j * width;
        float *y = io.out->data + n * io.out->image_stride + (block + o) * 4 * plane + (int64_t)i * 4 * width;
        for (int x = 0; x < width; x += CK_LANES) {
          const VEC a = LOAD(m + x) + bias, right = LOAD(m + at.m_stride + x), below = LOAD(m + 2 * at.m_stride + x) + a;
          const VEC pixels[4] = {a, a + right, below, below + (right + LOAD(m + 3 * at.m_stride + x))};
          UNROLL for (int r = 0; r < 2; r++) {
            __builtin_prefetch(y + 4 * plane + 2 * (r * width + x));
            __builtin_prefetch(y + 4 * plane + 2 * (r * width + x) + CK_LANES);
            const VEC even = CK_NAME(at_least)(pixels[2 * r], floor), odd = CK_NAME(at_least)(pixels[2 * r + 1], floor);
            STORE_LOOSE(y + 2 * (r * width + x), ZIP_LOW(even, odd));
            STORE_LOOSE(y + 2 * (r * width + x) + CK_LANES, ZIP_HIGH(even, odd));
          }
        }
      }
    }
  }
}

// D[2u + v, t] of one row: sums of 2 × 2 pixels of dy, masked, that begin in rows 2i − u and columns 2j − v.
INLINE void CK_NAME(window_sums)(const float *const rows[3], const float *const gates[3], int width, ptrdiff_t ahead, float *d,
                                 ptrdiff_t d_stride) {
  VEC before[2] = {(VEC){0}, (VEC){0}};
  for (int x = 0; x < width; x += CK_LANES) {
    VEC g[3][2];
    UNROLL for (int r = 0; r < 3; r++)
      UNROLL for (int h = 0; h < 2; h++) {
        const ptrdiff_t at = 2 * x + h * CK_LANES;
        g[r][h] = LOAD_LOOSE(rows[r] + at);
        if (gates) g[r][h] *= CK_NAME(factor)(gates[r] + at);
        if (r > 0) __builtin_prefetch(rows[r] + ahead + at);
        if (r > 0 && gates) __builtin_prefetch(gates[r] + ahead + at);
      }
    UNROLL for (int u = 0; u < 2; u++) {
      const VEC low = g[1][0] + g[u == 0 ? 2 : 0][0], high = g[1][1] + g[u == 0 ? 2 : 0][1];
      const VEC even = EVEN(low, high), odd = ODD(low, high);
      STORE(d + 2 * u * d_stride + x, even + odd);
      STORE(d + (2 * u + 1) * d_stride + x, even + BEFORE(before[u], odd));
      before[u] = odd;
    }
  }
}

// D[o, 2u + v, t] at d + o · o_stride + (2u + v) · d_stride, of `channels` channels from o0 on.
static void CK_NAME(window_channels)(const ck_tiling *t, int row0, int rows, int o0, int channels, ck_slab dy, ck_slab y,
                                     const float *zeros, float *d, ptrdiff_t o_stride, ptrdiff_t d_stride) {
  const int width = t->width;
  const int64_t plane = 4 * (int64_t)t->height * width;
  for (int o = 0; o < channels; o++, d += o_stride) {
    FOR_ROWS(t, row0, rows) {
      const int64_t offset = (o0 + o) * plane + (int64_t)i * 4 * width;
      const float *row = dy.data + n * dy.image_stride + offset, *gate = y.data ? y.data + n * y.image_stride + offset : NULL;
      const float *const from[3] = {i > 0 ? row - 2 * width : zeros, row, row + 2 * width};
      if (gate) {
        const float *const gates[3] = {i > 0 ? gate - 2 * width : zeros, gate, gate + 2 * width};
        CK_NAME(window_sums)(from, gates, width, plane, d + j * width, d_stride);
      } else {
        CK_NAME(window_sums)(from, NULL, width, plane, d + j * width, d_stride);
      }
    }
    for (int p = 0; p < 4; p++) CK_NAME(clear_rest)(d + p * d_stride, t, rows);
  }
}

void CK_NAME(ck_enlarged_back)(const ck_tiling *t, int task, ck_operands io, float *scratch) {
  const int group = task % t->groups, row0 = task / t->groups * t->task_rows, rows = CK_NAME(rows_from)(t, row0);
  const int width = t->width, tiles = t->tiles;
  const int64_t plane = (int64_t)t->height * width;
  const workspace at = workspace_of(t->in_channels, t, scratch);
  CK_NAME(window_channels)(t, row0, rows, 0, t->in_channels, *io.in, io.gate, at.zeros, at.v, 4 * (ptrdiff_t)tiles, tiles);

  const int end = ck_min(t->out_channels, (group + 1) * t->group_channels);
  const ck_slab *out = io.out;
  int base = 0;
  for (int block = group * t->group_channels; block < end; block += CK_BLOCK) {
    const int channels = ck_min(CK_BLOCK, end - block);
    CK_NAME(position)(io.packed + (ptrdiff_t)block * t->in_channels * 4, at.v, tiles, t->in_channels * 4, channels, at.m);
    for (int c = block; c < block + channels; c++) {
      while (c - base >= out->channels) base += (int)out++->channels;
      if (!out->data) continue;
      const int accumulate = io.accumulate && io.accumulate[out - io.out];
      FOR_ROWS(t, row0, rows) {
        const float *m = at.m + (ptrdiff_t)(c - block) * tiles + j * width;
        float *dx = out->data + n * out->image_stride + (c - base) * plane + (int64_t)i * width;
        for (int x = 0; x < width; x += CK_LANES) STORE_LOOSE(dx + x, accumulate ? LOAD_LOOSE(dx + x) + LOAD(m + x) : LOAD(m + x));
      }
    }
  }
}

void CK_NAME(ck_enlarged_weights)(const ck_tiling *t, int task, const ck_slab *in, ck_slab dy, ck_slab y, float *partials,
                                  float *scratch) {
  const int group = task % t->groups, row0 = task / t->groups * t->task_rows * t->chunks;
  const int o0 = group * t->group_channels, channels = ck_min(t->group_channels, t->out_channels - o0);
  const int width = t->width, tiles = t->tiles, in_blocks = ck_divide_up(t->in_channels, 4);
  const int out_blocks = ck_divide_up(channels, BLOCK_OUT);
  const int64_t plane = (int64_t)t->height * width;
  const ptrdiff_t size = ck_tiling_partial(t, 2), position_size = 4 * in_blocks * ck_round_up(t->out_channels, 4);
  const weights_workspace at = weights_workspace_of(t, scratch);
  float *part = partials + task / t->groups * size, *bias = part + 4 * position_size + o0;
  part += (ptrdiff_t)(o0 / BLOCK_OUT) * in_blocks * BLOCK_SIZE;

  for (int chunk = 0; chunk < t->chunks; chunk++) {
    const int begin = row0 + chunk * t->task_rows, rows = CK_NAME(rows_from)(t, begin);
    if (rows <= 0) break;
    const ck_slab *slab = in;
    for (int c = 0, base = 0; c < t->in_channels; c++) {
      while (c - base >= slab->channels) base += (int)slab++->channels;
      float *x = at.x + (ptrdiff_t)c * tiles;
      FOR_ROWS(t, begin, rows)
        memcpy(x + j * width, slab->data + n * slab->image_stride + (c - base) * plane + (int64_t)i * width, sizeof(float) * width);
      CK_NAME(clear_rest)(x, t, rows);
    }
    CK_NAME(window_channels)(t, begin, rows, o0, channels, dy, y, at.zeros, at.d, tiles, at.d_stride);
    enum { half_l1 = 64 };
    for (int p = 0; p < 4; p++)
      for (int c = 0; c < t->in_channels; c += half_l1)
        for (int o = 0; o < out_blocks; o++)
          CK_NAME(correlate)(at.d + p * at.d_stride + (ptrdiff_t)o * BLOCK_OUT * tiles, at.x + (ptrdiff_t)c * tiles, tiles,
                             ck_min(half_l1, t->in_channels - c), part + p * position_size + ((ptrdiff_t)o * in_blocks + c / 4) * BLOCK_SIZE,
                             chunk == 0);
    for (int o = 0; o < channels; o++)
      bias[o] = (chunk == 0 ? 0 : bias[o]) + CK_NAME(row_sum)(at.d + (ptrdiff_t)o * tiles, tiles);
  }
}

void CK_NAME(ck_enlarged_reduce)(const ck_tiling *t, int task, const float *partials, float *dkernel, float *dbias, int accumulate) {
  const int in_blocks = ck_divide_up(t->in_channels, 4), o0 = task * CK_BLOCK, end = ck_min(t->out_channels, o0 + CK_BLOCK);
  const ptrdiff_t size = ck_tiling_partial(t, 2), position_size = 4 * in_blocks * ck_round_up(t->out_channels, 4);
  const int parts = ck_tiling_cuts(t);
  for (int o = o0; o < end; o += BLOCK_OUT)
    for (int c = 0; c < t->in_channels; c += 4) {
      float sum[4][BLOCK_SIZE] = {0};
      for (int part = 0; part < parts; part++)
        for (int p = 0; p < 4; p++) {
          const float *block = partials + part * size + p * position_size + ((ptrdiff_t)(o / BLOCK_OUT) * in_blocks + c / 4) * BLOCK_SIZE;
          for (int i = 0; i < BLOCK_SIZE; i++) sum[p][i] += block[i];
        }
      for (int i = 0; i < BLOCK_SIZE; i++) {
        if (o + i / 4 >= end || c + i % 4 >= t->in_channels) continue;
        float *to = dkernel + ((ptrdiff_t)(o + i / 4) * t->in_channels + c + i % 4) * 4;
        for (int p = 0; p < 4; p++) to[p] = (accumulate ? to[p] : 0) + sum[p][i];
      }
    }
  for (int o = o0; o < end; o++) {
    double sum = 0;
    for (int part = 0; part < parts; part++) sum += partials[part * size + 4 * position_size + o];
    dbias[o] = (accumulate ? dbias[o] : 0) + (float)sum;
  }
}

#undef FOR_ROWS
