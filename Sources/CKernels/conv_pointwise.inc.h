// Template of conv_pointwise.c, compiled for each instruction set (each_isa.h).
typedef float CK_NAME(vec) __attribute__((vector_size(4 * CK_LANES), aligned(4)));
#define VEC CK_NAME(vec)
#define LOAD(p) (*(const VEC *)(p))

/// to[j] = [ReLU] of (accumulate ? to[j] : start) + Σ w[i · w_step] · x[i][j], `planes` of them, for count pixels.
INLINE void CK_NAME(mix_of)(const int planes, const float *const *x, const float *w, ptrdiff_t w_step, float *restrict to, int count,
                            float start, int accumulate, int relu) {
  float weights[CK_POINTWISE_PLANES];
  const float *restrict in[CK_POINTWISE_PLANES];
  UNROLL for (int i = 0; i < planes; i++) weights[i] = w[i * w_step], in[i] = x[i];
  int j = 0;
  for (; j + CK_LANES <= count; j += CK_LANES) {
    __builtin_prefetch(to + j + CK_POINTWISE_AHEAD, 1);
    VEC sum = accumulate ? LOAD(to + j) : (VEC){0} + start;
    UNROLL for (int i = 0; i < planes; i++) {
      // A plane is read in pieces, too short for the processor to see it coming.
      __builtin_prefetch(in[i] + j + CK_POINTWISE_AHEAD);
      sum += weights[i] * LOAD(in[i] + j);
    }
    if (relu) {
      UNROLL for (int l = 0; l < CK_LANES; l++) sum[l] = sum[l] < 0 ? 0 : sum[l];  // not a number stays so
    }
    *(VEC *)(to + j) = sum;
  }
  for (; j < count; j++) {
    float sum = accumulate ? to[j] : start;
    for (int i = 0; i < planes; i++) sum += weights[i] * in[i][j];
    to[j] = relu && sum < 0 ? 0 : sum;
  }
}

static void CK_NAME(mix)(int planes, const float *const *x, const float *w, ptrdiff_t w_step, float *to, int count, float start,
                         int accumulate, int relu) {
  switch (planes) {
  case 1: CK_NAME(mix_of)(1, x, w, w_step, to, count, start, accumulate, relu); return;
  case 2: CK_NAME(mix_of)(2, x, w, w_step, to, count, start, accumulate, relu); return;
  case 3: CK_NAME(mix_of)(3, x, w, w_step, to, count, start, accumulate, relu); return;
  default: CK_NAME(mix_of)(4, x, w, w_step, to, count, start, accumulate, relu); return;
  }
}

/// Adds Σⱼ g[o][j] · x[j] to sums[o · step].
INLINE void CK_NAME(dots_of)(const int outputs, const float *const *g, const float *x, int count, float *sums, ptrdiff_t step) {
  VEC sum[4][CK_POINTWISE_PLANES];     // four chains hide the additions' latency
  UNROLL for (int u = 0; u < 4; u++) {
    UNROLL for (int o = 0; o < outputs; o++) sum[u][o] = (VEC){0};
  }
  int j = 0;
  for (; j + 4 * CK_LANES <= count; j += 4 * CK_LANES) {
    UNROLL for (int u = 0; u < 4; u++) {
      __builtin_prefetch(x + j + u * CK_LANES + CK_POINTWISE_AHEAD);
      VEC v = LOAD(x + j + u * CK_LANES);
      UNROLL for (int o = 0; o < outputs; o++) sum[u][o] += v * LOAD(g[o] + j + u * CK_LANES);
    }
  }
  UNROLL for (int o = 0; o < outputs; o++) {
    VEC all = (sum[0][o] + sum[1][o]) + (sum[2][o] + sum[3][o]);
    float total = 0;
    for (int l = 0; l < CK_LANES; l++) total += all[l];
    for (int i = j; i < count; i++) total += g[o][i] * x[i];
    sums[o * step] += total;
  }
}

static void CK_NAME(dots)(int outputs, const float *const *g, const float *x, int count, float *sums, ptrdiff_t step) {
  switch (outputs) {
  case 1: CK_NAME(dots_of)(1, g, x, count, sums, step); return;
  case 2: CK_NAME(dots_of)(2, g, x, count, sums, step); return;
  case 3: CK_NAME(dots_of)(3, g, x, count, sums, step); return;
  default: CK_NAME(dots_of)(4, g, x, count, sums, step); return;
  }
}

#undef VEC
#undef LOAD
