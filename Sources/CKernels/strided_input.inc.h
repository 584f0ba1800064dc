// Part of strided.inc.h: from the fine plane, or the coarse one, to V.

// Bᵀ d, of five vectors; of four for a single tap, which has no product at ∞.
INLINE void CK_NAME(window)(const VEC *d, const int count, VEC *o) {
  const VEC t = d[3] - d[1];
  o[0] = 2 * (d[0] - d[2]) + t;
  o[1] = (d[3] - d[2]) - 2 * d[1];
  o[2] = (d[3] - 3 * d[2]) + 2 * d[1];
  o[3] = t;
  if (count == 5) o[4] = (d[4] - d[2]) - 2 * t;
}

// The rows first … first + count − 1 of channel c in tile row `tile_row` of all images, and their gates (NULL: none).
INLINE void CK_NAME(rows_of)(const ck_slab *in, ck_slab gate, int c, int tile_row, int height, int width, int tile, int first, int count,
                             const float *zeros, const float **rows, const float **gates) {
  const int per_image = height / tile, n = tile_row / per_image, y = tile_row % per_image * tile + first;
  const int64_t plane = (int64_t)height * width;
  const float *x = ck_channel(in, c, n, plane, NULL), *mask = gate.data ? ck_channel(&gate, c, n, plane, NULL) : NULL;
  for (int r = 0; r < count; r++) {
    const int inside = y + r >= 0 && y + r < height;
    rows[r] = inside ? x + (ptrdiff_t)(y + r) * width : zeros;
    gates[r] = !mask ? NULL : inside ? mask + (ptrdiff_t)(y + r) * width : zeros;
  }
}

// `count` values at column x, masked; asks for those of the next channel, `ahead` floats on.
INLINE void CK_NAME(column)(const float *const *rows, const float *const *gates, const int gated, const int count, int x, ptrdiff_t ahead,
                            VEC *d) {
  UNROLL for (int r = 0; r < count; r++) {
    __builtin_prefetch(rows[r] + ahead + x);
    d[r] = LOAD_LOOSE(rows[r] + x);
    if (gated) {
      __builtin_prefetch(gates[r] + ahead + x);
      d[r] *= CK_NAME(factor)(gates[r] + x);
    }
  }
}

// ---- The fine plane's phases ----------------------------------------------------------------------------------

// Along y: five rows from the even ones and four from the odd ones of a tile row. Adds what it read to `sum`.
INLINE void CK_NAME(fine_rows)(const float *const rows[9], const float *const gates[9], const int gated, int width, ptrdiff_t ahead,
                               float *e, ptrdiff_t e_stride, VEC *sum) {
  for (int x = 0; x < width; x += CK_LANES) {
    VEC d[9], o[9];
    CK_NAME(column)(rows, gates, gated, 9, x, ahead, d);
    *sum += ((d[0] + d[1]) + (d[2] + d[3])) + ((d[4] + d[5]) + (d[6] + d[7]));
    const VEC even[5] = {d[0], d[2], d[4], d[6], d[8]}, odd[4] = {d[1], d[3], d[5], d[7]};
    CK_NAME(window)(even, 5, o);
    CK_NAME(window)(odd, 4, o + 5);
    UNROLL for (int r = 0; r < 9; r++) STORE(e + r * e_stride + x, o[r]);
  }
}

// Along x: the positions of one row transformed along y, from its even columns to even[b], from its odd ones to odd[b].
// `inner` masks the last tile of each row, whose outer column is padding.
INLINE void CK_NAME(fine_columns)(const float *e, const int32_t *inner, int tiles, float *const even[5], float *const odd[4]) {
  VEC q[8], next[8];
  CK_NAME(part)(e, 8, q);
  for (int t = 0; t < tiles; t += CK_LANES) {
    if (t + CK_LANES < tiles)
      CK_NAME(part)(e + 8 * (t + CK_LANES), 8, next);
    else
      next[0] = (VEC){0};
    const VEC after = (VEC)((BITS)AFTER(q[0], next[0]) & *(const BITS *)(inner + t));
    const VEC evens[5] = {q[0], q[2], q[4], q[6], after}, odds[4] = {q[1], q[3], q[5], q[7]};
    VEC o[9];
    CK_NAME(window)(evens, 5, o);
    CK_NAME(window)(odds, 4, o + 5);
    UNROLL for (int b = 0; b < 5; b++) STORE(even[b] + t, o[b]);
    UNROLL for (int b = 0; b < 4; b++) STORE(odd[b] + t, o[5 + b]);
    UNROLL for (int k = 0; k < 8; k++) q[k] = next[k];
  }
}

// V [81, channels, tiles] of `channels` fine channels from f0 on, for `rows` tile rows from row0 on; tiles beyond are zeros.
// `sums`, where wanted: what is added to them are the channels' sums.
static void CK_NAME(fine_channels)(const ck_strided *s, int row0, int rows, int f0, int channels, const ck_slab *in, ck_slab gate,
                                   workspace at, float *sums) {
  const int width = 2 * s->width, tiles = s->tiling.tiles;
  const ptrdiff_t plane = (ptrdiff_t)4 * s->height * s->width;
  memset(at.e, 0, sizeof(float) * 9 * at.e_stride);
  for (int f = 0; f < channels; f++) {
    VEC sum = {0};
    for (int j = 0; j < rows; j++) {
      const float *from[9], *gates[9];
      CK_NAME(rows_of)(in, gate, f0 + f, row0 + j, 2 * s->height, width, 8, 0, 9, at.zeros, from, gates);
      if (gate.data)
        CK_NAME(fine_rows)(from, gates, 1, width, plane, at.e + j * width, at.e_stride, &sum);
      else
        CK_NAME(fine_rows)(from, gates, 0, width, plane, at.e + j * width, at.e_stride, &sum);
    }
    for (int i = 0; sums && i < CK_LANES; i++) sums[f] += sum[i];
    for (int r = 0; r < 9; r++) {
      const int p = r >= CK_STRIDED_POINTS, a = p ? r - CK_STRIDED_POINTS : r;
      float *even[5], *odd[4];
      for (int b = 0; b < 5; b++) {
        even[b] = at.v + ((ptrdiff_t)product_of(a, b, p, 0) * channels + f) * tiles + (a * 5 + b) * 16;
        if (b < 4) odd[b] = even[b] + (ptrdiff_t)channels * tiles;
      }
      CK_NAME(fine_columns)(at.e + r * at.e_stride, at.inner + tiles, tiles, even, odd);
    }
  }
}

// ---- The coarse plane -----------------------------------------------------------------------------------------

// V [25, channels, tiles] of all coarse channels, of tiles read backwards.
static void CK_NAME(coarse_channels)(const ck_strided *s, int row0, int rows, const ck_slab *in, ck_slab gate, workspace at) {
  const int width = s->width, tiles = s->tiling.tiles;
  const ptrdiff_t plane = (ptrdiff_t)s->height * width;
  memset(at.e, 0, sizeof(float) * 5 * at.e_stride);
  for (int c = 0; c < s->coarse; c++) {
    for (int j = 0; j < rows; j++) {
      const float *from[5], *gates[5];
      CK_NAME(rows_of)(in, gate, c, row0 + j, s->height, width, 4, -1, 5, at.zeros, from, gates);
      for (int x = 0; x < width; x += CK_LANES) {
        VEC d[5], o[5];
        if (gate.data)
          CK_NAME(column)(from, gates, 1, 5, x, plane, d);
        else
          CK_NAME(column)(from, gates, 0, 5, x, plane, d);
        const VEC back[5] = {d[4], d[3], d[2], d[1], d[0]};
        CK_NAME(window)(back, 5, o);
        UNROLL for (int r = 0; r < 5; r++) STORE(at.e + r * at.e_stride + j * width + x, o[r]);
      }
    }
    for (int r = 0; r < 5; r++) {
      VEC before = {0};
      float *v = at.v + ((ptrdiff_t)r * 5 * s->coarse + c) * tiles + r * 5 * 16;
      for (int t = 0; t < tiles; t += CK_LANES) {
        VEC q[4], o[5];
        CK_NAME(part)(at.e + r * at.e_stride + 4 * t, 4, q);
        const VEC back[5] = {q[3], q[2], q[1], q[0], (VEC)((BITS)BEFORE(before, q[3]) & *(const BITS *)(at.inner + t))};
        CK_NAME(window)(back, 5, o);
        UNROLL for (int b = 0; b < 5; b++) STORE(v + b * ((ptrdiff_t)s->coarse * tiles + 16) + t, o[b]);
        before = q[3];
      }
    }
  }
}
