// Template of winograd.c, compiled for each instruction set (each_isa.h): one task of a pass.

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

// Aᵀ m, of six vectors.
INLINE void CK_NAME(transform_output)(const VEC m[6], VEC o[4]) {
  const VEC a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
  o[0] = m[0] + a + c;
  o[1] = b + 2 * d;
  o[2] = a + 4 * c;
  o[3] = b + 8 * d + m[5];
}

// G g, of three vectors.
INLINE void CK_NAME(transform_kernel)(VEC a, VEC b, VEC c, VEC o[6]) {
  const VEC p = a + c, q = a * (1.0f / 24) + c * (1.0f / 6), r = b * (1.0f / 12);
  o[0] = a * 0.25f;
  o[1] = (p + b) * (-1.0f / 6);
  o[2] = (p - b) * (-1.0f / 6);
  o[3] = q + r;
  o[4] = q - r;
  o[5] = c;
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
      if (gates) {
        const VEC gate = LOAD_LOOSE(gates[r] + x);
        d[r] *= (VEC)((BITS)(1 - (VEC){0}) & (gate > 0));  // CK_FACTOR
      }
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

// M[o, t …] = Σ U[c, o] V[c, t …] for `channels` output channels and `vectors` vectors, both constants.
INLINE void CK_NAME(product)(const int channels, const int vectors, const float *u, const float *v, ptrdiff_t tiles, int depth,
                             float *m) {
  VEC sum[16];
  UNROLL for (int i = 0; i < channels * vectors; i++) sum[i] = (VEC){0};
  for (int c = 0; c < depth; c++) {
    VEC x[4];
    __builtin_prefetch(u + (depth + c) * CK_WINOGRAD_BLOCK);  // the next position's: U comes from L3 (+10 % at 256 channels)
    UNROLL for (int k = 0; k < vectors; k++) x[k] = LOAD(v + c * tiles + k * CK_LANES);
    UNROLL for (int o = 0; o < channels; o++) {
      const VEC weight = u[c * CK_WINOGRAD_BLOCK + o] - (VEC){0};
      UNROLL for (int k = 0; k < vectors; k++) sum[o * vectors + k] += weight * x[k];
    }
  }
  UNROLL for (int o = 0; o < channels; o++)
    UNROLL for (int k = 0; k < vectors; k++) STORE(m + o * tiles + k * CK_LANES, sum[o * vectors + k]);
}

// All tiles of one position for up to 16 output channels.
static void CK_NAME(position)(const float *u, const float *v, int tiles, int depth, int channels, float *m) {
  int t = 0;
#if CK_LANES == 16
  for (; t + 4 * CK_LANES <= tiles; t += 4 * CK_LANES)
    for (int o = 0; o < channels; o += 4) CK_NAME(product)(4, 4, u + o, v + t, tiles, depth, m + o * tiles + t);
  for (; t + 2 * CK_LANES <= tiles; t += 2 * CK_LANES)
    for (int o = 0; o < channels; o += 8) CK_NAME(product)(8, 2, u + o, v + t, tiles, depth, m + o * tiles + t);
  for (; t < tiles; t += CK_LANES) CK_NAME(product)(16, 1, u, v + t, tiles, depth, m + t);
#else
  for (; t < tiles; t += 2 * CK_LANES)
    for (int o = 0; o < channels; o += 4) CK_NAME(product)(4, 2, u + o, v + t, tiles, depth, m + o * tiles + t);
#endif
}

// The outputs of the tiles of one vector, from their 36 positions.
INLINE void CK_NAME(output_tiles)(const float *m, ptrdiff_t m_stride, float bias, float floor, int accumulate, float *const to[4],
                                  int width) {
  VEC z[4][6];
  UNROLL for (int s = 0; s < 6; s++) {
    VEC column[6], o[4];
    UNROLL for (int r = 0; r < 6; r++) column[r] = LOAD(m + (r * 6 + s) * m_stride);
    CK_NAME(transform_output)(column, o);
    UNROLL for (int i = 0; i < 4; i++) z[i][s] = o[i];
  }
  UNROLL for (int i = 0; i < 4; i++) {
    VEC o[4];
    CK_NAME(transform_output)(z[i], o);
    const VEC low0 = ZIP_LOW(o[0], o[2]), high0 = ZIP_HIGH(o[0], o[2]), low1 = ZIP_LOW(o[1], o[3]), high1 = ZIP_HIGH(o[1], o[3]);
    VEC row[4] = {ZIP_LOW(low0, low1), ZIP_HIGH(low0, low1), ZIP_LOW(high0, high1), ZIP_HIGH(high0, high1)};
    UNROLL for (int k = 0; k < 4; k++) {
      float *p = to[k] + i * width;
      VEC y = row[k] + bias;
      if (accumulate) y += LOAD_LOOSE(p);
      const BITS below = y < floor;
      STORE_LOOSE(p, (VEC)(((BITS)y & ~below) | ((BITS)(floor - (VEC){0}) & below)));
    }
  }
}

// G g Gᵀ of 16 output channels by one input channel; kernel (o, c) begins at kernel + o · out_step + c · in_step.
void CK_NAME(ck_winograd_pack)(const ck_winograd *w, const float *kernel, ptrdiff_t out_step, ptrdiff_t in_step, int flip,
                               float *packed) {
  const ptrdiff_t position = (ptrdiff_t)w->in_channels * CK_WINOGRAD_BLOCK;
  for (int block = 0; block < w->out_channels; block += CK_WINOGRAD_BLOCK, packed += CK_WINOGRAD_POSITIONS * position)
    for (int c = 0; c < w->in_channels; c++) {
      _Alignas(64) float g[9][CK_WINOGRAD_BLOCK] = {0};
      for (int o = 0; o < CK_WINOGRAD_BLOCK && block + o < w->out_channels; o++) {
        const float *from = kernel + (block + o) * out_step + c * in_step;
        UNROLL for (int k = 0; k < 9; k++) g[k][o] = from[flip ? 8 - k : k];
      }
      for (int o = 0; o < CK_WINOGRAD_BLOCK; o += CK_LANES) {
        VEC h[3][6];
        UNROLL for (int j = 0; j < 3; j++) CK_NAME(transform_kernel)(LOAD(g[j] + o), LOAD(g[3 + j] + o), LOAD(g[6 + j] + o), h[j]);
        UNROLL for (int r = 0; r < 6; r++) {
          VEC u[6];
          CK_NAME(transform_kernel)(h[0][r], h[1][r], h[2][r], u);
          UNROLL for (int s = 0; s < 6; s++) STORE_LOOSE(packed + (r * 6 + s) * position + c * CK_WINOGRAD_BLOCK + o, u[s]);
        }
      }
    }
}

void CK_NAME(ck_winograd)(const ck_winograd *w, int task, ck_winograd_operands io, float *scratch) {
  const int tiles = w->tiles, width = w->width, per_image = w->height / 4;
  const int group = task % w->groups, row0 = task / w->groups * w->task_rows;
  const int rows = w->rows - row0 < w->task_rows ? w->rows - row0 : w->task_rows;
  const int64_t plane = (int64_t)w->height * width;
  const layout at = layout_of(w);
  float *e = scratch + at.e, *v = scratch + at.v, *m = scratch + at.m, *zeros = scratch + at.zeros;
  int32_t *inner = (int32_t *)(scratch + at.inner);

  memset(zeros, 0, sizeof(float) * width);
  memset(e, 0, sizeof(float) * 6 * at.e_stride);  // the last task may have fewer rows
  for (int t = 0; t < tiles; t++) {
    inner[t] = t % w->across == 0 ? 0 : -1;
    inner[tiles + t] = t % w->across == w->across - 1 ? 0 : -1;
  }

  const ck_slab *slab = io.in;
  for (int c = 0, base = 0; c < w->in_channels; c++) {
    while (c - base >= slab->channels) base += (int)slab++->channels;
    for (int j = 0; j < rows; j++) {
      const int n = (row0 + j) / per_image, y0 = (row0 + j) % per_image * 4 - 1;
      const float *x = slab->data + n * slab->image_stride + (c - base) * plane;
      const float *gate = io.gate.data ? io.gate.data + n * io.gate.image_stride + c * plane : NULL;
      const float *from[6], *gates[6];
      for (int r = 0; r < 6; r++) {
        const int inside = y0 + r >= 0 && y0 + r < w->height;
        from[r] = inside ? x + (int64_t)(y0 + r) * width : zeros;
        gates[r] = gate && inside ? gate + (int64_t)(y0 + r) * width : zeros;
      }
      if (gate)
        CK_NAME(input_rows)(from, gates, width, plane, e + j * width, at.e_stride);
      else
        CK_NAME(input_rows)(from, NULL, width, plane, e + j * width, at.e_stride);
    }
    for (int r = 0; r < 6; r++)
      CK_NAME(input_columns)(e + r * at.e_stride, inner, tiles, v + r * 6 * at.v_stride + (ptrdiff_t)c * tiles, at.v_stride);
  }

  const int end = (group + 1) * w->group_channels < w->out_channels ? (group + 1) * w->group_channels : w->out_channels;
  for (int block = group * w->group_channels; block < end; block += CK_WINOGRAD_BLOCK) {
    const int channels = end - block < CK_WINOGRAD_BLOCK ? end - block : CK_WINOGRAD_BLOCK;
    const ptrdiff_t u_stride = (ptrdiff_t)w->in_channels * CK_WINOGRAD_BLOCK;
    const float *u = io.packed + block / CK_WINOGRAD_BLOCK * CK_WINOGRAD_POSITIONS * u_stride;
    for (int p = 0; p < CK_WINOGRAD_POSITIONS; p++)
      CK_NAME(position)(u + p * u_stride, v + p * at.v_stride, tiles, w->in_channels, channels, m + p * at.m_stride);
    const ck_slab *out = io.out;
    int base = 0;
    for (int o = block; o < block + channels; o++) {
      while (o - base >= out->channels) base += (int)out++->channels;
      if (!out->data) continue;
      const float bias = io.bias ? io.bias[o] : 0, floor = io.relu ? 0 : -__builtin_inff();
      const int accumulate = io.accumulate && io.accumulate[out - io.out];
      for (int t = 0; t < rows * w->across; t += CK_LANES) {
        float *to[4], *discarded = e;
        for (int k = 0; k < 4; k++) {
          const int x = 4 * t + k * CK_LANES, j = x / width;
          const int n = (row0 + j) / per_image, y = (row0 + j) % per_image * 4;
          to[k] = j < rows ? out->data + n * out->image_stride + (o - base) * plane + (int64_t)y * width + x % width : discarded;
        }
        const float *from = m + (ptrdiff_t)(o - block) * tiles + t;
        if (accumulate)
          CK_NAME(output_tiles)(from, at.m_stride, bias, floor, 1, to, width);
        else
          CK_NAME(output_tiles)(from, at.m_stride, bias, floor, 0, to, width);
      }
    }
  }
}

#undef VEC
#undef BITS
#undef LOAD
#undef STORE
#undef LOAD_LOOSE
#undef STORE_LOOSE
#undef EVEN
#undef ODD
#undef ZIP_LOW
#undef ZIP_HIGH
#undef AFTER
#undef BEFORE
