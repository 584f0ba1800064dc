// Part of winograd.inc.h: M = U · V and from M to the planes of output channels.

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

// G g Gᵀ of 16 output channels by one input channel; kernel (o, c) begins at kernel + o · out_step + c · in_step.
void CK_NAME(ck_winograd_pack)(const ck_tiling *w, const float *kernel, ptrdiff_t out_step, ptrdiff_t in_step, int flip,
                               float *packed) {
  const ptrdiff_t position = (ptrdiff_t)w->in_channels * CK_BLOCK;
  for (int block = 0; block < w->out_channels; block += CK_BLOCK, packed += CK_WINOGRAD_POSITIONS * position)
    for (int c = 0; c < w->in_channels; c++) {
      _Alignas(64) float g[9][CK_BLOCK] = {0};
      for (int o = 0; o < CK_BLOCK && block + o < w->out_channels; o++) {
        const float *from = kernel + (block + o) * out_step + c * in_step;
        UNROLL for (int k = 0; k < 9; k++) g[k][o] = from[flip ? 8 - k : k];
      }
      for (int o = 0; o < CK_BLOCK; o += CK_LANES) {
        VEC h[3][6];
        UNROLL for (int j = 0; j < 3; j++) CK_NAME(transform_kernel)(LOAD(g[j] + o), LOAD(g[3 + j] + o), LOAD(g[6 + j] + o), h[j]);
        UNROLL for (int r = 0; r < 6; r++) {
          VEC u[6];
          CK_NAME(transform_kernel)(h[0][r], h[1][r], h[2][r], u);
          UNROLL for (int s = 0; s < 6; s++) STORE_LOOSE(packed + (r * 6 + s) * position + c * CK_BLOCK + o, u[s]);
        }
      }
    }
}

// The outputs of the tiles of one vector, from their 36 positions.
INLINE void CK_NAME(output_tiles)(const float *m, ptrdiff_t m_stride, float bias, float floor, int accumulate, float *const to[4],
                                  int width, ptrdiff_t ahead) {
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
    CK_NAME(interleave)(o, 4);
    UNROLL for (int k = 0; k < 4; k++) {
      float *p = to[k] + i * width;
      __builtin_prefetch(p + ahead);
      VEC y = o[k] + bias;
      if (accumulate) y += LOAD_LOOSE(p);
      STORE_LOOSE(p, CK_NAME(at_least)(y, floor));
    }
  }
}

void CK_NAME(ck_winograd)(const ck_tiling *w, int task, ck_operands io, float *scratch) {
  const int tiles = w->tiles, width = w->width, per_image = w->height / 4;
  const int group = task % w->groups, row0 = task / w->groups * w->task_rows;
  const int rows = w->rows - row0 < w->task_rows ? w->rows - row0 : w->task_rows;
  const int64_t plane = (int64_t)w->height * width;
  const workspace at = workspace_of(w, scratch);
  CK_NAME(input_channels)(w, row0, rows, io.in, io.gate, at);

  const int end = (group + 1) * w->group_channels < w->out_channels ? (group + 1) * w->group_channels : w->out_channels;
  for (int block = group * w->group_channels; block < end; block += CK_BLOCK) {
    const int channels = end - block < CK_BLOCK ? end - block : CK_BLOCK;
    const ptrdiff_t u_stride = (ptrdiff_t)w->in_channels * CK_BLOCK;
    const float *u = io.packed + block / CK_BLOCK * CK_WINOGRAD_POSITIONS * u_stride;
    for (int p = 0; p < CK_WINOGRAD_POSITIONS; p++)
      CK_NAME(position)(u + p * u_stride, at.v + p * at.v_stride, tiles, w->in_channels, channels, at.m + p * at.m_stride);
    const ck_slab *out = io.out;
    int base = 0;
    for (int o = block; o < block + channels; o++) {
      while (o - base >= out->channels) base += (int)out++->channels;
      if (!out->data) continue;
      const float bias = io.bias ? io.bias[o] : 0, floor = io.relu ? 0 : -__builtin_inff();
      const int accumulate = io.accumulate && io.accumulate[out - io.out];
      for (int t = 0; t < rows * w->across; t += CK_LANES) {
        float *to[4], *discarded = at.e;
        for (int k = 0; k < 4; k++) {
          const int x = 4 * t + k * CK_LANES, j = x / width;
          const int n = (row0 + j) / per_image, y = (row0 + j) % per_image * 4;
          to[k] = j < rows ? out->data + n * out->image_stride + (o - base) * plane + (int64_t)y * width + x % width : discarded;
        }
        const float *from = at.m + (ptrdiff_t)(o - block) * tiles + t;
        if (accumulate)
          CK_NAME(output_tiles)(from, at.m_stride, bias, floor, 1, to, width, plane);
        else
          CK_NAME(output_tiles)(from, at.m_stride, bias, floor, 0, to, width, plane);
      }
    }
  }
}
