// Part of strided.inc.h: the gradient of the kernel. dU = Σ V · (A coarse Aᵀ) over tiles: vectors run along coarse channels,
// so that no lanes need adding up; for that A coarse Aᵀ is turned round, which has fewer positions than V.

// A y, of four vectors.
INLINE void CK_NAME(spread)(const VEC y[4], VEC o[5]) {
  const VEC a = y[0] + y[2], b = y[1] + y[3];
  o[0] = y[0];
  o[1] = a + b;
  o[2] = a - b;
  o[3] = (y[0] + 4 * y[2]) + (2 * y[1] + 8 * y[3]);
  o[4] = y[3];
}

// Gᵀ u: two taps from five vectors, or a single one from four.
INLINE void CK_NAME(taps)(const VEC *u, const int count, VEC *g) {
  g[0] = (u[0] - u[1]) * 0.5f + (u[3] - u[2]) * (1.0f / 6);
  if (count == 5) g[1] = (u[4] - u[1] * 0.5f) + (u[2] * (1.0f / 6) + u[3] * (1.0f / 3));
}

// A coarse Aᵀ of 16 channels, of which `channels` exist, to M and from there turned round to `turned` [25][tiles, 16].
static void CK_NAME(coarse_block)(const ck_strided *s, int row0, int rows, int c0, int channels, const ck_slab *in, ck_slab gate,
                                  workspace at, float *turned, ptrdiff_t turned_stride) {
  const int width = s->width, tiles = s->tiling.tiles;
  const ptrdiff_t plane = (ptrdiff_t)s->height * width;
  memset(at.e, 0, sizeof(float) * 5 * at.e_stride);
  for (int c = 0; c < CK_BLOCK; c++) {
    for (int j = 0; j < rows && c < channels; j++) {
      const float *from[4], *gates[4];
      CK_NAME(rows_of)(in, gate, c0 + c, row0 + j, s->height, width, 4, 0, 4, at.zeros, from, gates);
      for (int x = 0; x < width; x += CK_LANES) {
        VEC d[4], o[5];
        if (gate.data)
          CK_NAME(column)(from, gates, 1, 4, x, plane, d);
        else
          CK_NAME(column)(from, gates, 0, 4, x, plane, d);
        CK_NAME(spread)(d, o);
        UNROLL for (int r = 0; r < 5; r++) STORE(at.e + r * at.e_stride + j * width + x, o[r]);
      }
    }
    for (int r = 0; r < 5; r++)
      for (int t = 0; t < tiles; t += CK_LANES) {
        VEC q[4], o[5] = {0};
        CK_NAME(part)(at.e + r * at.e_stride + 4 * t, 4, q);
        if (c < channels) CK_NAME(spread)(q, o);
        UNROLL for (int b = 0; b < 5; b++) STORE(at.m + (r * 5 + b) * at.m_stride + (ptrdiff_t)c * tiles + t, o[b]);
      }
  }
  for (int p = 0; p < CK_STRIDED_POSITIONS; p++)
    for (int t = 0; t < tiles; t += CK_LANES)
      for (int c = 0; c < CK_BLOCK; c += CK_LANES) {
        VEC v[CK_LANES];
        UNROLL for (int i = 0; i < CK_LANES; i++) v[i] = LOAD(at.m + p * at.m_stride + (ptrdiff_t)(c + i) * tiles + t);
        CK_NAME(interleave)(v, CK_LANES);
        UNROLL for (int i = 0; i < CK_LANES; i++) STORE(turned + p * turned_stride + (ptrdiff_t)(t + i) * CK_BLOCK + c, v[i]);
      }
}

#undef BLOCK_VECTORS
#define BLOCK_VECTORS (CK_BLOCK / CK_LANES)

// dU (= or +=) of `rows` rows of V by `blocks` blocks of coarse channels, all constants.
INLINE void CK_NAME(outer)(const int rows, const int blocks, const float *v, ptrdiff_t tiles, const float *turned, float *du,
                           ptrdiff_t du_block, int first) {
  VEC sum[rows * blocks * BLOCK_VECTORS];
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int k = 0; k < blocks * BLOCK_VECTORS; k++) {
      const float *from = du + k / BLOCK_VECTORS * du_block + r * CK_BLOCK + k % BLOCK_VECTORS * CK_LANES;
      sum[r * blocks * BLOCK_VECTORS + k] = first ? (VEC){0} : LOAD(from);
    }
  for (int t = 0; t < tiles; t++) {
    VEC x[blocks * BLOCK_VECTORS];
    UNROLL for (int k = 0; k < blocks * BLOCK_VECTORS; k++)
      x[k] = LOAD(turned + k / BLOCK_VECTORS * tiles * CK_BLOCK + t * CK_BLOCK + k % BLOCK_VECTORS * CK_LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      const VEC y = v[r * tiles + t] - (VEC){0};
      UNROLL for (int k = 0; k < blocks * BLOCK_VECTORS; k++) sum[r * blocks * BLOCK_VECTORS + k] += y * x[k];
    }
  }
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int k = 0; k < blocks * BLOCK_VECTORS; k++)
      STORE(du + k / BLOCK_VECTORS * du_block + r * CK_BLOCK + k % BLOCK_VECTORS * CK_LANES, sum[r * blocks * BLOCK_VECTORS + k]);
}

// dU of one position: all rows of V by all blocks of coarse channels.
static void CK_NAME(outer_products)(int rows, int blocks, const float *v, int tiles, const float *turned, float *du, ptrdiff_t du_block,
                                    int first) {
  int k = 0;
#if CK_LANES == 16
  for (; k + 2 <= blocks; k += 2) {
    const float *x = turned + (ptrdiff_t)k * tiles * CK_BLOCK;
    float *to = du + k * du_block;
    int r = 0;
    for (; r + 8 <= rows; r += 8) CK_NAME(outer)(8, 2, v + (ptrdiff_t)r * tiles, tiles, x, to + r * CK_BLOCK, du_block, first);
    for (; r < rows; r++) CK_NAME(outer)(1, 2, v + (ptrdiff_t)r * tiles, tiles, x, to + r * CK_BLOCK, du_block, first);
  }
#endif
  enum { step = CK_LANES == 16 ? 16 : CK_LANES == 8 ? 4 : 2 };
  for (; k < blocks; k++) {
    const float *x = turned + (ptrdiff_t)k * tiles * CK_BLOCK;
    float *to = du + k * du_block;
    int r = 0;
    for (; r + step <= rows; r += step) CK_NAME(outer)(step, 1, v + (ptrdiff_t)r * tiles, tiles, x, to + r * CK_BLOCK, 0, first);
    for (; r < rows; r++) CK_NAME(outer)(1, 1, v + (ptrdiff_t)r * tiles, tiles, x, to + r * CK_BLOCK, 0, first);
  }
}

// Gᵀ dU G of 16 coarse channels and one fine channel, to [9, 16].
INLINE void CK_NAME(kernel_block)(const float *du, ptrdiff_t product, float *to) {
  for (int lane = 0; lane < CK_BLOCK; lane += CK_LANES) {
    VEC half[3][9];                    // rows of the kernel; products along x, the odd phase's after the even one's
    for (int b = 0; b < 5; b++)
      for (int q = 0; q < phases_at(b); q++)
        UNROLL for (int p = 0; p < 2; p++) {
          VEC u[5], g[2];
          UNROLL for (int a = 0; a < 5 - p; a++) u[a] = LOAD(du + product_of(a, b, p, q) * product + lane);
          CK_NAME(taps)(u, 5 - p, g);
          half[p][q * 5 + b] = g[0];
          if (p == 0) half[2][q * 5 + b] = g[1];
        }
    UNROLL for (int i = 0; i < 3; i++) {
      VEC even[2], odd[1];
      CK_NAME(taps)(half[i], 5, even);
      CK_NAME(taps)(half[i] + 5, 4, odd);
      STORE_LOOSE(to + (3 * i) * CK_BLOCK + lane, even[0]);
      STORE_LOOSE(to + (3 * i + 1) * CK_BLOCK + lane, odd[0]);
      STORE_LOOSE(to + (3 * i + 2) * CK_BLOCK + lane, even[1]);
    }
  }
}

void CK_NAME(ck_strided_weights)(const ck_strided *s, int task, const ck_slab *in, ck_slab dy, ck_slab y, float *partials,
                                 float *scratch) {
  const ck_tiling *t = &s->tiling;
  const int group = task % t->groups, cut = task / t->groups, row0 = cut * t->task_rows * t->chunks, tiles = t->tiles;
  const int o0 = group * t->group_channels, outputs = ck_min(t->group_channels, t->out_channels - o0);
  const int f0 = s->transposed ? o0 : 0, fine = s->transposed ? outputs : s->fine;
  const int c0 = s->transposed ? 0 : o0, coarse = s->transposed ? s->coarse : outputs, blocks = ck_divide_up(coarse, CK_BLOCK);
  const ck_slab none = {0}, *fine_in = s->transposed ? &dy : in, *coarse_in = s->transposed ? in : &dy;
  const ck_slab fine_gate = s->transposed ? y : none, coarse_gate = s->transposed ? none : y;
  const weights_workspace w = weights_workspace_of(s, scratch);
  const ptrdiff_t du_block = (ptrdiff_t)CK_STRIDED_PRODUCTS * fine * CK_BLOCK;
  float *part = partials + cut * partial_size(s), *bias = part + partial_size(s) - ck_round_up(t->out_channels, 16) + o0;
  memset(bias, 0, sizeof(float) * outputs);

  for (int chunk = 0; chunk < t->chunks; chunk++) {
    const int begin = row0 + chunk * t->task_rows, rows = ck_min(t->task_rows, t->rows - begin);
    if (rows <= 0) break;
    CK_NAME(fine_channels)(s, begin, rows, f0, fine, fine_in, fine_gate, w.at, s->transposed ? bias : NULL);
    for (int k = 0; k < blocks; k++) {
      const int channels = ck_min(CK_BLOCK, coarse - k * CK_BLOCK);
      CK_NAME(coarse_block)(s, begin, rows, c0 + k * CK_BLOCK, channels, coarse_in, coarse_gate, w.at,
                            w.turned + (ptrdiff_t)k * tiles * CK_BLOCK, w.turned_stride);
      // Position (1, 1) is the sum of the tile.
      for (int o = 0; !s->transposed && o < channels; o++)
        bias[k * CK_BLOCK + o] += CK_NAME(row_sum)(w.at.m + 6 * w.at.m_stride + (ptrdiff_t)o * tiles, tiles);
    }
    for (int a = 0; a < 5; a++)
      for (int b = 0; b < 5; b++) {
        const ptrdiff_t first = (ptrdiff_t)first_product(a, b) * fine, position = a * 5 + b;
        CK_NAME(outer_products)(phases_at(a) * phases_at(b) * fine, blocks, w.at.v + first * tiles + position * 16, tiles,
                                w.turned + position * w.turned_stride, w.du + first * CK_BLOCK, du_block, chunk == 0);
      }
  }
  for (int k = 0; k < blocks; k++)
    for (int f = 0; f < fine; f++)
      CK_NAME(kernel_block)(w.du + k * du_block + (ptrdiff_t)f * CK_BLOCK, (ptrdiff_t)fine * CK_BLOCK,
                            part + ((ptrdiff_t)(c0 / CK_BLOCK + k) * s->fine + f0 + f) * 9 * CK_BLOCK);
}

void CK_NAME(ck_strided_reduce)(const ck_strided *s, int task, const float *partials, float *dkernel, float *dbias, int accumulate) {
  const int cuts = ck_tiling_cuts(&s->tiling), channels = ck_min(CK_BLOCK, s->coarse - task * CK_BLOCK);
  const ptrdiff_t size = partial_size(s), biases = size - ck_round_up(s->tiling.out_channels, 16);
  for (int f = 0; f < s->fine; f++) {
    float sum[9 * CK_BLOCK] = {0};
    const float *block = partials + ((ptrdiff_t)task * s->fine + f) * 9 * CK_BLOCK;
    for (int cut = 0; cut < cuts; cut++)
      for (int i = 0; i < 9 * CK_BLOCK; i++) sum[i] += block[cut * size + i];
    for (int c = 0; c < channels; c++) {
      float *to = dkernel + ((ptrdiff_t)(task * CK_BLOCK + c) * s->fine + f) * 9;
      for (int k = 0; k < 9; k++) to[k] = (accumulate ? to[k] : 0) + sum[k * CK_BLOCK + c];
    }
  }
  for (int o = 0; task == 0 && o < s->tiling.out_channels; o++) {
    double sum = 0;
    for (int cut = 0; cut < cuts; cut++) sum += partials[cut * size + biases + o];
    dbias[o] = (accumulate ? dbias[o] : 0) + (float)sum;
  }
}
