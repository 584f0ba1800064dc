// Template of pooling.c, compiled for each instruction set (each_isa.h). The loops over a row are written so that clang
// turns the strides of two into shuffles of whole vectors.

static void CK_NAME(maxpool2_forward)(const float *restrict x, float *restrict y, int64_t planes, int height, int width) {
  const int h = height / 2, w = width / 2;
  for (int64_t p = 0; p < planes; p++)
    for (int i = 0; i < h; i++) {
      const float *restrict top = x + (p * height + 2 * i) * width, *restrict bottom = top + width;
      float *restrict out = y + (p * h + i) * w;
      for (int j = 0; j < w; j++) {
        out[j] = largest(top[2 * j], top[2 * j + 1], bottom[2 * j], bottom[2 * j + 1]);
      }
    }
}

static void CK_NAME(maxpool2_pairs)(const float *restrict x, float *restrict y, int64_t planes, int height, int width) {
  const int h = height / 2, w = width / 2;
  for (int64_t p = 0; p < planes; p++)
    for (int i = 0; i < h; i++) {
      const float *restrict top = x + (p * height + 2 * i) * width, *restrict bottom = top + width;
      float *restrict out = y + (p * h + i) * w;
      for (int j = 0; j < w; j++) out[j] = largest_pair(top[2 * j], top[2 * j + 1], bottom[2 * j], bottom[2 * j + 1]);
    }
}

static inline __attribute__((always_inline)) void CK_NAME(maxpool2_backward_rows)(
    const float *restrict top, const float *restrict bottom, ck_part part, const float *restrict dy, float *restrict dtop,
    float *restrict dbottom, int w, int accumulate) {
  for (int j = 0; j < w; j++) {
    float a = ck_value(top[2 * j], part), b = ck_value(top[2 * j + 1], part), g = dy[j];
    float c = ck_value(bottom[2 * j], part), d = ck_value(bottom[2 * j + 1], part);
    float ab = a >= b ? a : b, cd = c >= d ? c : d;
    float upper = ab >= cd ? g : 0, lower = g - upper;  // all of g goes to one row, so the difference is exact
    float ga = a >= b ? upper : 0, gc = c >= d ? lower : 0, gb = upper - ga, gd = lower - gc;
    if (accumulate) {
      dtop[2 * j] += ga, dtop[2 * j + 1] += gb, dbottom[2 * j] += gc, dbottom[2 * j + 1] += gd;
    } else {
      dtop[2 * j] = ga, dtop[2 * j + 1] = gb, dbottom[2 * j] = gc, dbottom[2 * j + 1] = gd;
    }
  }
}

static inline __attribute__((always_inline)) void CK_NAME(maxpool2_backward_part)(
    const float *x, ck_part part, const float *dy, float *dx, int64_t planes, int height, int width, int accumulate) {
  const int h = height / 2, w = width / 2;
  for (int64_t p = 0; p < planes; p++) {
    for (int i = 0; i < h; i++) {
      const int64_t row = (p * height + 2 * i) * width;
      const float *g = dy + (p * h + i) * w;
      if (accumulate)
        CK_NAME(maxpool2_backward_rows)(x + row, x + row + width, part, g, dx + row, dx + row + width, w, 1);
      else
        CK_NAME(maxpool2_backward_rows)(x + row, x + row + width, part, g, dx + row, dx + row + width, w, 0);
      if (!accumulate && width % 2) dx[row + width - 1] = dx[row + 2 * width - 1] = 0;
    }
    if (!accumulate && height % 2) memset(dx + (p * height + height - 1) * width, 0, sizeof(float) * width);
  }
}

static void CK_NAME(maxpool2_backward)(const float *x, ck_part part, const float *dy, float *dx, int64_t planes, int height, int width,
                                       int accumulate) {
  if (part == CK_WORDS)
    CK_NAME(maxpool2_backward_part)(x, CK_WORDS, dy, dx, planes, height, width, accumulate);
  else if (part == CK_LOWER)
    CK_NAME(maxpool2_backward_part)(x, CK_LOWER, dy, dx, planes, height, width, accumulate);
  else
    CK_NAME(maxpool2_backward_part)(x, CK_UPPER, dy, dx, planes, height, width, accumulate);
}

static void CK_NAME(nearest2_forward)(const float *restrict x, float *restrict y, int64_t planes, int height, int width) {
  for (int64_t row = 0; row < planes * height; row++) {
    const float *restrict in = x + row * width;
    float *restrict top = y + 4 * row * width;
    for (int j = 0; j < width; j++) top[2 * j] = top[2 * j + 1] = in[j];
    memcpy(top + 2 * width, top, sizeof(float) * 2 * width);
  }
}

static void CK_NAME(nearest2_backward)(const float *restrict dy, float *restrict dx, int64_t planes, int height, int width,
                                       int accumulate) {
  for (int64_t row = 0; row < planes * height; row++) {
    const float *restrict top = dy + 4 * row * width, *restrict bottom = top + 2 * width;
    float *restrict out = dx + row * width;
    if (accumulate)
      for (int j = 0; j < width; j++) out[j] += (top[2 * j] + top[2 * j + 1]) + (bottom[2 * j] + bottom[2 * j + 1]);
    else
      for (int j = 0; j < width; j++) out[j] = (top[2 * j] + top[2 * j + 1]) + (bottom[2 * j] + bottom[2 * j + 1]);
  }
}
