// Part of winograd.inc.h: the gradient of the kernel, dg = Gᵀ[Σ (A dy Aᵀ) ⊙ (Bᵀ d B)]G over all tiles, which is the forward
// pass turned around: dU[p] = dM[p] · V[p]ᵀ, dU [Cout, Cin], dM [Cout, tiles].

// A y, of four vectors.
INLINE void CK_NAME(transform_gradient)(const VEC y[4], VEC o[6]) {
  const VEC a = y[0] + y[2], b = y[1] + y[3], c = y[0] + 4 * y[2], d = 2 * y[1] + 8 * y[3];
  o[0] = y[0];
  o[1] = a + b;
  o[2] = a - b;
  o[3] = c + d;
  o[4] = c - d;
  o[5] = y[3];
}

// Gᵀ u, of six vectors.
INLINE void CK_NAME(transform_weights)(const VEC u[6], VEC o[3]) {
  const VEC a = (u[1] + u[2]) * (1.0f / 6), b = u[3] + u[4], c = u[2] - u[1], d = u[3] - u[4];
  o[0] = u[0] * 0.25f - a + b * (1.0f / 24);
  o[1] = c * (1.0f / 6) + d * (1.0f / 12);
  o[2] = b * (1.0f / 6) - a + u[5];
}

INLINE void CK_NAME(gradient_rows)(const float *dy, const float *gate, int width, ptrdiff_t ahead, float *e, ptrdiff_t e_stride) {
  for (int x = 0; x < width; x += CK_LANES) {
    VEC d[4], o[6];
    UNROLL for (int i = 0; i < 4; i++) {
      __builtin_prefetch(dy + ahead + i * width + x);
      d[i] = LOAD_LOOSE(dy + i * width + x);
      if (gate) {
        __builtin_prefetch(gate + ahead + i * width + x);
        d[i] *= CK_NAME(factor)(gate + i * width + x);
      }
    }
    CK_NAME(transform_gradient)(d, o);
    UNROLL for (int r = 0; r < 6; r++) STORE(e + r * e_stride + x, o[r]);
  }
}

// M[p, o, t] = A dy Aᵀ of `channels` channels from o0 on, for `rows` tile rows from row0 on.
static void CK_NAME(gradient_channels)(const ck_tiling *w, int row0, int rows, int o0, int channels, ck_slab dy, ck_slab gate,
                                       workspace at) {
  const int width = w->width, per_image = w->height / 4;
  const int64_t plane = (int64_t)w->height * width;
  memset(at.e, 0, sizeof(float) * 6 * at.e_stride);
  for (int o = 0; o < channels; o++) {
    for (int j = 0; j < rows; j++) {
      const int n = (row0 + j) / per_image, y0 = (row0 + j) % per_image * 4;
      const int64_t offset = (o0 + o) * plane + (int64_t)y0 * width;
      const float *from = dy.data + n * dy.image_stride + offset;
      if (gate.data)
        CK_NAME(gradient_rows)(from, gate.data + n * gate.image_stride + offset, width, plane, at.e + j * width, at.e_stride);
      else
        CK_NAME(gradient_rows)(from, NULL, width, plane, at.e + j * width, at.e_stride);
    }
    for (int r = 0; r < 6; r++)
      for (int t = 0; t < w->tiles; t += CK_LANES) {
        VEC q[4], out[6];
        CK_NAME(part)(at.e + r * at.e_stride + 4 * t, 4, q);
        CK_NAME(transform_gradient)(q, out);
        UNROLL for (int s = 0; s < 6; s++) STORE(at.m + (r * 6 + s) * at.m_stride + (ptrdiff_t)o * w->tiles + t, out[s]);
      }
  }
}

void CK_NAME(ck_winograd_weights)(const ck_tiling *w, int task, const ck_slab *in, ck_slab dy, ck_slab y, float *partials,
                                  float *scratch) {
  const int group = task % w->groups, row0 = task / w->groups * w->task_rows * w->chunks;
  const int o0 = group * w->group_channels;
  const int channels = w->out_channels - o0 < w->group_channels ? w->out_channels - o0 : w->group_channels;
  const int in_blocks = ck_divide_up(w->in_channels, 4), out_blocks = ck_divide_up(channels, BLOCK_OUT);
  const workspace at = workspace_with(w, ck_round_up(w->group_channels, 4), scratch);
  const ptrdiff_t du_stride = (ptrdiff_t)in_blocks * out_blocks * BLOCK_SIZE + 16;
  float *du = scratch + at.size;
  float *part = partials + task / w->groups * partial_size(w), *bias = part + partial_size(w) - ck_round_up(w->out_channels, 16) + o0;

  for (int chunk = 0; chunk < w->chunks; chunk++) {
    const int begin = row0 + chunk * w->task_rows, rows = w->rows - begin < w->task_rows ? w->rows - begin : w->task_rows;
    if (rows <= 0) break;
    CK_NAME(input_channels)(w, begin, rows, in, (ck_slab){0}, at);
    CK_NAME(gradient_channels)(w, begin, rows, o0, channels, dy, y, at);
    enum { half_l1 = 64 };             // input channels at a time: 16 KB of V for 64 tiles
    for (int p = 0; p < CK_WINOGRAD_POSITIONS; p++)
      for (int c = 0; c < w->in_channels; c += half_l1)
        for (int o = 0; o < out_blocks; o++)
          CK_NAME(correlate)(at.m + p * at.m_stride + (ptrdiff_t)o * BLOCK_OUT * w->tiles, at.v + p * at.v_stride + (ptrdiff_t)c * w->tiles,
                             w->tiles, w->in_channels - c < half_l1 ? w->in_channels - c : half_l1,
                             du + p * du_stride + ((ptrdiff_t)o * in_blocks + c / 4) * BLOCK_SIZE, chunk == 0);
    // Position (1, 1) of dM is the sum of the tile.
    for (int o = 0; o < channels; o++)
      bias[o] = (chunk == 0 ? 0 : bias[o]) + CK_NAME(row_sum)(at.m + 7 * at.m_stride + (ptrdiff_t)o * w->tiles, w->tiles);
  }

  float *out = part + (ptrdiff_t)(o0 / BLOCK_OUT) * in_blocks * 9 * BLOCK_SIZE;
  for (ptrdiff_t i = 0; i < (ptrdiff_t)in_blocks * out_blocks * BLOCK_SIZE; i += BLOCK_SIZE)
    for (int lane = 0; lane < BLOCK_SIZE; lane += CK_LANES) {
      VEC half[3][6];
      UNROLL for (int s = 0; s < 6; s++) {
        VEC u[6], g[3];
        UNROLL for (int r = 0; r < 6; r++) u[r] = LOAD(du + (r * 6 + s) * du_stride + i + lane);
        CK_NAME(transform_weights)(u, g);
        UNROLL for (int k = 0; k < 3; k++) half[k][s] = g[k];
      }
      UNROLL for (int a = 0; a < 3; a++) {
        VEC g[3];
        CK_NAME(transform_weights)(half[a], g);
        UNROLL for (int b = 0; b < 3; b++) STORE_LOOSE(out + 9 * i + (a * 3 + b) * BLOCK_SIZE + lane, g[b]);
      }
    }
}

void CK_NAME(ck_winograd_reduce)(const ck_tiling *w, int task, const float *partials, int parts, float *dkernel, float *dbias,
                                 int accumulate) {
  const int in_blocks = ck_divide_up(w->in_channels, 4), o0 = task * CK_BLOCK;
  const int end = o0 + CK_BLOCK < w->out_channels ? o0 + CK_BLOCK : w->out_channels;
  const ptrdiff_t size = partial_size(w), biases = size - ck_round_up(w->out_channels, 16);
  for (int o = o0; o < end; o += BLOCK_OUT)
    for (int c = 0; c < w->in_channels; c += 4) {
      float sum[9 * BLOCK_SIZE] = {0};
      const float *block = partials + ((ptrdiff_t)(o / BLOCK_OUT) * in_blocks + c / 4) * 9 * BLOCK_SIZE;
      for (int part = 0; part < parts; part++)
        for (int i = 0; i < 9 * BLOCK_SIZE; i++) sum[i] += block[part * size + i];
      for (int i = 0; i < BLOCK_SIZE; i++) {
        if (o + i / 4 >= end || c + i % 4 >= w->in_channels) continue;
        float *to = dkernel + ((ptrdiff_t)(o + i / 4) * w->in_channels + c + i % 4) * 9;
        for (int k = 0; k < 9; k++) to[k] = (accumulate ? to[k] : 0) + sum[k * BLOCK_SIZE + i];
      }
    }
  for (int o = o0; o < end; o++) {
    double sum = 0;
    for (int part = 0; part < parts; part++) sum += partials[part * size + biases + o];
    dbias[o] = (accumulate ? dbias[o] : 0) + (float)sum;
  }
}
