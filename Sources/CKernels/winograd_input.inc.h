// Part of winograd.inc.h: vectors, and from the planes of input channels to V.

typedef float CK_NAME(vec) __attribute__((vector_size(4 * CK_LANES)));
typedef float CK_NAME(loose) __attribute__((vector_size(4 * CK_LANES), aligned(4)));
typedef int32_t CK_NAME(bits) __attribute__((vector_size(4 * CK_LANES)));
#define VEC CK_NAME(vec)
#define BITS CK_NAME(bits)
#define LOAD(p) (*(const VEC *)(p))
#define STORE(p, v) (*(VEC *)(p) = (v))
#define LOAD_LOOSE(p) (*(const CK_NAME(loose) *)(p))
#define STORE_LOOSE(p, v) (*(CK_NAME(loose) *)(p) = (v))

#if CK_LANES == 16
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define AFTER(a, b) __builtin_shufflevector(a, b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
#define BEFORE(a, b) __builtin_shufflevector(a, b, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30)
#elif CK_LANES == 8
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define AFTER(a, b) __builtin_shufflevector(a, b, 1, 2, 3, 4, 5, 6, 7, 8)
#define BEFORE(a, b) __builtin_shufflevector(a, b, 7, 8, 9, 10, 11, 12, 13, 14)
#else
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define AFTER(a, b) __builtin_shufflevector(a, b, 1, 2, 3, 4)
#define BEFORE(a, b) __builtin_shufflevector(a, b, 3, 4, 5, 6)
#endif

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

// 1 where the gate is open, else 0 (CK_FACTOR, of a vector).
INLINE VEC CK_NAME(factor)(const float *gate) { return (VEC)((BITS)(1 - (VEC){0}) & (LOAD_LOOSE(gate) > 0)); }

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

// Columns 4t + k of a row, for the tiles of one vector.
INLINE void CK_NAME(split)(const float *row, VEC q[4]) {
  const VEC a = LOAD(row), b = LOAD(row + CK_LANES), c = LOAD(row + 2 * CK_LANES), d = LOAD(row + 3 * CK_LANES);
  const VEC even0 = EVEN(a, b), even1 = EVEN(c, d), odd0 = ODD(a, b), odd1 = ODD(c, d);
  q[0] = EVEN(even0, even1);
  q[1] = EVEN(odd0, odd1);
  q[2] = ODD(even0, even1);
  q[3] = ODD(odd0, odd1);
}

// Along x: six positions of V from one row transformed along y. `inner` masks the first and the last tile of each row,
// whose outer column is padding.
INLINE void CK_NAME(input_columns)(const float *e, const int32_t *inner, int tiles, float *v, ptrdiff_t v_stride) {
  VEC before = {0}, q[4], next[4];
  CK_NAME(split)(e, q);
  for (int t = 0; t < tiles; t += CK_LANES) {
    if (t + CK_LANES < tiles)
      CK_NAME(split)(e + 4 * (t + CK_LANES), next);
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
static void CK_NAME(input_channels)(const ck_winograd *w, int row0, int rows, const ck_slab *in, ck_slab gate, workspace at) {
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
