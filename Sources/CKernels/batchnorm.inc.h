// Template of batchnorm.c, compiled for each instruction set (each_isa.h).
//
// Reductions: blocks of at most BLOCK values (16 KB: a second look at them comes from L1), 4 vectors of partial sums
// inside a block, blocks added in double in the order of memory. The tree depends on the shape alone.

typedef float CK_NAME(vec) __attribute__((vector_size(4 * CK_LANES), aligned(4)));
typedef int32_t CK_NAME(mask) __attribute__((vector_size(4 * CK_LANES), aligned(4)));
#define VEC CK_NAME(vec)
#define LOAD(p) (*(const VEC *)(p))

static inline __attribute__((always_inline)) float CK_NAME(sum_lanes)(const VEC part[4]) {
  VEC all = (part[0] + part[1]) + (part[2] + part[3]);
  float lane[CK_LANES];
  memcpy(lane, &all, sizeof lane);
  for (int width = CK_LANES / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lane[i] += lane[i + width];
  return lane[0];
}

// Σ x of one block.
static float CK_NAME(block_sum)(const float *x, int count) {
  VEC part[4] = {0};
  int i = 0;
  for (; i + 4 * CK_LANES <= count; i += 4 * CK_LANES)
    for (int k = 0; k < 4; k++) part[k] += LOAD(x + i + k * CK_LANES);
  float rest = 0;
  for (; i < count; i++) rest += x[i];
  return CK_NAME(sum_lanes)(part) + rest;
}

// Σ (x − shift) and Σ (x − shift)² of one block.
static void CK_NAME(block_moments)(const float *x, int count, float shift, float sums[2]) {
  VEC first[4] = {0}, second[4] = {0};
  int i = 0;
  for (; i + 4 * CK_LANES <= count; i += 4 * CK_LANES)
    for (int k = 0; k < 4; k++) {
      VEC d = LOAD(x + i + k * CK_LANES) - shift;
      first[k] += d;
      second[k] += d * d;
    }
  float rest[2] = {0, 0};
  for (; i < count; i++) {
    float d = x[i] - shift;
    rest[0] += d;
    rest[1] += d * d;
  }
  sums[0] = CK_NAME(sum_lanes)(first) + rest[0];
  sums[1] = CK_NAME(sum_lanes)(second) + rest[1];
}

// Each block is centred on its own mean, then joined with those before it (Chan, Golub & LeVeque 1983, eq. 2.1), so
// that nothing cancels however far the mean lies from zero.
static void CK_NAME(moments)(const float *x, int images, int64_t image_stride, int64_t pixels, float moments[2]) {
  double seen = 0, mean = 0, squares = 0;
  for (int n = 0; n < images; n++)
    for (int64_t begin = 0; begin < pixels; begin += BLOCK) {
      const int count = pixels - begin < BLOCK ? (int)(pixels - begin) : BLOCK;
      const float *block = x + n * image_stride + begin;
      const float shift = CK_NAME(block_sum)(block, count) / (float)count;
      float sums[2];
      CK_NAME(block_moments)(block, count, shift, sums);
      const double off = (double)sums[0] / count, delta = shift + off - mean, total = seen + count;
      squares += sums[1] - off * sums[0] + delta * delta * (seen * count / total);
      mean += delta * (count / total);
      seen = total;
    }
  moments[0] = (float)mean;
  moments[1] = (float)(squares > 0 ? squares / seen : 0);
}

static void CK_NAME(scale_shift)(const float *x, float *y, int64_t count, float scale, float shift, int relu) {
  if (relu)
    CK_ELEMENTS
    for (int64_t i = 0; i < count; i++) {
      float v = scale * x[i] + shift;
      y[i] = v < 0 ? 0 : v;
    }
  else
    CK_ELEMENTS
    for (int64_t i = 0; i < count; i++) y[i] = scale * x[i] + shift;
}

static void CK_NAME(scale_shift_pairs)(const float *x, int64_t channel, float *y, int64_t count, const float scale[2], const float shift[2],
                                       int relu) {
  const float a0 = scale[0], b0 = shift[0], a1 = scale[1], b1 = shift[1], *x1 = x + channel;
  const float floor = relu ? 0 : -__builtin_inff();
  CK_ELEMENTS
  for (int64_t i = 0; i < count; i++) {
    float u = a0 * x[i] + b0, v = a1 * x1[i] + b1;
    y[i] = ck_paired(u < floor ? floor : u, v < floor ? floor : v);
  }
}

static inline __attribute__((always_inline)) void CK_NAME(block_backward_sums)(
    const float *x, const float *dy, int count, float mean, float scale, float shift, int relu, float sums[2]) {
  const VEC one = 1 - (VEC){0};
  VEC first[4] = {0}, second[4] = {0};
  int i = 0;
  for (; i + 4 * CK_LANES <= count; i += 4 * CK_LANES)
    for (int k = 0; k < 4; k++) {
      VEC v = LOAD(x + i + k * CK_LANES), g = LOAD(dy + i + k * CK_LANES);
      if (relu) g *= (VEC)((CK_NAME(mask))one & (scale * v + shift > 0));  // CK_FACTOR
      first[k] += g;
      second[k] += g * (v - mean);
    }
  float rest[2] = {0, 0};
  for (; i < count; i++) {
    float g = relu ? dy[i] * CK_FACTOR(scale * x[i] + shift > 0) : dy[i];
    rest[0] += g;
    rest[1] += g * (x[i] - mean);
  }
  sums[0] = CK_NAME(sum_lanes)(first) + rest[0];
  sums[1] = CK_NAME(sum_lanes)(second) + rest[1];
}

static void CK_NAME(backward_sums)(const float *x, const float *dy, int images, int64_t image_stride, int64_t dy_image_stride,
                                   int64_t pixels, float mean, float scale, float shift, int relu, float sums[2]) {
  double total[2] = {0, 0};
  for (int n = 0; n < images; n++)
    for (int64_t begin = 0; begin < pixels; begin += BLOCK) {
      const int count = pixels - begin < BLOCK ? (int)(pixels - begin) : BLOCK;
      const float *block = x + n * image_stride + begin, *gradient = dy + n * dy_image_stride + begin;
      float part[2];
      if (relu)
        CK_NAME(block_backward_sums)(block, gradient, count, mean, scale, shift, 1, part);
      else
        CK_NAME(block_backward_sums)(block, gradient, count, mean, scale, shift, 0, part);
      total[0] += part[0];
      total[1] += part[1];
    }
  sums[0] = (float)total[0];
  sums[1] = (float)total[1];
}

static void CK_NAME(backward_apply)(const float *x, const float *dy, float *dx, int64_t count, ck_batchnorm_gradient k, int relu,
                                    int accumulate) {
  const float mean = k.mean, scale = k.scale, shift = k.shift, a = k.a, b = k.b, c = k.c;
  // x − mean first, as in the sums: b · x and b · mean may be far larger than their difference.
#define APPLY(MASK, ASSIGN)                               \
  CK_ELEMENTS                                             \
  for (int64_t i = 0; i < count; i++) {                   \
    float g = dy[i] * CK_FACTOR(MASK);                    \
    dx[i] ASSIGN a * g + (b * (x[i] - mean) + c);         \
  }
  if (relu && accumulate) {
    APPLY(scale * x[i] + shift > 0, +=)
  } else if (relu) {
    APPLY(scale * x[i] + shift > 0, =)
  } else if (accumulate) {
    APPLY(1, +=)
  } else {
    APPLY(1, =)
  }
#undef APPLY
}

static inline __attribute__((always_inline)) void CK_NAME(backward_apply_pairs_of)(
    const float *x, const float *dy, int64_t channel, float *dx, int64_t count, ck_batchnorm_gradient low, ck_batchnorm_gradient high, int relu) {
  const float *x1 = x + channel, *dy1 = dy + channel;
  CK_ELEMENTS
  for (int64_t i = 0; i < count; i++) {
    float g = dy[i] * CK_FACTOR(!relu || low.scale * x[i] + low.shift > 0);
    float h = dy1[i] * CK_FACTOR(!relu || high.scale * x1[i] + high.shift > 0);
    dx[i] = ck_paired(low.a * g + (low.b * (x[i] - low.mean) + low.c), high.a * h + (high.b * (x1[i] - high.mean) + high.c));
  }
}

static void CK_NAME(backward_apply_pairs)(const float *x, const float *dy, int64_t channel, float *dx, int64_t count,
                                          const ck_batchnorm_gradient channels[2], int relu) {
  if (relu) CK_NAME(backward_apply_pairs_of)(x, dy, channel, dx, count, channels[0], channels[1], 1);
  else CK_NAME(backward_apply_pairs_of)(x, dy, channel, dx, count, channels[0], channels[1], 0);
}

#undef VEC
#undef LOAD
