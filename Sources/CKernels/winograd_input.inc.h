// Part of winograd.inc.h: from the planes of input channels to V.

// Bᵀ d, of six vectors.
INLINE void CK_NAME(transform_input)(const VEC d[6], VEC o[6]) {
  const VEC p = d[4] - 4 * d[2], q = d[3] - 4 * d[1], r = d[4] - d[2], s = 2 * (d[3] - d[1]);
  o[0] = 4 * d[0] + (d[4] - 5 * d[2]);
  o[1] = p + q;
  o[2] = p - q;
  o[3] = r + s;
  o[4] = r - s;
  o[5] = 4 * d[1] + (d[5] - 5 * d[3]);
}

// Along y: the six transformed rows of one tile row, from six input rows. Six short rows of a plane far from the last are
// too little for the processor to foresee: asking for those of the next channel (`ahead` floats on) gains 10 to 30 %.
INLINE void CK_NAME(input_rows)(const float *const rows[6], const float *const gates[6], int width, ptrdiff_t ahead, float *e, ptrdiff_t e_stride) {
  for (int x = 0; x < width; x += CK_LANES) {
    UNROLL for (int r = 0; r < 6; r++) {
      __builtin_prefetch(rows[r] + ahead + x);
      if (gates) __builtin_prefetch(gates[r] + ahead + x);
    }
    VEC d[6], o[6];
    UNROLL for (int r = 0; r < 6; r++) {
      d[r] = LOAD_LOOSE(rows[r] + x);
      if (gates) d[r] *= CK_NAME(factor)(gates[r] + x);
    }
    CK_NAME(transform_input)(d, o);
    UNROLL for (int r = 0; r < 6; r++) STORE(e + r * e_stride + x, o[r]);
  }
}

// Along x: six positions of V from one row transformed along y. `inner` masks the first and the last tile of each row,
// whose outer column is padding.
INLINE void CK_NAME(input_columns)(const float *e, const int32_t *inner, int tiles, float *v, ptrdiff_t v_stride) {
  VEC before = {0}, q[4], next[4];
  CK_NAME(part)(e, 4, q);
  for (int t = 0; t < tiles; t += CK_LANES) {
    if (t + CK_LANES < tiles)
      CK_NAME(part)(e + 4 * (t + CK_LANES), 4, next);
    else
      next[0] = (VEC){0};
    VEC d[6] = {BEFORE(before, q[3]), q[0], q[1], q[2], q[3], AFTER(q[0], next[0])}, o[6];
    d[0] = (VEC)((BITS)d[0] & *(const BITS *)(inner + t));
    d[5] = (VEC)((BITS)d[5] & *(const BITS *)(inner + tiles + t));
    CK_NAME(transform_input)(d, o);
    UNROLL for (int s = 0; s < 6; s++) STORE(v + s * v_stride + t, o[s]);
    before = q[3];
    UNROLL for (int k = 0; k < 4; k++) q[k] = next[k];
  }
}

// V[p, c, t] of all input channels, for `rows` tile rows from row0 on. Tiles beyond the last row are zeros.
static void CK_NAME(input_channels)(const ck_tiling *w, int row0, int rows, const ck_slab *in, ck_slab gate, workspace at) {
  const int width = w->width, per_image = w->height / 4;
  const int64_t plane = (int64_t)w->height * width;
  memset(at.e, 0, sizeof(float) * 6 * at.e_stride);
  for (int c = 0, base = 0; c < w->in_channels; c++) {
    while (c - base >= in->channels) base += (int)in++->channels;
    for (int j = 0; j < rows; j++) {
      const int n = (row0 + j) / per_image, y0 = (row0 + j) % per_image * 4 - 1;
      const float *x = in->data + n * in->image_stride + (c - base) * plane;
      const float *mask = gate.data ? gate.data + n * gate.image_stride + c * plane : NULL;
      const float *from[6], *gates[6];
      for (int r = 0; r < 6; r++) {
        const int inside = y0 + r >= 0 && y0 + r < w->height;
        from[r] = inside ? x + (int64_t)(y0 + r) * width : at.zeros;
        gates[r] = mask && inside ? mask + (int64_t)(y0 + r) * width : at.zeros;
      }
      if (mask)
        CK_NAME(input_rows)(from, gates, width, plane, at.e + j * width, at.e_stride);
      else
        CK_NAME(input_rows)(from, NULL, width, plane, at.e + j * width, at.e_stride);
    }
    for (int r = 0; r < 6; r++)
      CK_NAME(input_columns)(at.e + r * at.e_stride, at.inner, w->tiles, at.v + r * 6 * at.v_stride + (ptrdiff_t)c * w->tiles, at.v_stride);
  }
}
